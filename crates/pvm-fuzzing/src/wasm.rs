//! Random WebAssembly modules, compiled to PVM and run, against `wasmi`.
//!
//! A module exports everything that it has, and stops by itself: it counts what it does, in a global. All its functions are
//! called, one after the other, on both sides. Whether each returns or traps, its results, and at the end all of memory and
//! all globals must be the same. PVM code is interpreted, and compiled to machine code, which is one more side.

mod generate;
mod ours;
mod reference;

pub use generate::module;

use ours::Ours;
use pvm_wasm::CompileError;
use reference::Reference;

/// What became of a module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Calls that returned on all sides.
    pub returned: u32,
    /// Calls that trapped on all sides, bringing the module into being included.
    pub trapped: u32,
    /// The rest was left out, since something would have been computed with floating-point numbers, or a limit of the
    /// reference was hit.
    pub cut_short: bool,
    /// The module is larger than a PVM program can be.
    pub too_large: bool,
}

/// How often each function is called, with other arguments each time.
const ROUNDS: usize = 3;

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    Return(Vec<u64>),
    Trap,
    /// It cannot be compared.
    Unknown,
}

/// Runs a module on all sides.
///
/// # Errors
///
/// With the first difference in words.
pub fn check(bytes: &[u8], seed: u64) -> Result<Checked, String> {
    let mut checked = Checked::default();
    let sides = match Ours::compile(bytes) {
        Ok(sides) => sides,
        Err(CompileError::TooLarge { .. }) => return Ok(Checked { too_large: true, ..checked }),
        Err(error) => return Err(format!("it is refused: {error}")),
    };
    let mut sides = sides.start()?;
    let mut reference = Reference::new(bytes)?;
    let start = reference.instantiate()?;
    for side in &mut sides {
        let found = side.instantiate()?;
        match (&start, &found) {
            (End::Unknown, _) | (_, End::Unknown) => return Ok(Checked { cut_short: true, ..checked }),
            _ if start != found => {
                return Err(format!("{}: instantiation: expected {start:?}, found {found:?}", side.name));
            }
            _ => {}
        }
    }
    if start == End::Trap {
        return Ok(Checked { trapped: 1, ..checked });
    }
    let rng = &mut fastrand::Rng::with_seed(seed);
    let names = reference.functions();
    for name in names.iter().cycle().take(names.len() * ROUNDS) {
        let arguments = reference.arguments(name, rng);
        let expected = reference.call(name, &arguments)?;
        for side in &mut sides {
            let found = side.call(name, &arguments)?;
            match (&expected, &found) {
                (End::Unknown, _) | (_, End::Unknown) => return Ok(Checked { cut_short: true, ..checked }),
                _ if expected != found => {
                    return Err(format!(
                        "{}: {name}{arguments:x?}: expected {expected:x?}, found {found:x?}",
                        side.name
                    ));
                }
                _ => {}
            }
        }
        match expected {
            End::Return(_) => checked.returned += 1,
            _ => checked.trapped += 1,
        }
    }
    for side in &sides {
        compare_state(&reference, side)?;
    }
    Ok(checked)
}

/// Memory and globals.
fn compare_state(reference: &Reference, side: &Ours) -> Result<(), String> {
    let (expected, found) = (reference.memory(), side.memory()?);
    if expected.len() != found.len() {
        return Err(format!("{}: size of memory: expected {}, found {}", side.name, expected.len(), found.len()));
    }
    if let Some(at) = expected.iter().zip(&found).position(|(expected, found)| expected != found) {
        let (expected, found) = (expected[at], found[at]);
        return Err(format!("{}: memory at {at:#x}: expected {expected:#x}, found {found:#x}", side.name));
    }
    for (name, expected) in reference.globals() {
        let found = side.global(&name)?;
        if found != expected {
            return Err(format!("{}: global {name}: expected {expected:#x}, found {found:#x}", side.name));
        }
    }
    Ok(())
}
