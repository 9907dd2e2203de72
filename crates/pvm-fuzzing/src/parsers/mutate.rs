//! Mutations.

use fastrand::Rng;

/// Words at which text formats turn.
const WORDS: [&str; 46] = [
    "0",
    "-1",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "0x",
    "0xffffffff",
    "1e400",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "null",
    "true",
    "\n",
    "\t",
    " ",
    "(",
    ")",
    "@",
    "#",
    "'",
    "+",
    "- ",
    "* ",
    ".zero ",
    ".align ",
    ".u64 ",
    ".hex ",
    ".ascii ",
    ".equ ",
    ".jump_table ",
    ".inst ",
    ".bytes ",
    ".section ",
    "ecalli=",
    "memwrite ",
    "setreg ",
    "PANIC=",
    "\u{00e9}",
    "\0",
];

const BYTES: [u8; 10] = [0, 1, 0x7f, 0x80, 0xbf, 0xc0, 0xf0, 0xfe, 0xff, 10];
const NUMBERS: [u64; 9] = [0, 1, 0x7f, 0xffff, 0x1_0000, 0x7fff_ffff, 0xffff_ffff, 0x1_0000_0000, u64::MAX];

/// Changes something about `input`; `other` is an input of the same kind.
pub(super) fn mutate(rng: &mut Rng, input: &mut Vec<u8>, other: &[u8], is_text: bool) {
    let len = input.len();
    let at = rng.usize(..len + 1);
    let count = match rng.u32(..3) {
        0 => 1,
        1 => rng.usize(..5),
        _ => rng.usize(..len.min(100) + 1),
    };
    let end = (at + count).min(len);
    if is_text && rng.u32(..3) == 0 {
        let word = WORDS[rng.usize(..WORDS.len())];
        let replaced = if rng.bool() { at..end } else { at..at };
        input.splice(replaced, word.bytes());
        return;
    }
    match rng.u32(..9) {
        0 if at < len => input[at] ^= 1 << rng.u32(..8),
        1 if at < len => input[at] = BYTES[rng.usize(..BYTES.len())],
        2 if at < len => input[at] = input[at].wrapping_add(rng.u8(..9)).wrapping_sub(4),
        3 => drop(input.drain(at..end)),
        4 => {
            let copy = input[at..end].to_vec();
            let times = if rng.u32(..10) == 0 { rng.usize(..60) } else { 1 };
            input.splice(at..at, copy.repeat(times));
        }
        5 => {
            let bytes: Vec<u8> = (0..count.min(12)).map(|_| rng.u8(..)).collect();
            input.splice(at..at, bytes);
        }
        6 => {
            let number = NUMBERS[rng.usize(..NUMBERS.len())].wrapping_add(rng.u64(..5)).wrapping_sub(2);
            let width = 1 << rng.u32(..4);
            input.splice(at..(at + width).min(len), number.to_le_bytes()[..width].iter().copied());
        }
        7 => {
            let from = rng.usize(..other.len() + 1);
            let to = rng.usize(from..other.len() + 1);
            input.splice(at..end, other[from..to].iter().copied());
        }
        8 if rng.u32(..4) == 0 => input.truncate(at),
        _ => {}
    }
}
