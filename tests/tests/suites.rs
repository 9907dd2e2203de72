//! The conformance suites on every tier.
//!
//! The edge cases in `conformance/edge` always run. The published vectors, gas vectors and traces run where they are
//! found: in the folder that `PVM_VECTORS` names, or in `../shared/vectors` beside the checkout. `PVM_FULL=1` runs every
//! combination of settings instead of a selection.

use pvm_conformance::trace::Trace;
use pvm_conformance::vector::VectorFile;
use pvm_conformance::{Case, Suite, looks_like_vector};
use pvm_fuzzing::first_difference;
use pvm_gas::GasModel;
use pvm_isa::Profile;
use pvm_program::Blob;
use pvm_runtime::{Config, Engine, FaultDetection, Jit, OptLevel, Options};
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn shared() -> Option<PathBuf> {
    let path = std::env::var_os("PVM_VECTORS").map_or_else(|| root().join("../shared/vectors"), PathBuf::from);
    path.is_dir().then_some(path)
}

/// Every file of the suites, with its content.
fn cases() -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths = files(&root().join("conformance/edge"));
    match shared() {
        Some(shared) => ["pvm", "gas-0.8", "jip6"].iter().for_each(|name| paths.extend(files(&shared.join(name)))),
        None => eprintln!("the published vectors are not here: only our own run"),
    }
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

fn run(suite: &Suite, bytes: &[u8]) -> Case {
    if looks_like_vector(bytes) {
        match VectorFile::parse(bytes).unwrap() {
            VectorFile::Pvm(vector) => suite.vector(&vector),
            VectorFile::Gas(vector) => suite.gas_vector(&vector),
        }
    } else {
        suite.trace(&Trace::parse_bytes(bytes).unwrap())
    }
}

fn suite(config: Config) -> Suite {
    let config = Config { count_instructions: true, ..config };
    Suite { engine: Engine::new(&config).unwrap(), options: Options::default(), timeout: None }
}

/// Settings that must not matter.
fn settings() -> Vec<Config> {
    let default = Config::default();
    let all = std::env::var_os("PVM_FULL").is_some();
    let mut settings = vec![Config { jit: Jit::Off, ..default.clone() }, default.clone()];
    for opt_level in [OptLevel::Speed, OptLevel::None] {
        for region_limit in [default.region_limit, 10, 1] {
            for jit_threshold in [0, 2, default.jit_threshold] {
                for fault_detection in [FaultDetection::best(), FaultDetection::Checks] {
                    let few = [
                        (OptLevel::None, 1000, 0, FaultDetection::best()),
                        (OptLevel::None, 1000, 0, FaultDetection::Checks),
                        (OptLevel::Speed, 10, 2, FaultDetection::best()),
                        (OptLevel::Speed, 1, 0, FaultDetection::best()),
                    ];
                    if all || few.contains(&(opt_level, region_limit, jit_threshold, fault_detection)) {
                        let config =
                            Config { opt_level, region_limit, jit_threshold, fault_detection, ..default.clone() };
                        settings.push(config);
                    }
                }
            }
        }
    }
    settings
}

#[test]
fn every_case_passes_whatever_the_settings() {
    let cases = cases();
    for config in settings() {
        let suite = suite(config.clone());
        let (mut native, mut interpreted) = (0, 0);
        for (path, bytes) in &cases {
            let case = run(&suite, bytes);
            native += case.stats.instructions_native;
            interpreted += case.stats.instructions_interpreted;
            assert_eq!(case.difference, None, "{} with {config:?}", path.display());
        }
        match config {
            Config { jit: Jit::Off, .. } => assert_eq!(native, 0),
            // What is compiled at once is interpreted only where it faults or runs out of gas.
            Config { jit_threshold: 0, .. } => assert!(native > 2 * interpreted, "{native} {interpreted}"),
            _ => assert!(native + interpreted > 0),
        }
    }
}

/// Stops each short vector at every amount of gas, in every model, and compares with the interpreter.
#[test]
fn every_amount_of_gas_agrees() {
    let engine =
        |jit, region_limit| Engine::new(&Config { jit, jit_threshold: 0, region_limit, ..Config::default() }).unwrap();
    let (interpreter, compilers) = (engine(Jit::Off, 1), [engine(Jit::Cranelift, 1000), engine(Jit::Cranelift, 1)]);
    for (path, bytes) in cases().iter().filter(|(_, bytes)| looks_like_vector(bytes)) {
        let Ok(VectorFile::Pvm(vector)) = VectorFile::parse(bytes) else { continue };
        let Ok(blob) = Blob::parse(&vector.program) else { continue };
        for gas_model in [GasModel::Instruction, GasModel::Block, GasModel::Pipeline] {
            let guest = |engine| {
                let pages: Vec<_> = vector
                    .pages
                    .iter()
                    .map(|pages| pvm_fuzzing::Pages {
                        address: pages.address,
                        size: pages.length as u32,
                        access: if pages.writable { pvm_runtime::Access::ReadWrite } else { pvm_runtime::Access::Read },
                    })
                    .collect();
                pvm_fuzzing::Guest::new(engine, &blob, Profile::V0_7, gas_model, &pages)
            };
            let setup = |gas| pvm_fuzzing::Setup { registers: vector.registers, pc: vector.pc, gas };
            let mut expected = guest(&interpreter);
            let need = 10_000 - expected.run(&setup(10_000)).gas;
            let mut found: Vec<_> = compilers.iter().map(guest).collect();
            // The long ones are stopped here and there; the short ones, which are nearly all, everywhere.
            for gas in (0..=need).step_by((need as usize / 100).max(1)) {
                expected.reset_memory();
                let want = expected.run(&setup(gas));
                for guest in &mut found {
                    guest.reset_memory();
                    let got = guest.run(&setup(gas));
                    let context = || format!("{} with {gas} gas, {gas_model}", path.display());
                    assert_eq!(first_difference(&want, &got), None, "{}", context());
                    assert_eq!(expected.memory(), guest.memory(), "{}", context());
                }
            }
        }
    }
}
