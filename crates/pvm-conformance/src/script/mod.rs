//! WebAssembly scripts (`.wast`), as the official suite has them.
//!
//! Modules of a script that import from each other are linked into one PVM program, in which each function that a module
//! exports is an entry point; others are programs of their own. All run one after the other on one guest, so that what a
//! call leaves behind is there for the next.
//!
//! | module | what it knows |
//! |---|---|
//! | `read` | the text: commands |
//! | `value` | arguments, and results that are expected |
//! | `group` | which modules belong together, and their programs |
//! | `guest` | a program that is being run |

mod group;
mod guest;
mod read;
mod value;

use crate::Suite;
pub use guest::{FLOAT_CALL, Guest, Stop};

use group::Modules;
use pvm_wasm::Level;
use read::{Action, Command, Script};
use value::Expected;

/// One assertion of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// The line that it stands in.
    pub line: usize,
    /// What it is called in the script.
    pub kind: &'static str,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an assertion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not, for this reason.
    Failed(String),
    /// It cannot be tried, for this reason.
    Skipped(String),
}

/// Why an assertion does not hold.
enum Failure {
    /// What is different.
    Difference(String),
    /// It needs something that is not supported.
    Unsupported(String),
}

impl From<String> for Failure {
    fn from(difference: String) -> Failure {
        Failure::Difference(difference)
    }
}

/// Runs a script. Commands that are no assertions are listed only if they fail.
///
/// # Errors
///
/// If the text is no script.
pub fn run_script(suite: &Suite, level: Level, text: &str) -> Result<Vec<Assertion>, String> {
    let script = Script::read(text)?;
    let modules = Modules::link(&script, level);
    let mut runner = Runner { suite, level, guests: modules.programs.iter().map(|_| None).collect(), modules };
    let mut assertions = Vec::new();
    for (index, (line, command)) in script.commands.iter().enumerate() {
        let outcome = match runner.command(index, command) {
            Ok(()) => Outcome::Passed,
            Err(Failure::Difference(text)) => Outcome::Failed(text),
            Err(Failure::Unsupported(text)) => Outcome::Skipped(text),
        };
        if command.is_assertion() || outcome != Outcome::Passed {
            assertions.push(Assertion { line: *line, kind: command.kind(), outcome });
        }
    }
    Ok(assertions)
}

struct Runner<'a> {
    suite: &'a Suite,
    level: Level,
    modules: Modules,
    /// The guest of each program, when it has begun.
    guests: Vec<Option<Guest>>,
}

impl Runner<'_> {
    fn command(&mut self, index: usize, command: &Command) -> Result<(), Failure> {
        match command {
            Command::Module { .. } => self.instantiate(index).and_then(|stop| expect_halt(&stop)),
            Command::Register { .. } => Ok(()),
            Command::Invoke(action) => self.act(index, action).map(|_| ()),
            Command::Return { action, results } => {
                let found = self.act(index, action)?;
                compare(&found, results)
            }
            Command::Trap { action: Action::Module(_) } => {
                let stop = self.instantiate(index)?;
                expect_trap(&stop)
            }
            Command::Trap { action } | Command::Exhaustion { action } => {
                let (stop, _) = self.run(index, action)?;
                expect_trap(&stop)
            }
            Command::Malformed { module } => match module {
                Ok(bytes) => self.refused(bytes),
                Err(_) => Ok(()),
            },
            Command::Invalid { module } => match module {
                Ok(bytes) => self.refused(bytes),
                Err(error) => Err(Failure::Difference(format!("the text cannot be read: {error}"))),
            },
            Command::Unlinkable { .. } => match self.modules.link_error(index) {
                Some(Ok(_)) => Ok(()),
                None => Err(Failure::Difference("the module was linked".into())),
                Some(Err(error)) => {
                    Err(Failure::Difference(format!("the module is refused, not its imports: {error}")))
                }
            },
            Command::Other(kind) => Err(Failure::Unsupported(format!("`{kind}` is not supported"))),
        }
    }

    fn refused(&self, bytes: &[u8]) -> Result<(), Failure> {
        match pvm_wasm::Module::parse(bytes, self.level) {
            Ok(_) => Err(Failure::Difference("the module was accepted".into())),
            Err(_) => Ok(()),
        }
    }

    /// Brings the module of a command into being.
    fn instantiate(&mut self, index: usize) -> Result<Stop, Failure> {
        let place = self.modules.place(index)?;
        let program = &self.modules.programs[place.program];
        let guest = &mut self.guests[place.program];
        let guest = match guest {
            Some(guest) => guest,
            None => guest.insert(Guest::new(self.suite, program.program.clone(), program.prepare)?),
        };
        Ok(guest.enter(program.instantiate[place.unit]))
    }

    /// Does what an action says, and gives the results.
    fn act(&mut self, index: usize, action: &Action) -> Result<Vec<u64>, Failure> {
        let Action::Get { module, name } = action else {
            let (stop, results) = self.run(index, action)?;
            expect_halt(&stop)?;
            return Ok(results);
        };
        let place = self.modules.named(index, module.as_deref())?;
        let global = self.modules.programs[place.program].global(place.unit, name)?;
        let guest = self.guests[place.program].as_ref().ok_or_else(not_begun)?;
        Ok(vec![guest.global(global)?])
    }

    /// Does what an action says. If it returns, there are results.
    fn run(&mut self, index: usize, action: &Action) -> Result<(Stop, Vec<u64>), Failure> {
        let Action::Invoke { module, name, arguments } = action else {
            return Err(Failure::Difference("nothing is called".into()));
        };
        let place = self.modules.named(index, module.as_deref())?;
        let program = &self.modules.programs[place.program];
        let (entry, results) = program.export(place.unit, name)?;
        let guest = self.guests[place.program].as_mut().ok_or_else(not_begun)?;
        guest.set_cells(program.scratch, arguments)?;
        let stop = guest.enter(entry);
        let results = if stop == Stop::Halt { guest.cells(program.scratch, results)? } else { Vec::new() };
        Ok((stop, results))
    }
}

fn not_begun() -> Failure {
    Failure::Difference("the module did not come into being".into())
}

fn expect_halt(stop: &Stop) -> Result<(), Failure> {
    match stop {
        Stop::Halt => Ok(()),
        Stop::Float => Err(Failure::Unsupported("computes with floating-point numbers".into())),
        Stop::Other(exit) => Err(Failure::Difference(format!("expected a return, found {exit}"))),
        Stop::Trap => Err(Failure::Difference("expected a return, found a trap".into())),
    }
}

fn expect_trap(stop: &Stop) -> Result<(), Failure> {
    match stop {
        Stop::Trap => Ok(()),
        Stop::Float => Err(Failure::Unsupported("computes with floating-point numbers".into())),
        Stop::Other(exit) => Err(Failure::Difference(format!("expected a trap, found {exit}"))),
        Stop::Halt => Err(Failure::Difference("expected a trap, found a return".into())),
    }
}

fn compare(found: &[u64], expected: &[Expected]) -> Result<(), Failure> {
    if found.len() != expected.len() {
        return Err(Failure::Difference(format!("expected {} results, found {}", expected.len(), found.len())));
    }
    match found.iter().zip(expected).find(|(found, expected)| !expected.accepts(**found)) {
        Some((found, expected)) => Err(Failure::Difference(format!("expected {expected}, found {found:#x}"))),
        None => Ok(()),
    }
}
