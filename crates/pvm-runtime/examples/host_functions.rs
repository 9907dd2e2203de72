//! Host functions: with the host's data, the guest's memory, gas, and failures.

use pvm_runtime::{Config, Engine, Exit, Linker, Module, Options, Store};
use std::collections::BTreeMap;
use std::error::Error;

/// What the host keeps for a guest.
#[derive(Default)]
struct Shelf {
    entries: BTreeMap<Vec<u8>, u64>,
}

/// Puts 40 under "answer", adds 2 to it, and halts with the sum in r7.
const PROGRAM: &str = "
        .format spi
        .rodata
key:    .ascii \"answer\"
        .text
        load_imm r7, key
        load_imm r8, 6
        load_imm r9, 40
        ecalli 1
        load_imm r7, key
        ecalli 2
        add_imm_64 r7, r7, 2
        jump_ind r0, 0
";

fn linker() -> Linker<Shelf> {
    let mut linker = Linker::new();
    // put(key, key length, value)
    linker.func(1, |caller: &mut pvm_runtime::Caller<'_, Shelf>| {
        caller.charge(10)?;
        let key = caller.read_vec(caller.argument(0), caller.argument(1))?;
        let value = caller.argument(2);
        caller.data_mut().entries.insert(key, value);
        Ok(())
    });
    // get(key, key length) -> value; a key that is not there is a failure of the host here.
    linker.func(2, |caller| {
        caller.charge(10)?;
        let key = caller.read_vec(caller.argument(0), caller.argument(1))?;
        let value = caller.data().entries.get(&key).copied();
        caller.set_result(value.ok_or_else(|| std::io::Error::other("no such key"))?);
        Ok(())
    });
    linker
}

fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::new(&Config::default())?;
    let module = Module::new(&engine, &pvm_asm::assemble(PROGRAM)?, Options::default())?;
    let mut store = Store::new(&module, &linker(), Shelf::default())?;
    store.instance_mut().set_gas(100);
    assert_eq!(store.run()?, Exit::Halt);
    println!("result {}, gas left {}", store.instance().registers()[7], store.instance().gas());
    assert_eq!((store.instance().registers()[7], store.instance().gas()), (42, 72));

    // With too little gas the second call is not answered; with more the run goes on.
    store.instance_mut().reset(&[])?;
    store.instance_mut().set_gas(15);
    assert_eq!(store.run()?, Exit::OutOfGas);
    println!("stopped at {} without gas", store.instance().pc());
    Ok(())
}
