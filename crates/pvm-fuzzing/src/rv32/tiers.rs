//! The oracle: a case on the interpreter, and on compiled code in several settings.

use super::case::{Action, Case};
use super::play::{Stop, describe, play};
use crate::ours::Pace;
use crate::play::first_difference;
use crate::{Interrupter, Ours, Setting};
use fastrand::Rng;
use pvm_gas::GasModel;
use pvm_runtime::{Config, Engine, Exit, FaultDetection, Instance, Jit, Module, Options};

/// The engines, set up once.
#[derive(Debug)]
pub struct Tiers {
    /// Not counting instructions, and counting them.
    interpreters: [Engine; 2],
    compilers: Vec<(Setting, [Engine; 2])>,
    interrupter: Interrupter,
}

/// What came of a case.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How often the guest stopped.
    pub stops: usize,
    /// How often machine code was entered.
    pub native_entries: u64,
    /// How often another thread interrupted the guest when it was under way.
    pub interruptions: u64,
    /// What differs, if anything does.
    pub difference: Option<Difference>,
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The number of the setting.
    pub setting: usize,
    /// What differs, in words.
    pub words: String,
}

/// More gas than a run should need that is not given a limit. What leads to ever new code compiles it all.
const ENOUGH: u64 = 1000;

impl Tiers {
    /// Sets the engines up.
    ///
    /// # Panics
    ///
    /// If the host has no compiler.
    pub fn new() -> Tiers {
        let both = |config: Config| {
            [false, true].map(|count_instructions| {
                let config = Config { count_instructions, ..config.clone() };
                Engine::new(&config).expect("the host has a compiler")
            })
        };
        let compiler = |setting: Setting| {
            let verify = false;
            let Setting { threshold: jit_threshold, region_limit, opt_level, code_limit, fault_detection, .. } =
                setting;
            let limits = Config { jit_threshold, region_limit, code_limit, ..Config::default() };
            both(Config { jit: Jit::Cranelift, opt_level, fault_detection, verify, ..limits })
        };
        Tiers {
            interpreters: both(Config { jit: Jit::Off, fault_detection: FaultDetection::Checks, ..Config::default() }),
            compilers: Setting::all().into_iter().map(|setting| (setting, compiler(setting))).collect(),
            interrupter: Interrupter::new(),
        }
    }

    /// How many settings there are.
    pub fn settings(&self) -> usize {
        self.compilers.len()
    }

    /// A setting for a case, by chance; one in which it is interrupted only if that can happen in the midst of a run.
    pub fn choose(&self, rng: &mut Rng, case: &Case) -> usize {
        let undisturbed = self.compilers.iter().filter(|(setting, _)| !setting.interrupted).count();
        match case.gas_model {
            GasModel::None if rng.u8(..4) == 0 => rng.usize(undisturbed..self.settings()),
            _ => rng.usize(..undisturbed),
        }
    }

    /// Whether the outcome depends on time in this setting, so that a case must be tried more than once.
    pub fn depends_on_time(&self, setting: usize) -> bool {
        self.compilers[setting].0.interrupted
    }

    /// Makes sure that playing the case comes to an end, and does the same each time. A program that goes on for long or
    /// reads a clock is given a gas limit, if its case has none: time is then what was paid.
    pub fn tame(&self, case: &mut Case) {
        if case.gas_model != GasModel::None {
            return;
        }
        let mut probe = Case { gas_model: GasModel::Instruction, gas: ENOUGH, ..case.clone() };
        for action in probe.script.iter_mut().flat_map(|step| &mut step.actions) {
            if let Action::Gas(gas) = action {
                *gas = ENOUGH;
            }
        }
        let is_long = || self.interpret(&probe).iter().any(|stop| stop.exit == Exit::OutOfGas);
        if self.reads_clock(case) || is_long() {
            *case = probe;
        }
    }

    /// Whether the guest of `case` comes to read a clock, as far as it gets in runs of [`ENOUGH`] instructions.
    fn reads_clock(&self, case: &Case) -> bool {
        let module = module(&self.interpreters[usize::from(case.count_instructions)], case);
        let mut guest = Ours::of_instance(instance(&module)).paced(Pace::Steps(ENOUGH));
        play(case, &mut guest);
        guest.read_clock()
    }

    /// Plays `case` on our interpreter.
    pub(super) fn interpret(&self, case: &Case) -> Vec<Stop> {
        let engine = &self.interpreters[usize::from(case.count_instructions)];
        play(case, &mut Ours::of_instance(instance(&module(engine, case))))
    }

    /// Plays `case` on compiled code.
    fn compile(&self, case: &Case, setting: usize) -> (Vec<Stop>, Ours) {
        let (setting, engines) = &self.compilers[setting];
        let module = module(&engines[usize::from(case.count_instructions)], case);
        let displacer = setting.displaced.then(|| instance(&module));
        let mut guest = Ours::of_instance(instance(&module)).paced(setting.pace());
        if let Some(displacer) = displacer {
            guest = guest.displaced_by(displacer);
        }
        if setting.interrupted {
            guest.disturb(&self.interrupter);
        }
        (play(case, &mut guest), guest)
    }

    /// Plays `case` on our interpreter and in the setting of this number, and compares every stop.
    pub fn check(&self, case: &Case, setting: usize) -> Report {
        let expected = self.interpret(case);
        let (found, guest) = self.compile(case, setting);
        let mut report = Report {
            stops: expected.len(),
            native_entries: guest.instance().stats().native_entries,
            interruptions: guest.interruptions(),
            ..Report::default()
        };
        if let Some((stop, words)) = first_difference(&expected, &found, describe) {
            let name = &self.compilers[setting].0;
            let words = format!("stop {stop}, interpreted and compiled ({name}): {words}");
            report.difference = Some(Difference { setting, words });
        }
        report
    }

    /// What is observed of `case` on our interpreter, and in this setting.
    pub fn runs(&self, case: &Case, setting: usize) -> [Vec<Stop>; 2] {
        [self.interpret(case), self.compile(case, setting).0]
    }
}

impl Default for Tiers {
    fn default() -> Tiers {
        Tiers::new()
    }
}

fn module(engine: &Engine, case: &Case) -> Module {
    let options = Options { profile: None, gas_model: Some(case.gas_model) };
    Module::from_executable(engine, case.executable(), options).expect("a program that can be run")
}

fn instance(module: &Module) -> Instance {
    Instance::new(module, &[]).expect("memory for a guest")
}

#[cfg(test)]
mod tests {
    use super::super::case::Area;
    use super::*;
    use pvm_runtime::Access;

    #[test]
    fn who_reads_a_clock_pays() {
        let tiers = Tiers::new();
        let pays = |number: u32, count_instructions| {
            // csrrs a0, number, zero; ecall
            let code = [number << 20 | 0x2573, 0x73];
            let bytes = code.into_iter().flat_map(u32::to_le_bytes).collect();
            let mut case = Case {
                note: String::new(),
                gas_model: GasModel::None,
                count_instructions,
                machine_mode: true,
                areas: vec![Area { address: 0x1000, access: Access::ReadExecute, bytes }],
                pc: 0x1000,
                gas: 0,
                registers: [0; 32],
                script: Vec::new(),
            };
            tiers.tame(&mut case);
            case.gas_model == GasModel::Instruction
        };
        // cycle, time and mcycle; mscratch is no counter.
        assert_eq!([0xc00, 0xc01, 0xb00, 0x340].map(|number| pays(number, false)), [true, true, true, false]);
        assert_eq!([0xc00, 0xc01, 0xb00, 0x340].map(|number| pays(number, true)), [false, true, false, false]);
    }
}
