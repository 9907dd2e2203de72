//! Every example halts when it is run without arguments, with the result that its first lines promise, on every tier.

use pvm_runtime::{Config, Engine, Exit, Instance, Jit, Module, Options};
use std::path::Path;

/// The result that a source promises: `without argument: HEX (remark)`.
fn promised(source: &str) -> String {
    let (_, rest) = source.split_once("without argument: ").expect("the source says what comes out");
    rest.lines().next().unwrap_or_default().split('(').next().unwrap_or_default().replace(' ', "")
}

/// Runs a program, and serves its host calls as a machine does that knows only `gas`: all others answer WHAT.
fn run(module: &Module) -> String {
    let mut instance = Instance::new(module, &[]).unwrap();
    instance.set_gas(1_000_000_000);
    loop {
        match instance.run() {
            Exit::HostCall { id } => {
                let gas = instance.gas() - 10;
                instance.set_gas(gas);
                instance.registers_mut()[7] = if id == 0 { gas } else { u64::MAX - 1 };
            }
            Exit::Halt => return instance.output().iter().map(|byte| format!("{byte:02x}")).collect(),
            exit => panic!("{exit:?} at {}", instance.pc()),
        }
    }
}

#[test]
fn examples_give_what_they_promise() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let engines = [
        Config { jit: Jit::Off, ..Config::default() },
        Config::default(),
        Config { jit_threshold: 0, ..Config::default() },
        Config { jit_threshold: 0, region_limit: 3, ..Config::default() },
    ]
    .map(|config| Engine::new(&config).unwrap());
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "jam") {
            continue;
        }
        count += 1;
        let expected = promised(&std::fs::read_to_string(path.with_extension("s")).unwrap());
        assert!(!expected.is_empty(), "{}", path.display());
        let bytes = std::fs::read(&path).unwrap();
        for engine in &engines {
            let module = Module::new(engine, &bytes, Options::default()).unwrap();
            assert_eq!(run(&module), expected, "{} with {:?}", path.display(), engine.config());
        }
    }
    assert!(count >= 7, "{count} examples");
}
