//! What x86-64 instructions read and write: registers, and slots of the stack.

use iced_x86::{
    Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, Register, UsedMemory,
};

/// Registers and stack slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    /// A bit for each general register.
    registers: u32,
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

    /// The registers that the two have in common; `None` if they have slots in common.
    pub(crate) fn common_registers(&self, other: &Effects) -> Option<Vec<Register>> {
        let common = self.registers & other.registers;
        let is_common = |register: &Register| register.is_gpr64() && common & bit(*register) != 0;
        (!self.slots_overlap(other)).then(|| Register::values().filter(is_common).collect())
    }
}

/// What is read by the code from `start` to the end of the function before it is written there. `None` if the code does
/// not go straight there.
pub(crate) fn read_by(code: &[u8], start: u32, factory: &mut InstructionInfoFactory) -> Option<Effects> {
    let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
    let (mut read, mut written) = (Effects::default(), Effects::default());
    let mut at = u64::from(start);
    for _ in 0..MOST {
        decoder.set_position(usize::try_from(at).ok()?).ok()?;
        decoder.set_ip(at);
        let instruction = decoder.decode();
        match instruction.mnemonic() {
            // The caller reads the result.
            Mnemonic::Ret => {
                read.registers |= bit(Register::RAX) & !written.registers;
                return Some(read);
            }
            Mnemonic::Jmp => {
                at = instruction.near_branch_target();
                continue;
            }
            _ if instruction.flow_control() != iced_x86::FlowControl::Next => return None,
            _ => at = instruction.next_ip(),
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
    None
}

fn reads(access: OpAccess) -> bool {
    use OpAccess::*;
    matches!(access, Read | CondRead | ReadWrite | ReadCondWrite)
}

fn writes(access: OpAccess) -> bool {
    use OpAccess::*;
    matches!(access, Write | CondWrite | ReadWrite | ReadCondWrite)
}

/// The bit of the register that this one is part of; none for vector registers, which guests do not use, and the stack
/// pointer, which does not change.
fn bit(register: Register) -> u32 {
    let full = register.full_register();
    if full.is_gpr64() && full != Register::RSP { 1 << full.number() } else { 0 }
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
}
