//! Memory that is filled when the guest touches it: a file of 64 MiB of which the guest reads four places.

use pvm_runtime::{Access, Config, Engine, Exit, Instance, Module, Options};
use std::error::Error;

const START: u32 = 0x1000_0000;
const PAGE: u32 = 4096;

/// Sums up a byte at the start, one at the end, and two between.
const PROGRAM: &str = "
        .format raw
        load_u8 r7, [0x10000000]
        load_u8 r8, [0x11234567]
        add_64 r7, r7, r8
        load_u8 r8, [0x12345678]
        add_64 r7, r7, r8
        load_u8 r8, [0x13ffffff]
        add_64 r7, r7, r8
        trap
";

/// What the file holds: a byte that depends on its place.
fn byte(offset: u32) -> u8 {
    (offset / 1000 % 251) as u8
}

fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::new(&Config::default())?;
    let module = Module::new(&engine, &pvm_asm::assemble(PROGRAM)?, Options::default())?;
    let mut instance = Instance::new(&module, &[])?;
    instance.set_gas(1000);
    let mut pages = 0;
    // The program ends with a trap, having no host to ask. Each fault names a page; the run tries the access again.
    while let Exit::PageFault { address } = instance.run() {
        let page: Vec<u8> = (address - START..address - START + PAGE).map(byte).collect();
        instance.memory_mut().map(address, PAGE.into(), Access::Read)?;
        instance.memory_mut().initialise(address, &page)?;
        pages += 1;
    }
    let expected: u64 = [0, 0x0123_4567, 0x0234_5678, 0x03ff_ffff].into_iter().map(|at| u64::from(byte(at))).sum();
    println!("sum {} from {pages} pages of {}", instance.registers()[7], (64 << 20) / PAGE);
    assert_eq!((instance.registers()[7], pages), (expected, 4));
    Ok(())
}
