//! Operands for exhaustive tests.

use pvm_isa::{Format, Meaning, Operands, Spec};
use pvm_ops::Reg;

/// Register values at which arithmetic turns: zero, ones, widths, signs, and dirty high halves.
pub const VALUES: [u64; 26] = [
    0,
    1,
    2,
    7,
    31,
    32,
    33,
    63,
    64,
    65,
    0x7f,
    0x80,
    0xff80,
    0x7fff,
    0x8000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x8000_0000_8000_0000,
    0x1234_5678_ffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_8000_0000,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
];

/// Immediates at which arithmetic turns.
pub const IMMEDIATES: [i32; 17] =
    [0, 1, -1, 2, 7, 31, 32, 33, 63, 64, 65, 127, -128, 0x8000, i32::MAX, i32::MIN, -0x1000_0001];

/// The registers that operands name; values for the first two are what a test varies.
pub const A: Reg = Reg::R7;
/// See [`A`].
pub const B: Reg = Reg::R8;
/// A register that is only a destination.
pub const D: Reg = Reg::R9;

/// Operands of an instruction: each way in which its registers can coincide, with each immediate.
///
/// Jump targets are `targets`. Addresses (absolute ones, and offsets where `addresses` says so) are taken from there.
pub fn all(spec: &Spec, targets: &[i64], addresses: &[i32]) -> Vec<Operands> {
    let is_access = spec.meaning.accesses_memory();
    let immediates = if is_access { addresses } else { &IMMEDIATES };
    let pairs = [(A, B), (A, A)];
    let mut all = Vec::new();
    match spec.format {
        Format::None => all.push(Operands::None),
        Format::Imm => all.extend(IMMEDIATES.map(|x| Operands::Imm { x })),
        Format::RegImm64 => all.extend(VALUES.map(|x| Operands::RegImm64 { a: D, x })),
        Format::ImmImm => each(immediates, &IMMEDIATES, |x, y| all.push(Operands::ImmImm { x, y })),
        Format::Offset => all.extend(targets.iter().map(|&target| Operands::Offset { target })),
        Format::RegImm => all.extend(immediates.iter().map(|&x| Operands::RegImm { a: A, x })),
        Format::RegImmImm => {
            each(immediates, &IMMEDIATES, |x, y| all.push(Operands::RegImmImm { a: A, x, y }));
        }
        Format::RegImmOffset => {
            each(&IMMEDIATES, targets, |x, target| all.push(Operands::RegImmOffset { a: A, x, target }));
        }
        Format::RegReg => all.extend([(D, A), (A, A)].map(|(d, a)| Operands::RegReg { d, a })),
        Format::RegRegImm => {
            each(&pairs, immediates, |(a, b), x| all.push(Operands::RegRegImm { a, b, x }));
        }
        Format::RegRegOffset => {
            each(&pairs, targets, |(a, b), target| all.push(Operands::RegRegOffset { a, b, target }));
        }
        Format::RegRegImmImm => {
            let offsets = if spec.meaning == Meaning::JumpIndirect { &IMMEDIATES[..4] } else { &IMMEDIATES };
            each(&pairs, offsets, |(a, b), y| all.push(Operands::RegRegImmImm { a, b, x: -5, y }));
        }
        Format::RegRegReg => {
            let triples = [(D, A, B), (A, A, B), (B, A, B), (D, A, A), (A, A, A)];
            all.extend(triples.map(|(d, a, b)| Operands::RegRegReg { d, a, b }));
        }
    }
    all
}

fn each<X: Copy, Y: Copy>(xs: &[X], ys: &[Y], mut action: impl FnMut(X, Y)) {
    for &x in xs {
        for &y in ys {
            action(x, y);
        }
    }
}
