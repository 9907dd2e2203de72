//! Programs of any size, the same each time: many functions of mixed instructions, each of which one loop calls once.
//!
//! A function has straight code with loads, stores and arithmetic, interrupted by branches over a few instructions, as
//! code of compilers has. What it computes is kept in the argument registers, so that engines can be held to one result.

use crate::kernel::ENTRY;
use anyhow::Result;
use pvm_isa::{Instruction, Opcode, Operands, Profile};
use pvm_program::{Blob, PolkaVmFile, Section, natural};
use pvm_runtime::Program;
use reg::Reg;

/// Registers by their use in C.
mod reg {
    pub use pvm_ops::Reg;
    pub const RETURN_ADDRESS: Reg = Reg::R0;
    pub const STACK_POINTER: Reg = Reg::R1;
    pub const COUNTER: Reg = Reg::R5;
    pub const SAVED_RETURN: Reg = Reg::R6;
    pub const ARGUMENT: Reg = Reg::R7;
    /// Those that functions compute with.
    pub const FREE: [Reg; 9] = [Reg::R2, Reg::R3, Reg::R4, Reg::R7, Reg::R8, Reg::R9, Reg::R10, Reg::R11, Reg::R12];
}

/// Bytes of stack; all loads and stores are in its uppermost part.
const STACK_SIZE: u64 = 0x1_0000;
/// About how many bytes the call of a function takes.
const CALL_SIZE: usize = 8;

const THREE: [Opcode; 10] = [
    Opcode::Add64,
    Opcode::Sub64,
    Opcode::Xor,
    Opcode::And,
    Opcode::Or,
    Opcode::Mul64,
    Opcode::Add32,
    Opcode::Sub32,
    Opcode::ShloL64,
    Opcode::SetLtU,
];
const IMMEDIATE: [Opcode; 4] = [Opcode::AddImm64, Opcode::XorImm, Opcode::AddImm32, Opcode::ShloRImm64];
const LOADS: [Opcode; 2] = [Opcode::LoadIndU64, Opcode::LoadIndU8];
const STORES: [Opcode; 2] = [Opcode::StoreIndU64, Opcode::StoreIndU32];

/// A program that was made here.
pub struct Generated {
    /// The `.polkavm` container.
    pub file: Vec<u8>,
    /// Bytes of code.
    pub code_bytes: usize,
    /// Instructions.
    pub instructions: u64,
}

/// Makes a program with at least this much code, in bytes, and hardly more than a function more. Its `kernel(n)` calls
/// all functions n times.
///
/// # Errors
///
/// If the code gets too long for its jumps.
pub fn generate(size: usize) -> Result<Generated> {
    let mut writer = Writer::default();
    let mut functions = Vec::new();
    while writer.code.len() + CALL_SIZE * functions.len() < size {
        functions.push(writer.pc());
        writer.function()?;
    }
    let entry = writer.pc();
    let returns = writer.main(&functions)?;
    let blob = Blob {
        bitmask: writer.bitmask(),
        jump_count: returns.len() as u64,
        jump_size: 4,
        jump_bytes: returns.iter().flat_map(|pc| pc.to_le_bytes()).collect(),
        code: writer.code,
    };
    let (code_bytes, instructions) = (blob.code.len(), writer.starts.len() as u64);
    Ok(Generated { file: container(&blob, entry), code_bytes, instructions })
}

/// Reads what [`generate`] has made, and says where `kernel` begins.
///
/// # Errors
///
/// If it is something else.
pub fn parse(file: &[u8]) -> Result<(Program, u32)> {
    let program = Program::parse(file)?;
    let entry = program.exports.first().map_or(0, |export| export.pc);
    Ok((program, entry))
}

/// The container with this code: a stack, one export, no data.
fn container(blob: &Blob, entry: u32) -> Vec<u8> {
    let mut memory = Vec::new();
    [0, 0, STACK_SIZE].into_iter().for_each(|size| natural::encode(size, &mut memory));
    let mut exports = Vec::new();
    [1, u64::from(entry), ENTRY.len() as u64].into_iter().for_each(|number| natural::encode(number, &mut exports));
    exports.extend(ENTRY.as_bytes());
    let mut code = Vec::new();
    blob.encode(&mut code);
    let sections = [(1, memory), (5, exports), (6, code)].map(|(id, payload)| Section { id, payload });
    let mut file = Vec::new();
    PolkaVmFile::encode(0, &sections, &mut file);
    file
}

/// Code as it is written.
struct Writer {
    code: Vec<u8>,
    starts: Vec<u32>,
    random: fastrand::Rng,
}

impl Default for Writer {
    fn default() -> Writer {
        Writer { code: Vec::new(), starts: Vec::new(), random: fastrand::Rng::with_seed(1) }
    }
}

impl Writer {
    fn pc(&self) -> u32 {
        self.code.len() as u32
    }

    fn bitmask(&self) -> Vec<u8> {
        let mut mask = vec![0; self.code.len().div_ceil(8)];
        self.starts.iter().for_each(|pc| mask[*pc as usize / 8] |= 1 << (pc % 8));
        mask
    }

    fn emit(&mut self, opcode: Opcode, operands: Operands) -> Result<()> {
        self.starts.push(self.pc());
        Ok(Instruction { opcode, operands }.encode(Profile::V0_7, self.pc(), &mut self.code)?)
    }

    /// Calls every function once in a loop. Answers with what the jump table has to contain.
    fn main(&mut self, functions: &[u32]) -> Result<Vec<u32>> {
        let mut returns = Vec::new();
        self.emit(Opcode::MoveReg, Operands::RegReg { d: reg::SAVED_RETURN, a: reg::RETURN_ADDRESS })?;
        self.emit(Opcode::MoveReg, Operands::RegReg { d: reg::COUNTER, a: reg::ARGUMENT })?;
        // Engines may differ in what registers hold at first.
        for (x, a) in (1..).zip(reg::FREE) {
            self.emit(Opcode::LoadImm, Operands::RegImm { a, x })?;
        }
        self.emit(Opcode::Fallthrough, Operands::None)?;
        let head = i64::from(self.pc());
        for &function in functions {
            // Entry k of the table is reached by the address 2 (k + 1).
            let x = 2 * (returns.len() as i32 + 1);
            let target = i64::from(function);
            self.emit(Opcode::LoadImmJump, Operands::RegImmOffset { a: reg::RETURN_ADDRESS, x, target })?;
            returns.push(self.pc());
        }
        self.emit(Opcode::AddImm64, Operands::RegRegImm { a: reg::COUNTER, b: reg::COUNTER, x: -1 })?;
        self.emit(Opcode::BranchNeImm, Operands::RegImmOffset { a: reg::COUNTER, x: 0, target: head })?;
        self.emit(Opcode::JumpInd, Operands::RegImm { a: reg::SAVED_RETURN, x: 0 })?;
        Ok(returns)
    }

    /// A function: pieces of straight code with a branch over a few instructions after each.
    fn function(&mut self) -> Result<()> {
        for _ in 0..self.random.u32(4..16) {
            for _ in 0..self.random.u32(2..9) {
                self.simple()?;
            }
            self.skipped()?;
        }
        self.emit(Opcode::JumpInd, Operands::RegImm { a: reg::RETURN_ADDRESS, x: 0 })
    }

    /// A branch over up to four instructions.
    fn skipped(&mut self) -> Result<()> {
        /// Opcode, registers, and an offset of one byte.
        const BRANCH_SIZE: u32 = 3;
        let branch = self.pc();
        let [a, b] = [self.register(), self.register()];
        self.code.extend([0; BRANCH_SIZE as usize]);
        self.starts.push(branch);
        for _ in 0..self.random.u32(1..5) {
            self.simple()?;
        }
        // Where a branch leads, a block begins.
        self.emit(Opcode::Fallthrough, Operands::None)?;
        let (opcode, target) = (Opcode::BranchLtU, i64::from(self.pc()));
        let mut encoded = Vec::new();
        let operands = Operands::RegRegOffset { a, b, target };
        Instruction { opcode, operands }.encode(Profile::V0_7, branch, &mut encoded)?;
        self.code[branch as usize..][..BRANCH_SIZE as usize].copy_from_slice(&encoded);
        Ok(())
    }

    /// An instruction that does not end a block.
    fn simple(&mut self) -> Result<()> {
        let [d, a, b] = [self.register(), self.register(), self.register()];
        let x = self.random.i32(-2000..2000);
        // The lowest that is used is well within the stack.
        let place = -8 * self.random.i32(1..500);
        match self.random.u32(0..10) {
            0..5 => {
                let opcode = self.random.choice(THREE).expect("there are some");
                self.emit(opcode, Operands::RegRegReg { d, a, b })
            }
            5..7 => {
                let opcode = self.random.choice(IMMEDIATE).expect("there are some");
                self.emit(opcode, Operands::RegRegImm { a, b, x })
            }
            7..9 => {
                let opcode = self.random.choice(LOADS).expect("there are some");
                self.emit(opcode, Operands::RegRegImm { a, b: reg::STACK_POINTER, x: place })
            }
            _ => {
                let opcode = self.random.choice(STORES).expect("there are some");
                self.emit(opcode, Operands::RegRegImm { a, b: reg::STACK_POINTER, x: place })
            }
        }
    }

    fn register(&mut self) -> Reg {
        self.random.choice(reg::FREE).expect("there are some")
    }
}

#[cfg(test)]
mod tests {
    use super::{generate, parse};
    use pvm_runtime::{Config, Engine, Exit, Instance, Jit, Module, Options};

    #[test]
    fn programs_run_to_their_end_and_have_the_size_asked_for() {
        let generated = generate(10_000).unwrap();
        assert!((10_000..11_000).contains(&generated.code_bytes), "{}", generated.code_bytes);
        assert_eq!(generated.file, generate(10_000).unwrap().file);
        let (program, entry) = parse(&generated.file).unwrap();
        let results = [Jit::Off, Jit::Cranelift].map(|jit| {
            let engine = Engine::new(&Config { jit, jit_threshold: 0, ..Config::default() }).unwrap();
            let module = Module::from_program(&engine, program.clone(), Options::default());
            let mut instance = Instance::new(&module, &[]).unwrap();
            instance.set_gas(1 << 40);
            instance.set_pc(entry);
            instance.registers_mut()[7] = 2;
            assert_eq!(instance.run(), Exit::Halt);
            (instance.gas(), *instance.registers())
        });
        assert_eq!(results[0], results[1]);
    }
}
