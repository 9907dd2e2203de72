//! What a program finds on its stack: arguments, environment and auxiliary vector, as Linux lays them out.
//!
//! ```text
//! sp ─> argc  argv[0] … 0  envp[0] … 0  auxv: (kind, value) … (0, 0)  …  strings, sixteen random bytes  <─ top
//! ```

use super::identity::UID;
use pvm_program::Executable;

/// The most bytes of arguments and environment, with the pointers to them; a quarter of the smallest stack.
pub const MAX_ARGUMENTS: usize = 128 << 10;

/// Kinds of entries of the auxiliary vector (`linux/auxvec.h`).
mod kind {
    pub const NULL: u32 = 0;
    pub const PHDR: u32 = 3;
    pub const PHENT: u32 = 4;
    pub const PHNUM: u32 = 5;
    pub const PAGESZ: u32 = 6;
    pub const BASE: u32 = 7;
    pub const FLAGS: u32 = 8;
    pub const ENTRY: u32 = 9;
    pub const UID: u32 = 11;
    pub const EUID: u32 = 12;
    pub const GID: u32 = 13;
    pub const EGID: u32 = 14;
    pub const HWCAP: u32 = 16;
    pub const CLKTCK: u32 = 17;
    pub const SECURE: u32 = 23;
    pub const RANDOM: u32 = 25;
    pub const EXECFN: u32 = 31;
}

/// The extensions I, M, A and C, a bit for each letter.
const HWCAP: u32 = letter(b'I') | letter(b'M') | letter(b'A') | letter(b'C');

const fn letter(letter: u8) -> u32 {
    1 << (letter - b'A')
}

/// The bytes that end at `top`, the first of which the stack pointer points to. `None` if they are more than
/// [`MAX_ARGUMENTS`], or a string has a zero in it.
pub(super) fn stack(
    executable: &Executable,
    arguments: &[Vec<u8>],
    environment: &[Vec<u8>],
    random: [u8; 16],
    top: u32,
) -> Option<Vec<u8>> {
    let strings = || arguments.iter().chain(environment);
    let size: usize = strings().map(|string| string.len() + 1 + 4).sum();
    if size > MAX_ARGUMENTS || strings().any(|string| string.contains(&0)) {
        return None;
    }
    // Strings first, as pointers lead to them: they stand behind everything else.
    let mut high: Vec<u8> = Vec::new();
    let mut offsets: Vec<u32> = Vec::new();
    for string in strings() {
        offsets.push(high.len() as u32);
        high.extend(string);
        high.push(0);
    }
    let random_at = high.len() as u32;
    high.extend(random);
    let high_at = (top - high.len() as u32) & !15;

    let mut words = vec![arguments.len() as u32];
    let (first, second) = offsets.split_at(arguments.len());
    for offsets in [first, second] {
        words.extend(offsets.iter().map(|offset| high_at + offset));
        words.push(0);
    }
    for (kind, value) in auxiliary(executable, high_at + random_at, high_at) {
        words.extend([kind, value]);
    }
    // The stack pointer is a multiple of sixteen (psABI).
    let low_at = (high_at - words.len() as u32 * 4) & !15;
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize((high_at - low_at) as usize, 0);
    bytes.extend(high);
    bytes.resize((top - low_at) as usize, 0);
    Some(bytes)
}

fn auxiliary(executable: &Executable, random: u32, name: u32) -> Vec<(u32, u32)> {
    let mut entries = Vec::new();
    if let Some(headers) = executable.program_headers {
        entries.extend([
            (kind::PHDR, headers.address),
            (kind::PHENT, headers.entry_size.into()),
            (kind::PHNUM, headers.count.into()),
        ]);
    }
    entries.extend([
        (kind::PAGESZ, 4096),
        (kind::BASE, 0),
        (kind::FLAGS, 0),
        (kind::ENTRY, executable.entry),
        (kind::UID, UID),
        (kind::EUID, UID),
        (kind::GID, UID),
        (kind::EGID, UID),
        (kind::HWCAP, HWCAP),
        (kind::CLKTCK, 100),
        (kind::SECURE, 0),
        (kind::RANDOM, random),
        (kind::EXECFN, name),
        (kind::NULL, 0),
    ]);
    entries
}
