//! Prepares a guest once, and forks it for each request; and moves it to another engine as bytes.

use pvm_runtime::{Config, Engine, Exit, Instance, Jit, Module, Options, Snapshot};
use std::error::Error;

/// Fills a table of squares, tells the host that it is ready, and looks up what it is asked for.
const PROGRAM: &str = "
        .format spi
        .rwdata
table:  .zero 8000
        .text
        load_imm r9, 0
        load_imm r8, table
        fallthrough
fill:   mul_64 r10, r9, r9
        store_ind_u64 r10, [r8]
        add_imm_64 r8, r8, 8
        add_imm_64 r9, r9, 1
        branch_lt_u_imm r9, 1000, fill
        ecalli 1
        shlo_l_imm_64 r7, r7, 3
        load_ind_u64 r7, [r7 + table]
        ecalli 2
";

fn answer(guest: &mut Instance, request: u64) -> u64 {
    guest.registers_mut()[7] = request;
    assert_eq!(guest.run(), Exit::HostCall { id: 2 });
    guest.registers()[7]
}

fn main() -> Result<(), Box<dyn Error>> {
    let bytes = pvm_asm::assemble(PROGRAM)?;
    let module = Module::new(&Engine::new(&Config::default())?, &bytes, Options::default())?;
    let mut guest = Instance::new(&module, &[])?;
    guest.set_gas(100_000);
    assert_eq!(guest.run(), Exit::HostCall { id: 1 });
    let ready = guest.snapshot();
    for request in [3, 30, 300] {
        let mut fork = Instance::from_snapshot(&module, &ready)?;
        println!("{request} squared is {}", answer(&mut fork, request));
        assert_eq!(answer(&mut Instance::from_snapshot(&module, &ready)?, request), request * request);
    }

    // Elsewhere: no compiler, and nothing but the program and these bytes.
    let saved = ready.to_bytes();
    let engine = Engine::new(&Config { jit: Jit::Off, ..Config::default() })?;
    let module = Module::new(&engine, &bytes, Options::default())?;
    let mut moved = Instance::from_snapshot(&module, &Snapshot::from_bytes(&saved)?)?;
    assert_eq!(answer(&mut moved, 999), 998_001);
    println!("{} bytes moved", saved.len());
    Ok(())
}
