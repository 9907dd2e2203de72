//! Which operations have a handler of their own when they follow one another.
//!
//! Going from handler to handler costs more than what most instructions do. So there are handlers for pairs, any of the
//! commonest steps followed by another or by the commonest ends of blocks; and for some longer sequences that compilers
//! write again and again. A handler's place in the table of handlers is its *code*: first come those of single
//! operations, in the order of [`Op`], then a row for each step that can be first of a pair, then the sequences.

use crate::cell::{Op, parts, steps};
use crate::handlers::{Handler, Handlers, Table, Then, handler};
use pvm_ops::Memory;

/// How many codes there are; not all have a meaning of their own.
pub(crate) const CODES: usize = 2048;

const ROW: usize = SECOND.len();
const SEQUENCE: usize = Op::COUNT + ROW * FIRST.len();
const _: () = assert!(SEQUENCE + SEQUENCES.len() <= CODES);

/// What can be done next with one handler, longest first: its code, and how many of `ops` it does. There is at least one.
#[inline]
fn candidates(ops: &[Op]) -> impl Iterator<Item = (usize, usize)> {
    let first = ops[0];
    let sequences = (BEGINNING_WITH[first as usize]..BEGINNING_WITH[first as usize + 1])
        .map(usize::from)
        .filter(|&at| ops.starts_with(SEQUENCES[at]))
        .map(|at| (SEQUENCE + at, SEQUENCES[at].len()));
    let pair = ops.get(1).and_then(|&second| {
        let [row, column] = [PLACE_IN_FIRST[first as usize], PLACE_IN_SECOND[second as usize]];
        (row != NOWHERE && column != NOWHERE).then(|| (Op::COUNT + ROW * usize::from(row) + usize::from(column), 2))
    });
    sequences.chain(pair).chain([(first as usize, 1)])
}

/// Calls `set` with the index and the code of each of `ops`, which follow one another, from the last to the first. The
/// codes are such that as few handlers as possible run.
pub(crate) fn for_each_code(ops: &[Op], mut set: impl FnMut(usize, u16)) {
    // How many handlers the operations behind take: those from the next one on, from the one after that on, and so on.
    let mut behind = [0_u32; LONGEST];
    for index in (0..ops.len()).rev() {
        let candidates = candidates(&ops[index..]);
        let Some((code, len)) = candidates.min_by_key(|&(_, len)| behind[len - 1]) else {
            unreachable!("one is single")
        };
        let here = behind[len - 1].saturating_add(1);
        behind.copy_within(..LONGEST - 1, 1);
        behind[0] = here;
        set(index, code as u16);
    }
}

/// Stands for an operation that is not in a list.
const NOWHERE: u8 = u8::MAX;

const PLACE_IN_FIRST: [u8; Op::COUNT] = places(FIRST);
const PLACE_IN_SECOND: [u8; Op::COUNT] = places(SECOND);

const fn places(list: &[Op]) -> [u8; Op::COUNT] {
    let mut places = [NOWHERE; Op::COUNT];
    let mut at = 0;
    while at < list.len() {
        places[list[at] as usize] = at as u8;
        at += 1;
    }
    places
}

/// Where in [`SEQUENCES`] those that begin with an operation are: from its number to the next one.
const BEGINNING_WITH: [u8; Op::COUNT + 1] = {
    let mut starts = [0; Op::COUNT + 1];
    let (mut op, mut at) = (0, 0);
    while op <= Op::COUNT {
        while at < SEQUENCES.len() && (SEQUENCES[at][0] as usize) < op {
            at += 1;
        }
        starts[op] = at as u8;
        op += 1;
    }
    starts
};

/// The length of the longest sequence.
const LONGEST: usize = {
    let (mut longest, mut at) = (2, 0);
    while at < SEQUENCES.len() {
        let is_sorted = at == 0 || SEQUENCES[at - 1][0] as usize <= SEQUENCES[at][0] as usize;
        assert!(is_sorted, "sequences are in the order of the first operation, as `Op` has it");
        if SEQUENCES[at].len() > longest {
            longest = SEQUENCES[at].len();
        }
        at += 1;
    }
    longest
};

/// Writes the lists and the table.
macro_rules! pairs {
    (
        steps { $($step:ident)* }
        ends { $($end:ident)* }
        sequences { $([$($op:ident)*])* }
    ) => {
        const FIRST: &[Op] = &[$(Op::$step),*];
        const SECOND: &[Op] = &[$(Op::$step,)* $(Op::$end),*];
        const SEQUENCES: &[&[Op]] = &[$(&[$(Op::$op),*]),*];

        impl<M: Memory, const COUNTING: bool> Handlers<M, COUNTING> {
            /// The handlers by code. Where instructions are counted, those for several do the first.
            pub(crate) const TABLE: &Table<M> = &Table(Self::table());

            const fn table() -> [Handler<M>; CODES] {
                let mut table = [Self::SINGLE[Op::Trap as usize]; CODES];
                let mut code = 0;
                while code < SEQUENCE + SEQUENCES.len() {
                    table[code] = if code < Op::COUNT {
                        Self::SINGLE[code]
                    } else if code < SEQUENCE {
                        let [row, column] = [(code - Op::COUNT) / ROW, (code - Op::COUNT) % ROW];
                        if COUNTING { Self::SINGLE[FIRST[row] as usize] } else { Self::PAIRS[row][column] }
                    } else {
                        let at = code - SEQUENCE;
                        if COUNTING { Self::SINGLE[SEQUENCES[at][0] as usize] } else { Self::SEQUENCES[at] }
                    };
                    code += 1;
                }
                table
            }

            const PAIRS: [[Handler<M>; ROW]; FIRST.len()] = pairs!(rows [$($step)*] [$($step)* $($end)*]);

            const SEQUENCES: [Handler<M>; SEQUENCES.len()] =
                [$(handler::<M, false, pairs!(part $($op)*)>),*];
        }
    };
    (rows [$($first:ident)*] $seconds:tt) => { [$(pairs!(row $first $seconds)),*] };
    (row $first:ident [$($second:ident)*]) => {
        [$(handler::<M, false, Then<steps::$first, parts::$second>>),*]
    };
    (part $last:ident) => { parts::$last };
    (part $first:ident $($more:ident)+) => { Then<steps::$first, pairs!(part $($more)+)> };
}

pairs! {
    steps {
        Nop Move64 LoadImm Add64 Add64Imm Add32Imm Sub64 Sub64Swapped Mul64 MulHighUU64 And64 And64Imm AndInv64 Or64
        Xor64 Shl64Imm ShrU64Imm ShrU32Imm ShrS64Imm RotR32Imm SetLtU64
        LoadU8 LoadU16 LoadI16 LoadI32 LoadU32 LoadU64 StoreU8 StoreU32 StoreU64 StoreImmU8
    }
    ends {
        BranchEq BranchNe BranchLtU BranchGeU BranchLtS BranchGeS BranchEqImm BranchNeImm BranchLtUImm BranchGtUImm
        BranchLtSImm BranchLeSImm BranchGeSImm BranchGtSImm
        Jump JumpLink JumpIndirect Fallthrough
    }
    sequences {
        [Add64 Add64 BranchLtU]
        [Add64 LoadU64 LoadU64]
        [Add64 LoadU8 BranchNeImm]
        [Add64 LoadU8 BranchEqImm]
        [Add64 SetLtU64 Sub64Swapped And64]
        [Add64 Move64 BranchEq]
        [Add64 LoadI32 Add64 LoadU64]
        [Add64 Add64 Add64]
        [Add64 Add64Imm BranchNe]
        [Add64Imm Add64Imm BranchNe]
        [Add64Imm Add64Imm BranchLtU]
        [Add64Imm StoreU64 StoreU64]
        [Add64Imm StoreU64 StoreU64 StoreU64]
        [Add64Imm Move64 BranchNe]
        [Add64Imm Add64 BranchGtUImm]
        [Add64Imm LoadU8 Shl64Imm Shl64Imm]
        [And64 Add64 Shl64Imm Sub64]
        [Xor64 RotR32Imm Xor64]
        [Shl64Imm Add64 LoadU8]
        [Shl64Imm Add64 LoadI32]
        [Shl64Imm Add64 LoadU32]
        [Shl64Imm Add64 LoadU64]
        [Shl64Imm Add64 LoadI32 Add64]
        [Shl64Imm Add64 Add64 JumpIndirect]
        [ShrU64Imm And64 Xor64]
        [SetLtU64 Sub64Swapped And64 Add64]
        [RotR32Imm RotR32Imm Xor64]
        [RotR32Imm RotR32Imm Xor64 RotR32Imm]
        [Move64 Add64Imm BranchNeImm]
        [Move64 Add64Imm BranchNe]
        [Move64 Move64 Move64]
        [Move64 Move64 Move64 Move64]
        [LoadU8 Add64Imm BranchNeImm]
        [LoadI32 LoadI32 Mul64 Add64]
        [LoadU64 LoadU64 Mul64 Add64]
        [LoadU64 Add64Imm JumpIndirect]
        [LoadU64 LoadU64 Add64Imm JumpIndirect]
        [LoadU64 LoadU64 LoadU64]
        [LoadU64 LoadU64 LoadU64 LoadU64]
        [StoreU8 Add64 Add64 BranchLtU]
        [StoreU8 Add64Imm BranchNe]
        [StoreU32 Add64Imm BranchNe]
        [StoreU64 StoreU64 StoreU64]
        [StoreU64 StoreU64 StoreU64 StoreU64]
        [StoreU64 Add64Imm BranchNe]
        [LoadImm Move64 LoadImm BranchLtU]
        [Nop Add64 LoadU8 BranchNeImm]
        [Nop Shl64Imm Add64]
        [Nop Add64 LoadU64]
    }
}
