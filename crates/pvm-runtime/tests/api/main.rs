//! Tests of the embedding API, each on the engines that a host can choose from.

mod answered;
mod asynchronous;
mod calls;
mod interruption;
mod lifetimes;
mod limits;
mod linker;
mod memory;
mod resumed;
mod snapshots;
mod steps;
mod threads;

use pvm_runtime::{Config, Engine, Executable, Jit, Module, Options, Program};

/// The engines: interpreter only, and with machine code from the first instruction on.
fn engines() -> Vec<Engine> {
    let interpreted = Config { jit: Jit::Off, ..Config::default() };
    let at_once = Config { jit_threshold: 0, ..Config::default() };
    [interpreted, at_once, Config::default()].iter().map(|config| Engine::new(config).unwrap()).collect()
}

/// A PVM program in assembly, without a container but for its code.
fn raw(engine: &Engine, text: &str) -> Module {
    Module::from_program(engine, raw_program(text), Options::default())
}

fn raw_program(text: &str) -> Program {
    Program::parse(&pvm_asm::assemble(&format!(".format raw\n{text}")).unwrap()).unwrap()
}

/// A standard program in assembly.
fn standard(engine: &Engine, text: &str) -> Module {
    Module::new(engine, &pvm_asm::assemble(&format!(".format spi\n{text}")).unwrap(), Options::default()).unwrap()
}

/// Where RISC-V programs begin here.
const BASE: u32 = 0x10000;

/// A RISC-V program of these instructions.
fn riscv(engine: &Engine, words: &[u32], options: Options) -> Module {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    Module::from_executable(engine, Executable::flat(&bytes, BASE).unwrap(), options).unwrap()
}

/// Instructions of RISC-V.
mod rv {
    pub const RA: u32 = 1;
    pub const SP: u32 = 2;
    pub const A0: u32 = 10;
    pub const A1: u32 = 11;
    pub const A7: u32 = 17;
    pub const ECALL: u32 = 0x73;
    /// `jalr x0, 0(ra)`.
    pub const RET: u32 = 0x8067;

    pub const fn addi(rd: u32, rs1: u32, imm: i32) -> u32 {
        (imm as u32) << 20 | rs1 << 15 | rd << 7 | 0x13
    }

    pub const fn add(rd: u32, rs1: u32, rs2: u32) -> u32 {
        rs2 << 20 | rs1 << 15 | rd << 7 | 0x33
    }

    pub const fn lw(rd: u32, rs1: u32, imm: i32) -> u32 {
        (imm as u32) << 20 | rs1 << 15 | 2 << 12 | rd << 7 | 0x03
    }

    pub const fn sw(rs2: u32, rs1: u32, imm: i32) -> u32 {
        let imm = imm as u32 & 0xfff;
        imm >> 5 << 25 | rs2 << 20 | rs1 << 15 | 2 << 12 | (imm & 31) << 7 | 0x23
    }
}
