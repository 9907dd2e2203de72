//! Registers that are changed between the branch to a landing and the access, although the landing wants them as they were.
//!
//! Mostly the register allocator loads something there, from the stack and to a register of which only exits need what it had. The
//! register is saved before, and restored on the way to the landing.
//!
//! ```text
//! mov [rsp - 8], rcx              in place of the branch
//! mov rcx, [rsp + 24]
//! mov [rbx + 16], rcx             the access; if it is refused:
//!
//! mov rcx, [rsp - 8]; jmp landing
//! ```
//!
//! Below the stack pointer there are 128 bytes which signal handlers leave alone (System V ABI for AMD64, 3.2.2, "red zone"), and
//! nothing is called between branch and landing.

use iced_x86::{Code, Encoder, Instruction, MemoryOperand, Register};

/// Registers to be restored when an access is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Saved {
    /// Where the access is.
    pub access: u32,
    pub registers: Vec<Register>,
}

/// Code that saves registers; `None` if that fails.
pub(crate) fn save(registers: &[Register]) -> Option<Vec<u8>> {
    encode(places(registers).map(|(register, place)| Instruction::with2(Code::Mov_rm64_r64, place, register).ok()))
}

impl Saved {
    /// Code that restores the registers and then jumps, if it is at this offset, to another one; `None` if that fails.
    pub(crate) fn restore(&self, at: usize, landing: u32) -> Option<Vec<u8>> {
        let loads = places(&self.registers)
            .map(|(register, place)| Instruction::with2(Code::Mov_r64_rm64, register, place).ok());
        let mut code = encode(loads)?;
        let next = at + code.len() + 5;
        code.push(0xe9);
        code.extend(i32::try_from(i64::from(landing) - next as i64).ok()?.to_le_bytes());
        Some(code)
    }
}

/// Where registers are saved.
fn places(registers: &[Register]) -> impl Iterator<Item = (Register, MemoryOperand)> {
    let place = |at: i64| MemoryOperand::with_base_displ(Register::RSP, -8 * at);
    (1..).zip(registers).map(move |(at, &register)| (register, place(at)))
}

fn encode(instructions: impl Iterator<Item = Option<Instruction>>) -> Option<Vec<u8>> {
    let mut encoder = Encoder::new(64);
    for instruction in instructions {
        encoder.encode(&instruction?, 0).ok()?;
    }
    Some(encoder.take_buffer())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_saved_below_the_stack_pointer_and_restored_from_there() {
        let registers = vec![Register::RCX, Register::R12];
        // mov [rsp - 8], rcx; mov [rsp - 16], r12
        assert_eq!(save(&registers).unwrap(), [0x48, 0x89, 0x4c, 0x24, 0xf8, 0x4c, 0x89, 0x64, 0x24, 0xf0]);
        // mov rcx, [rsp - 8]; mov r12, [rsp - 16]; jmp 7
        let code = [0x48, 0x8b, 0x4c, 0x24, 0xf8, 0x4c, 0x8b, 0x64, 0x24, 0xf0, 0xe9, 0x94, 0xff, 0xff, 0xff];
        assert_eq!(Saved { access: 0, registers }.restore(100, 7).unwrap(), code);
    }
}
