//! Takes instructions out of x86-64 code, puts prefixes before others, makes jumps short where they can be, and has branch
//! tables hold addresses.
//!
//! Cranelift writes every jump with a distance of 32 bits. With what is taken out (branches to [landings](crate::landings))
//! code gets smaller by a third and more, which the processor's front end is thankful for.

mod layout;
mod order;
mod share;
mod tables;

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};
use layout::{CONSTANT_ALIGNMENT, lay_out, position};
use order::order;
use share::share;
use std::collections::VecDeque;
use std::ops::Range;

/// A stretch of the former code.
struct Piece {
    at: Range<usize>,
    kind: Kind,
    /// No-ops before it, in bytes.
    padding: usize,
    /// Prefixes of its first instruction.
    prefix: &'static [u8],
}

/// Prefixes to put before an instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prefix {
    /// Where the instruction is.
    pub at: usize,
    pub bytes: &'static [u8],
}

/// An instruction to write otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Rewritten {
    pub at: Range<usize>,
    /// Instructions that are the same wherever they stand. Prefixes come before the first.
    pub bytes: Vec<u8>,
}

enum Kind {
    /// Instructions that are the same wherever they stand.
    Plain,
    /// The same, in place of what was there.
    Rewritten { bytes: Vec<u8> },
    /// Left out.
    Gone,
    /// Left out, as what it leads to is the same as from the earlier piece of this index on.
    Shared { with: usize },
    /// A jump to a fixed place, by its target; conditional ones with their condition, as encoded.
    Jump { target: usize, condition: Option<u8>, is_short: bool },
    /// An instruction that names a branch table or a constant by the distance that its bytes at `field` have.
    Reference { target: usize, field: usize, is_table: bool },
    /// A branch table: the addresses of these offsets.
    Table { targets: Vec<usize> },
    /// Constants, behind all instructions.
    Constants,
}

/// Compacted code, and where the former offsets are in it.
pub(crate) struct Compacted {
    pub code: Vec<u8>,
    /// Where addresses of code are to be written.
    pub addresses: Vec<Address>,
    pieces: Vec<Piece>,
    positions: Vec<usize>,
}

impl Compacted {
    /// Where the instruction or table is that was at this offset.
    pub(crate) fn offset(&self, former: u32) -> Option<u32> {
        u32::try_from(position(&self.pieces, &self.positions, former as usize)?).ok()
    }
}

/// A place for the address of code, 64 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    pub at: u32,
    /// The offset whose address it is.
    pub target: u32,
}

/// What is to become of code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Changes<'a> {
    /// Instructions to leave out, ascending.
    pub gone: &'a [Range<usize>],
    /// Instructions to write otherwise, ascending.
    pub rewritten: &'a [Rewritten],
    /// Prefixes to put before others, ascending.
    pub prefixes: &'a [Prefix],
    /// Code from this offset on need not be fast.
    pub cold: usize,
}

/// Changes `code`, whose basic blocks start at `blocks`, ascending. `None` if there is something in it that is not expected
/// there, by this or by `is_expected`.
pub(crate) fn compact(
    code: &[u8],
    blocks: &[u32],
    changes: Changes<'_>,
    is_expected: impl FnMut(&Instruction) -> bool,
) -> Option<Compacted> {
    let mut pieces = pieces(code, blocks, changes, is_expected)?;
    share(code, &mut pieces, changes.cold);
    let order = order(&mut pieces, changes.cold);
    let (positions, len) = lay_out(&mut pieces, &order, changes.cold);
    let mut compacted =
        Compacted { code: Vec::with_capacity(len), addresses: Vec::new(), pieces: Vec::new(), positions };
    for &index in &order {
        let piece = &pieces[index];
        compacted.write(code, &pieces, piece)?;
    }
    compacted.pieces = pieces;
    Some(compacted)
}

impl Piece {
    fn len(&self) -> usize {
        match &self.kind {
            Kind::Rewritten { bytes } => self.prefix.len() + bytes.len(),
            Kind::Plain | Kind::Reference { .. } | Kind::Constants => self.prefix.len() + self.at.len(),
            Kind::Table { targets } => size_of::<u64>() * targets.len(),
            Kind::Gone | Kind::Shared { .. } => 0,
            Kind::Jump { is_short: true, .. } => 2,
            Kind::Jump { condition: Some(_), .. } => 6,
            Kind::Jump { condition: None, .. } => 5,
        }
    }
}

impl Compacted {
    fn write(&mut self, code: &[u8], pieces: &[Piece], piece: &Piece) -> Option<()> {
        // From a position to where an offset of the former code is now.
        let distance = |from: usize, former: usize| {
            let to = position(pieces, &self.positions, former)?;
            i32::try_from(to as i64 - from as i64).ok()
        };
        pad(&mut self.code, piece.padding);
        let start = self.code.len();
        let next = start + piece.len();
        let former = &code[piece.at.clone()];
        self.code.extend_from_slice(piece.prefix);
        match piece.kind {
            Kind::Plain | Kind::Constants => self.code.extend_from_slice(former),
            Kind::Rewritten { ref bytes } => self.code.extend_from_slice(bytes),
            Kind::Gone | Kind::Shared { .. } => {}
            Kind::Jump { target, condition, is_short } => {
                let distance = distance(next, target)?;
                match (condition, is_short) {
                    (Some(condition), true) => self.code.push(0x70 | condition),
                    (None, true) => self.code.push(0xeb),
                    (Some(condition), false) => self.code.extend([0x0f, 0x80 | condition]),
                    (None, false) => self.code.push(0xe9),
                }
                match is_short {
                    true => self.code.push(i8::try_from(distance).ok()? as u8),
                    false => self.code.extend(distance.to_le_bytes()),
                }
            }
            Kind::Reference { target, field, .. } => {
                let distance = distance(next, target)?;
                self.code.extend_from_slice(former);
                self.code[start + field..start + field + 4].copy_from_slice(&distance.to_le_bytes());
            }
            Kind::Table { ref targets } => {
                for &target in targets {
                    let target = u32::try_from(position(pieces, &self.positions, target)?).ok()?;
                    self.addresses.push(Address { at: u32::try_from(self.code.len()).ok()?, target });
                    self.code.extend([0; size_of::<u64>()]);
                }
            }
        }
        Some(())
    }
}

fn pieces(
    code: &[u8],
    blocks: &[u32],
    changes: Changes<'_>,
    mut is_expected: impl FnMut(&Instruction) -> bool,
) -> Option<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut gone = changes.gone.iter().peekable();
    let mut rewritten = changes.rewritten.iter().peekable();
    let mut prefixes = changes.prefixes.iter().peekable();
    // Tables that have been referred to and are still to come, and where the first constant is.
    let mut tables: Vec<Range<usize>> = Vec::new();
    // What becomes of the next instructions, where they jump by a table.
    let mut ahead: VecDeque<(Range<usize>, Kind)> = VecDeque::new();
    let mut constants = usize::MAX;
    let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
    let mut at = 0;
    let mut goes_on = true;
    let mut last = 0..0;
    while at < code.len() {
        let (end, kind) = if let Some(range) = gone.next_if(|range| range.start == at) {
            (range.end, Kind::Gone)
        } else if let Some(table) = tables.iter().find(|table| table.start == at) {
            (table.end, Kind::Table { targets: tables::targets(code, table)? })
        } else if at == constants || !goes_on && is_padding(code, at, constants) {
            (code.len(), Kind::Constants)
        } else if at > constants {
            return None;
        } else {
            decoder.set_position(at).ok()?;
            decoder.set_ip(at as u64);
            let instruction = decoder.decode();
            if !is_expected(&instruction) {
                return None;
            }
            let kind = kind(code, &decoder, &instruction)?;
            match kind {
                Kind::Reference { target, is_table: true, .. } => {
                    // The table lies between blocks, or is the last thing before the constants.
                    let after = blocks.partition_point(|&start| start as usize <= target);
                    let end = blocks.get(after).map_or(code.len(), |&start| start as usize);
                    if target <= at || !(end - target).is_multiple_of(4) {
                        return None;
                    }
                    let (idle, jump) = tables::jump(code, &instruction)?;
                    ahead.extend(idle.map(|at| (at, Kind::Gone)));
                    ahead.push_back((jump.at, Kind::Rewritten { bytes: jump.bytes }));
                    tables.push(target..end);
                }
                Kind::Reference { target, .. } => constants = constants.min(target),
                _ => {}
            }
            goes_on = !matches!(instruction.mnemonic(), Mnemonic::Jmp | Mnemonic::Ret | Mnemonic::Ud2);
            let former = std::mem::replace(&mut last, at..instruction.next_ip() as usize);
            // A register may have been loaded for what is gone, and again for what comes behind it, which nothing else leads to.
            let is_again = former.end < at && code[former] == code[last.clone()] && is_reload(&instruction);
            let follows = matches!(pieces.last(), Some(Piece { kind: Kind::Gone, .. }));
            let swapped = swap_base(&code[last.clone()], &decoder, &instruction);
            let is_gone = is_again && follows || is_copy_in_place(&instruction) && !reads_flags(&mut decoder);
            if let Some((_, kind)) = ahead.pop_front_if(|(at, _)| *at == last) {
                (last.end, kind)
            } else if let Some(one) = rewritten.next_if(|one| one.at == last) {
                (last.end, Kind::Rewritten { bytes: one.bytes.clone() })
            } else if is_gone {
                (last.end, Kind::Gone)
            } else {
                (last.end, swapped.map_or(kind, |bytes| Kind::Rewritten { bytes }))
            }
        };
        let prefix = prefixes.next_if(|prefix| prefix.at == at).map_or(&[][..], |prefix| prefix.bytes);
        if !prefix.is_empty() && !matches!(kind, Kind::Plain | Kind::Rewritten { .. }) {
            return None;
        }
        match (pieces.last_mut(), &kind) {
            (Some(Piece { at: last, kind: Kind::Plain, .. }), Kind::Plain)
                if prefix.is_empty() && at < changes.cold && blocks.binary_search(&(at as u32)).is_err() =>
            {
                last.end = end;
            }
            _ => pieces.push(Piece { at: at..end, kind, padding: 0, prefix }),
        }
        at = end;
    }
    // A table at the end cannot be told from the constants behind it.
    let is_clear = constants == usize::MAX || tables.iter().all(|table| table.end < code.len());
    let is_done = ahead.is_empty() && gone.next().is_none() && rewritten.next().is_none() && prefixes.next().is_none();
    (is_done && at == code.len() && is_clear).then_some(pieces)
}

/// Whether a whole register is loaded from the stack.
pub(crate) fn is_reload(instruction: &Instruction) -> bool {
    instruction.code() == Code::Mov_r64_rm64
        && instruction.op1_kind() == OpKind::Memory
        && instruction.memory_base() == Register::RSP
        && instruction.memory_index() == Register::None
}

/// Whether nothing is added to a register: a copy that was given the same register.
fn is_copy_in_place(instruction: &Instruction) -> bool {
    instruction.mnemonic() == Mnemonic::Add
        && instruction.op0_register().is_gpr64()
        && matches!(instruction.op1_kind(), OpKind::Immediate8to64 | OpKind::Immediate32to64)
        && instruction.immediate(1) == 0
}

/// An address `r13 + register + 0` as `register + r13`. The encoding has no base R13 without a displacement, and a `lea` of three parts
/// takes a cycle longer on many processors than one of two.
fn swap_base(bytes: &[u8], decoder: &Decoder<'_>, instruction: &Instruction) -> Option<Vec<u8>> {
    let is_swappable = instruction.memory_base() == Register::R13
        && !matches!(instruction.memory_index(), Register::None | Register::RBP | Register::R13)
        && instruction.memory_index_scale() == 1
        && (instruction.memory_displacement64(), instruction.memory_displ_size()) == (0, 1);
    let is_prefix = |byte: &&u8| matches!(byte, 0x66 | 0xf0 | 0xf2 | 0xf3);
    let extension = bytes.iter().take_while(is_prefix).count();
    // REX has the highest bits of index and base at 1 and 0. VEX, of three bytes, has them elsewhere.
    if !is_swappable || bytes.get(extension)? & 0xf0 != 0x40 {
        return None;
    }
    let swap = |byte: u8, width: u32| {
        let ones = (1 << width) - 1;
        byte & !(ones << width | ones) | (byte & ones) << width | byte >> width & ones
    };
    let displacement = decoder.get_constant_offsets(instruction).displacement_offset();
    let [mode, sib] = [displacement - 2, displacement - 1];
    let mut bytes = bytes.to_vec();
    bytes[extension] = swap(bytes[extension], 1);
    bytes[mode] &= 0x3f;
    bytes[sib] = swap(bytes[sib], 3);
    bytes.remove(displacement);
    Some(bytes)
}

/// Whether what comes next depends on the flags, before it sets them or goes elsewhere.
fn reads_flags(decoder: &mut Decoder<'_>) -> bool {
    while decoder.can_decode() {
        let instruction = decoder.decode();
        if instruction.rflags_read() != 0 {
            return true;
        }
        if instruction.rflags_modified() != 0 || instruction.flow_control() != FlowControl::Next {
            return false;
        }
    }
    true
}

/// Whether only zeros that align the constants lie between the two offsets.
fn is_padding(code: &[u8], from: usize, constants: usize) -> bool {
    constants < code.len()
        && constants.checked_sub(from).is_some_and(|len| len < CONSTANT_ALIGNMENT)
        && code[from..constants].iter().all(|&byte| byte == 0)
}

fn kind(code: &[u8], decoder: &Decoder<'_>, instruction: &Instruction) -> Option<Kind> {
    if instruction.is_invalid() {
        return None;
    }
    let (start, next) = (instruction.ip() as usize, instruction.next_ip() as usize);
    if instruction.is_jmp_short_or_near() || instruction.is_jcc_short_or_near() {
        let condition = match code[start..next] {
            [0xe9, ..] => None,
            [0x0f, second, ..] if second & 0xf0 == 0x80 => Some(second & 0xf),
            _ => return None,
        };
        let target = usize::try_from(instruction.near_branch_target()).ok().filter(|&target| target <= code.len())?;
        return Some(Kind::Jump { target, condition, is_short: false });
    }
    if !instruction.is_ip_rel_memory_operand() {
        return Some(Kind::Plain);
    }
    let target = usize::try_from(instruction.ip_rel_memory_address()).ok().filter(|&target| target < code.len())?;
    let field = decoder.get_constant_offsets(instruction).displacement_offset();
    Some(Kind::Reference { target, field, is_table: instruction.mnemonic() == Mnemonic::Lea })
}

/// The no-ops of one to nine bytes that processors' manuals recommend.
const NO_OPS: [&[u8]; 9] = [
    &[0x90],
    &[0x66, 0x90],
    &[0x0f, 0x1f, 0x00],
    &[0x0f, 0x1f, 0x40, 0x00],
    &[0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
    &[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];

/// Appends as few no-ops as possible.
pub(crate) fn pad(code: &mut Vec<u8>, mut len: usize) {
    while len > 0 {
        let no_op = NO_OPS[len.min(NO_OPS.len()) - 1];
        code.extend_from_slice(no_op);
        len -= no_op.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(code: &[u8], blocks: &[u32], gone: &[Range<usize>], cold: usize) -> Option<Compacted> {
        compact(code, blocks, Changes { gone, rewritten: &[], prefixes: &[], cold }, |_| true)
    }

    /// test; je over; jump by a table; table; nop; jmp back; constant
    fn example() -> Vec<u8> {
        let mut code = Vec::new();
        code.extend([0x4d, 0x85, 0xe4]); // 0: test r12, r12
        code.extend([0x0f, 0x84, 32, 0, 0, 0]); // 3: je 41
        code.extend([0x48, 0x8d, 0x05, 9, 0, 0, 0]); // 9: lea rax, [rip + 9]: 25
        code.extend([0x48, 0x63, 0x0c, 0x88]); // 16: movsxd rcx, [rax + 4 * rcx]
        code.extend([0x48, 0x01, 0xc8]); // 20: add rax, rcx
        code.extend([0xff, 0xe0]); // 23: jmp rax
        code.extend(8_i32.to_le_bytes()); // 25: the table: 33
        code.extend((-25_i32).to_le_bytes()); // 29: 0
        code.extend([0x4c, 0x8b, 0x05, 9, 0, 0, 0]); // 33: mov r8, [rip + 9]: 49
        code.push(0x90); // 40
        code.push(0x90); // 41
        code.extend([0xe9, 0xd1, 0xff, 0xff, 0xff]); // 42: jmp 0
        code.extend([0, 0]); // 47
        code.extend(0x1122_3344_5566_7788_u64.to_le_bytes()); // 49
        code
    }

    #[test]
    fn jumps_tables_and_constants_follow_what_they_lead_to() {
        let compacted = changed(&example(), &[0, 9, 33, 41], &[0..3, 3..9], usize::MAX).unwrap();
        let code = &compacted.code;
        // The head of the loop is at 0 already.
        assert_eq!(code[..2], [0x48, 0x8d]);
        let distance = |at: usize| i32::from_le_bytes(code[at..at + 4].try_into().unwrap()) as usize;
        let [table, load, back] = [25, 33, 42].map(|former| compacted.offset(former).unwrap() as usize);
        assert_eq!(7 + distance(3), table);
        assert_eq!(code[7..10], [0xff, 0x24, 0xc8], "jmp [rax + 8 * rcx]");
        let addresses: Vec<_> = compacted.addresses.iter().map(|one| (one.at as usize, one.target as usize)).collect();
        assert_eq!(addresses, [(table, load), (table + 8, 0)]);
        assert!(table > back && table.is_multiple_of(8), "behind the code");
        let constant = load + 7 + distance(load + 3);
        assert_eq!(code[constant..constant + 8], 0x1122_3344_5566_7788_u64.to_le_bytes());
        assert_eq!(constant % CONSTANT_ALIGNMENT, 49 % CONSTANT_ALIGNMENT);
        assert_eq!(code[back..back + 2], [0xeb, -(back as i8 + 2) as u8]);
    }

    #[test]
    fn tables_are_those_that_cranelift_writes() {
        let mut code = example();
        code[20..23].copy_from_slice(&[0x48, 0x29, 0xc8]); // sub rax, rcx
        assert!(changed(&code, &[0, 9, 33, 41], &[], usize::MAX).is_none());
    }

    #[test]
    fn the_way_past_a_switch_lies_behind_it() {
        let mut code = Vec::new();
        code.extend([0x48, 0x39, 0xd8]); // 0: cmp rax, rbx
        code.extend([0x0f, 0x83, 8, 0, 0, 0]); // 3: jae 17
        code.extend([0x48, 0x89, 0xc1]); // 9: mov rcx, rax
        code.extend([0xe9, 20, 0, 0, 0]); // 12: jmp 37
        code.extend([0x48, 0x8d, 0x0d, 9, 0, 0, 0]); // 17: lea rcx, [rip + 9]: 33
        code.extend([0x48, 0x63, 0x04, 0x81]); // 24: movsxd rax, [rcx + 4 * rax]
        code.extend([0x48, 0x01, 0xc1]); // 28: add rcx, rax
        code.extend([0xff, 0xe1]); // 31: jmp rcx
        code.extend(4_i32.to_le_bytes()); // 33: the table: 37
        code.push(0xc3); // 37
        let compacted = changed(&code, &[0, 9, 17, 37], &[], usize::MAX).unwrap();
        assert_eq!([0, 17, 9, 37, 33].map(|at| compacted.offset(at)), [0, 5, 15, 20, 24].map(Some));
        assert_eq!(compacted.code[3..5], [0x72, 10], "jb to the way");
        assert_eq!(compacted.code[15..21], [0x48, 0x89, 0xc1, 0xeb, 0, 0xc3]);
        // Without a table it stays where it was.
        code.splice(31..37, [0xff, 0xe1, 0x90, 0x90, 0x90, 0x90]);
        code[17..28].fill(0x90);
        let compacted = changed(&code, &[0, 9, 17, 37], &[], usize::MAX).unwrap();
        assert_eq!([9, 17].map(|at| compacted.offset(at)), [5, 10].map(Some));
    }

    #[test]
    fn a_register_is_not_loaded_again_behind_what_is_gone() {
        let reload = [0x48, 0x8b, 0x44, 0x24, 8]; // mov rax, [rsp + 8]
        let test = [0x48, 0xf7, 0xc0, 0, 0, 0, 0x40]; // test rax, 1 << 30
        let jump = [0x0f, 0x85, 0, 0, 0, 0]; // jne behind it
        let code = |load: &[u8], again: &[u8]| [load, &test, &jump, again, &[0xc3]].concat();
        let compacted = |load: &[u8], again: &[u8]| {
            let [test, jump, behind] = [load.len(), load.len() + test.len(), load.len() + test.len() + jump.len()];
            changed(&code(load, again), &[0, behind as u32], &[test..jump, jump..behind], usize::MAX).unwrap().code
        };
        assert_eq!(compacted(&reload, &reload), [&reload[..], &[0xc3]].concat());
        let other = [0x48, 0x8b, 0x44, 0x24, 16];
        assert_eq!(compacted(&reload, &other), [&reload[..], &other, &[0xc3]].concat(), "from elsewhere");
        let elsewhere = [0x48, 0x8b, 0x43, 8]; // mov rax, [rbx + 8]
        let found = compacted(&elsewhere, &elsewhere);
        assert_eq!(found, [&elsewhere[..], &elsewhere, &[0xc3]].concat(), "what is no stack may change, or be refused");
    }

    #[test]
    fn copies_in_place_are_left_out() {
        let copy = [0x48, 0x83, 0xc0, 0x00]; // add rax, 0
        let move_on = [0x48, 0x89, 0xc3]; // mov rbx, rax
        let ret = [0xc3];
        let found = |code: &[&[u8]]| changed(&code.concat(), &[0], &[], usize::MAX).unwrap().code;
        assert_eq!(found(&[&copy, &move_on, &ret]), [&move_on[..], &ret].concat());
        let set = [0x0f, 0x92, 0xc3]; // setb bl
        assert_eq!(found(&[&copy, &set, &ret]), [&copy[..], &set, &ret].concat(), "the flags are wanted");
        assert_eq!(found(&[&copy, &move_on, &set, &ret]), [&copy[..], &move_on, &set, &ret].concat(), "later, too");
        let compare = [0x48, 0x39, 0xd8]; // cmp rax, rbx
        let set_anew = [&move_on[..], &compare, &set, &ret].concat();
        assert_eq!(found(&[&copy, &set_anew]), set_anew, "they are others then");
        let one = [0x48, 0x83, 0xc0, 0x01];
        assert_eq!(found(&[&one, &ret]), [&one[..], &ret].concat());
        let half = [0x83, 0xc0, 0x00]; // add eax, 0: clears the upper half
        assert_eq!(found(&[&half, &ret]), [&half[..], &ret].concat());
    }

    #[test]
    fn no_displacement_is_needed_where_the_base_can_be_another() {
        let ret = 0xc3;
        let found = |code: &[u8]| {
            let code = changed(&[code, &[ret]].concat(), &[0], &[], usize::MAX).unwrap().code;
            let mut decoder = Decoder::new(64, &code, DecoderOptions::NONE);
            let instruction = decoder.decode();
            assert_eq!(code[instruction.len()..], [ret]);
            (instruction.len(), instruction.memory_base(), instruction.memory_index(), instruction.op0_register())
        };
        use Register::{R8, R9, R12, R13, RAX, RBX, RCX, RSP, XMM1};
        assert_eq!(found(&[0x49, 0x8d, 0x7c, 0x05, 0x00]), (4, RAX, R13, Register::RDI), "lea rdi, [r13 + rax]");
        assert_eq!(found(&[0x4b, 0x8d, 0x7c, 0x25, 0x00]), (4, R12, R13, Register::RDI), "lea rdi, [r13 + r12]");
        assert_eq!(found(&[0x4f, 0x8b, 0x4c, 0x05, 0x00]), (4, R8, R13, R9), "mov r9, [r13 + r8]");
        assert_eq!(found(&[0x66, 0x41, 0x89, 0x44, 0x1d, 0x00]), (5, RBX, R13, Register::None), "mov [r13 + rbx], ax");
        assert_eq!(found(&[0x49, 0x0f, 0xb6, 0x4c, 0x1d, 0x00]), (5, RBX, R13, RCX), "movzx rcx, byte [r13 + rbx]");
        let others: [(&[u8], _); 5] = [
            (&[0x49, 0x8d, 0x7c, 0x45, 0x00], (5, R13, RAX, Register::RDI)), // lea rdi, [r13 + 2 * rax]
            (&[0x49, 0x8d, 0x7c, 0x05, 0x01], (5, R13, RAX, Register::RDI)), // lea rdi, [r13 + rax + 1]
            (&[0x4b, 0x8d, 0x7c, 0x2d, 0x00], (5, R13, R13, Register::RDI)), // lea rdi, [r13 + r13]
            (&[0x49, 0x8d, 0x7d, 0x00], (4, R13, Register::None, Register::RDI)), // lea rdi, [r13]
            (&[0xc4, 0xc1, 0x7a, 0x6f, 0x4c, 0x05, 0x00], (7, R13, RAX, XMM1)), // vmovdqu xmm1, [r13 + rax]
        ];
        others.into_iter().for_each(|(code, same)| assert_eq!(found(code), same));
        assert_eq!(found(&[0x48, 0x8d, 0x7c, 0x04, 0x00]), (5, RSP, RAX, Register::RDI), "lea rdi, [rsp + rax]");
    }

    #[test]
    fn constants_behind_an_empty_block_are_no_code() {
        let former = example();
        let end = former.len() - 10;
        // The first byte of the constant would be an instruction.
        let mut code = former.clone();
        code[end + 2..].copy_from_slice(&0xffff_ffff_ffff_ffc3_u64.to_le_bytes());
        let compacted = changed(&code, &[0, 9, 33, 41, end as u32, end as u32 + 2], &[0..3, 3..9], usize::MAX).unwrap();
        let constant = compacted.offset(end as u32 + 2).unwrap() as usize;
        assert_eq!(compacted.code[constant..constant + 8], code[end + 2..]);
    }

    #[test]
    fn endings_of_cold_code_are_shared() {
        // nop; nop; mov ecx, 1; mov eax, 2; jmp 0; mov ecx, 3; mov eax, 2; jmp 0; mov eax, 2; ret
        let two = [0xb8, 2, 0, 0, 0];
        let jump = |from: i32| [&[0xe9][..], &(-from - 5).to_le_bytes()].concat();
        let first = [&[0xb9, 1, 0, 0, 0][..], &two, &jump(12)].concat();
        let second = [&[0xb9, 3, 0, 0, 0][..], &two, &jump(27)].concat();
        let code = [&[0x90, 0x90][..], &first, &second, &two, &[0xc3]].concat();
        let compacted = changed(&code, &[0, 2, 17, 32], &[], 2).unwrap();
        let offset = |former| compacted.offset(former).unwrap() as usize;
        assert_eq!((offset(7), offset(22)), (7, 7), "the second jumps into the first");
        let tail = &compacted.code[offset(17)..];
        assert_eq!(tail[..7], [0xb9, 3, 0, 0, 0, 0xeb, 7_u8.wrapping_sub(offset(17) as u8 + 7)]);
        assert_eq!(tail[7..], [&two[..], &[0xc3]].concat(), "what ends otherwise is left alone");

        // The same twice with a return, of which the second begins with mov ecx, 1.
        let code = [&[0x90, 0x90][..], &two, &[0xc3], &first[..5], &two, &[0xc3]].concat();
        let compacted = changed(&code, &[0, 2, 8], &[], 2).unwrap();
        assert_eq!(compacted.code, [&[0x90, 0x90][..], &two, &[0xc3], &first[..5], &[0xeb, 0xf3]].concat());
        assert_eq!([8, 13, 18].map(|at| compacted.offset(at)), [Some(8), Some(2), Some(13)]);
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
        // A short jump, which Cranelift does not write; half an instruction; something to leave out that is none.
        assert!(changed(&[0xeb, 0xfe], &[0], &[], usize::MAX).is_none());
        assert!(changed(&[0x0f], &[0], &[], usize::MAX).is_none());
        assert!(changed(&[0x90, 0xc3], &[0], &[1..2, 5..6], usize::MAX).is_none());
    }

    #[test]
    fn far_jumps_stay_long_and_loops_are_aligned_if_that_saves_a_line() {
        for (len, start) in [(187, 64), (188, 10), (241, 10), (242, 64), (251, 64), (252, 10)] {
            let mut code = vec![0x90; 10 + len];
            code.extend([0xe9]);
            code.extend((-(len as i32) - 5).to_le_bytes()); // jmp 10
            let compacted = changed(&code, &[0, 10], &[], usize::MAX).unwrap();
            assert_eq!(compacted.offset(10), Some(start), "{len}");
            assert_eq!(compacted.code.len(), start as usize + len + 5);
        }
    }

    #[test]
    fn what_is_rewritten_may_take_more_room() {
        // mov rax, [rbx]; nop; je back to the nop
        let code = [0x48, 0x8b, 0x03, 0x90, 0x0f, 0x84, 0xf9, 0xff, 0xff, 0xff];
        // mov rax, [rcx]; mov rbx, [rsp + 8]
        let rewritten = Rewritten { at: 0..3, bytes: vec![0x48, 0x8b, 0x01, 0x48, 0x8b, 0x5c, 0x24, 0x08] };
        let prefix = Prefix { at: 0, bytes: &[0x65, 0x67] };
        let changes = Changes { gone: &[], rewritten: std::slice::from_ref(&rewritten), prefixes: &[prefix], cold: 0 };
        let compacted = compact(&code, &[0, 3], changes, |_| true).unwrap();
        assert_eq!(compacted.code[..2], [0x65, 0x67]);
        assert_eq!(compacted.code[2..10], rewritten.bytes);
        assert_eq!(compacted.code[10..], [0x90, 0x74, 0xfd]);
        assert_eq!([0, 3, 4].map(|at| compacted.offset(at)), [Some(0), Some(10), Some(11)]);
        let elsewhere = Rewritten { at: 1..3, bytes: vec![0x90] };
        let changes = Changes { rewritten: &[elsewhere], ..changes };
        assert!(compact(&code, &[0, 3], changes, |_| true).is_none(), "no instruction begins there");
    }
}
