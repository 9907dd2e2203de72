//! What x86-64 instructions read and write: registers, and slots of the stack.

use iced_x86::{
    Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, Register, UsedMemory,
};

/// Registers and stack slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    /// A bit for each general register, and above them for each vector register.
    registers: u64,
    /// Slots of eight bytes, by their distance from the stack pointer. They are few.
    slots: Vec<i64>,
}

/// How many instructions a landing may have, its jump to the common code for leaving included.
const MOST: usize = 1000;

impl Effects {
    /// A register and the slot of the stack at a distance from the stack pointer.
    pub(crate) fn of(register: Register, distance: u64) -> Effects {
        Effects { registers: bit(register), slots: vec![(distance as i64).div_euclid(8)] }
    }

    /// These and what `instruction` writes; `None` if it does more than compute: jump, or write to memory that is no
    /// stack slot.
    pub(crate) fn and_writes(
        mut self,
        instruction: &Instruction,
        factory: &mut InstructionInfoFactory,
    ) -> Option<Effects> {
        let is_plain = instruction.flow_control() == iced_x86::FlowControl::Next && !instruction.is_stack_instruction();
        let info = factory.info(instruction);
        for used in info.used_registers().iter().filter(|used| writes(used.access())) {
            self.registers |= bit(used.register());
        }
        for used in info.used_memory().iter().filter(|used| writes(used.access())) {
            self.slots.extend(slots(used)?);
        }
        is_plain.then_some(self)
    }

    /// Whether the two have a register or slot in common.
    pub(crate) fn overlap(&self, other: &Effects) -> bool {
        self.registers & other.registers != 0 || self.slots_overlap(other)
    }

    fn slots_overlap(&self, other: &Effects) -> bool {
        self.slots.iter().any(|slot| other.slots.contains(slot))
    }

    /// The general registers that the two have in common; `None` if they have slots or vector registers in common.
    pub(crate) fn common_registers(&self, other: &Effects) -> Option<Vec<Register>> {
        let common = self.registers & other.registers;
        let is_common = |register: &Register| register.is_gpr64() && common & bit(*register) != 0;
        let are_general = common < 1 << 16;
        (are_general && !self.slots_overlap(other)).then(|| Register::values().filter(is_common).collect())
    }
}

/// What is read by the code from `start` to the end of the function before it is written there, whichever way it goes. `None` if it
/// may go round and round, or somewhere unknown.
pub(crate) fn read_by(code: &[u8], start: u32, factory: &mut InstructionInfoFactory) -> Option<Effects> {
    let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
    let mut read = Effects::default();
    // Where ways begin, and what has been written in front of them.
    let mut ways = vec![(u64::from(start), Effects::default())];
    let mut left = MOST;
    while let Some((mut at, mut written)) = ways.pop() {
        loop {
            left = left.checked_sub(1)?;
            decoder.set_position(usize::try_from(at).ok()?).ok()?;
            decoder.set_ip(at);
            let instruction = decoder.decode();
            at = instruction.next_ip();
            match instruction.mnemonic() {
                // The caller reads the result.
                Mnemonic::Ret => {
                    read.registers |= bit(Register::RAX) & !written.registers;
                    break;
                }
                _ if instruction.is_jmp_short_or_near() => {
                    at = instruction.near_branch_target();
                    continue;
                }
                _ if instruction.is_jcc_short_or_near() => {
                    ways.push((instruction.near_branch_target(), written.clone()));
                    continue;
                }
                _ if instruction.flow_control() != iced_x86::FlowControl::Next => return None,
                _ => {}
            }
            let info = factory.info(&instruction);
            for used in info.used_registers().iter().filter(|used| reads(used.access())) {
                read.registers |= bit(used.register()) & !written.registers;
            }
            for used in info.used_memory().iter().filter(|used| reads(used.access())) {
                let new = slots(used).unwrap_or_default();
                read.slots.extend(new.into_iter().filter(|slot| !written.slots.contains(slot)));
            }
            for used in info.used_registers().iter().filter(|used| used.access() == OpAccess::Write) {
                // A part that is written leaves the rest to be read, but for halves, which clear it.
                if used.register().size() >= 4 {
                    written.registers |= bit(used.register());
                }
            }
            for used in info.used_memory().iter().filter(|used| used.access() == OpAccess::Write) {
                written.slots.extend(slots(used).unwrap_or_default());
            }
        }
    }
    Some(read)
}

fn reads(access: OpAccess) -> bool {
    use OpAccess::*;
    matches!(access, Read | CondRead | ReadWrite | ReadCondWrite)
}

fn writes(access: OpAccess) -> bool {
    use OpAccess::*;
    matches!(access, Write | CondWrite | ReadWrite | ReadCondWrite)
}

/// The bit of the register that this one is part of; none for the stack pointer, which does not change.
fn bit(register: Register) -> u64 {
    let full = register.full_register();
    match full {
        Register::RSP => 0,
        _ if full.is_gpr64() => 1 << full.number(),
        _ if full.is_zmm() => 1 << (16 + full.number()),
        _ => 0,
    }
}

/// The stack slots of an access, if it is one to the stack.
fn slots(used: &UsedMemory) -> Option<Vec<i64>> {
    if used.base() != Register::RSP || used.index() != Register::None {
        return None;
    }
    let start = used.displacement() as i64;
    let end = start + used.memory_size().size() as i64;
    Some((start.div_euclid(8)..(end + 7).div_euclid(8)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writes_of(code: &[u8]) -> Option<Effects> {
        let instruction = Decoder::with_ip(64, code, 0, DecoderOptions::NONE).decode();
        Effects::default().and_writes(&instruction, &mut InstructionInfoFactory::new())
    }

    #[test]
    fn what_instructions_write() {
        let registers = |code: &[u8]| writes_of(code).map(|effects| effects.registers);
        assert_eq!(registers(&[0x44, 0x89, 0xd0]), Some(1), "mov eax, r10d");
        assert_eq!(registers(&[0x4d, 0x89, 0xe7]), Some(1 << 15), "mov r15, r12");
        let spill = writes_of(&[0x48, 0x89, 0x44, 0x24, 0x10]).unwrap();
        assert_eq!((spill.registers, spill.slots), (0, vec![2]), "mov [rsp + 16], rax");
        assert_eq!(registers(&[0x48, 0x89, 0x07]), None, "mov [rdi], rax");
        assert_eq!(registers(&[0xc3]), None, "ret");
        assert_eq!(registers(&[0x50]), None, "push rax");
    }

    #[test]
    fn what_code_reads() {
        // mov ecx, 2; jmp +1; int3; mov [rdi], rcx; mov rbx, [rsp + 8]; ret
        let code = [0xb9, 2, 0, 0, 0, 0xe9, 1, 0, 0, 0, 0xcc, 0x48, 0x89, 0x0f, 0x48, 0x8b, 0x5c, 0x24, 8, 0xc3];
        let mut factory = InstructionInfoFactory::new();
        let read = read_by(&code, 0, &mut factory).unwrap();
        // rdi, and rax for the caller; rcx is written before it is read.
        assert_eq!((read.registers, read.slots), (1 << 7 | 1, vec![1]));
        assert_eq!(read_by(&code, 10, &mut factory), None, "it does not end in the caller");
    }

    #[test]
    fn what_either_way_reads() {
        let mut factory = InstructionInfoFactory::new();
        // je +3; mov [rdi], rcx; mov [rdi], rdx; ret
        let fork = [0x74, 3, 0x48, 0x89, 0x0f, 0x48, 0x89, 0x17, 0xc3];
        assert_eq!(read_by(&fork, 0, &mut factory).unwrap().registers, 1 << 7 | 1 << 2 | 1 << 1 | 1);
        // mov ecx, 2 before that
        let written = [&[0xb9, 2, 0, 0, 0][..], &fork].concat();
        assert_eq!(read_by(&written, 0, &mut factory).unwrap().registers, 1 << 7 | 1 << 2 | 1);
        // je -2; ret
        assert_eq!(read_by(&[0x74, 0xfe, 0xc3], 0, &mut factory), None, "it may go round and round");
        // jmp rax
        assert_eq!(read_by(&[0xff, 0xe0], 0, &mut factory), None, "it goes somewhere");
    }

    #[test]
    fn vector_registers_are_registers() {
        let registers = |code: &[u8]| writes_of(code).map(|effects| effects.registers);
        assert_eq!(registers(&[0x66, 0x0f, 0x6f, 0xfa]), Some(1 << 23), "movdqa xmm7, xmm2");
        assert_eq!(registers(&[0xc5, 0x79, 0x7e, 0xc0]), Some(1), "vmovd eax, xmm8");
        // movdqa xmm1, xmm7; movd [rdi], xmm1; ret
        let code = [0x66, 0x0f, 0x6f, 0xcf, 0x66, 0x0f, 0x7e, 0x0f, 0xc3];
        let read = read_by(&code, 0, &mut InstructionInfoFactory::new()).unwrap();
        assert_eq!(read.registers, 1 << 23 | 1 << 7 | 1);
        let written = writes_of(&[0x66, 0x0f, 0x6f, 0xfa]).unwrap();
        assert!(written.overlap(&read));
        assert_eq!(written.common_registers(&read), None, "these are not saved");
    }
}
