//! Calls functions of a RISC-V program, which calls its host, which calls it back.

use pvm_runtime::{Config, Engine, Executable, Linker, Module, Options, Store};
use std::error::Error;

/// `apply(x)`: asks the host (call 5) what to make of x, and adds 1; and `square(x)`, which the host makes use of.
#[rustfmt::skip]
const PROGRAM: [u32; 9] = [
    0xff01_0113, // apply:  addi sp, sp, -16
    0x0011_2023, //         sw   ra, 0(sp)
    0x0050_0893, //         li   a7, 5
    0x0000_0073, //         ecall
    0x0001_2083, //         lw   ra, 0(sp)
    0x0101_0113, //         addi sp, sp, 16
    0x0015_0513, //         addi a0, a0, 1
    0x0000_8067, //         ret
    0x02a5_0533, // square: mul  a0, a0, a0
];
const BASE: u32 = 0x10000;
const APPLY: u32 = BASE;
const SQUARE: u32 = BASE + 32;

fn main() -> Result<(), Box<dyn Error>> {
    let mut bytes: Vec<u8> = PROGRAM.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend(0x0000_8067u32.to_le_bytes()); // ret
    let engine = Engine::new(&Config::default())?;
    let executable = Executable::flat(&bytes, BASE)?;
    let module = Module::from_executable(&engine, executable, Options::default())?;

    // The host's data: how often it was asked.
    let mut linker = Linker::<u32>::new();
    linker.func(5, |caller| {
        *caller.data_mut() += 1;
        let squared = caller.call(SQUARE, &[caller.argument(0)])?;
        caller.set_result(squared);
        Ok(())
    });

    let mut store = Store::new(&module, &linker, 0)?;
    for x in 0..5 {
        let result = store.call(APPLY, &[x])?;
        println!("apply({x}) = {result}");
        assert_eq!(result, x * x + 1);
    }
    assert_eq!(*store.data(), 5);
    Ok(())
}
