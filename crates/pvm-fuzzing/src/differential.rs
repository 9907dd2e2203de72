//! The oracle: one case on the interpreter, on compiled code in several settings, and on an engine that we did not write.

use crate::play::{describe, first_difference};
use crate::quirks::{exclusion, explanation};
use crate::{Case, Interrupter, Ours, Peer, PeerEngine, Quirk, Setting, Stop, play};
use fastrand::Rng;
use pvm_gas::GasModel;
use pvm_program::Blob;
use pvm_runtime::{Config, Engine, Exit, Jit};

/// How often a case is played that is interrupted. The first time most of the run is spent with compiling, when an
/// interruption can only come before or after; then the code is there.
const ROUNDS: u32 = 5;

/// Runs of fewer instructions are over before they can be interrupted, and need not be played more than once.
const WORTH_INTERRUPTING: u64 = 100;

/// The engines, set up once.
#[derive(Debug)]
pub struct Engines {
    interpreter: Engine,
    compilers: Vec<(Setting, Engine)>,
    peer: PeerEngine,
    interrupter: Interrupter,
}

/// What came of a case.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How often the guest stopped.
    pub stops: usize,
    /// How often machine code was entered, on all engines together.
    pub native_entries: u64,
    /// How often another thread interrupted the guest when it was under way, on all engines together.
    pub interruptions: u64,
    /// How the comparison with `polkavm` went, if it was made.
    pub peer: Option<PeerReport>,
    /// What differs, if anything does.
    pub difference: Option<Difference>,
}

/// How a comparison with `polkavm` went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerReport {
    /// All stops were compared.
    Whole,
    /// The stops before this quirk showed were compared.
    CutShort(Quirk),
    /// None was.
    Excluded(Quirk),
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which engine differs from our interpreter: the number of a setting, or `polkavm`.
    pub engine: Option<usize>,
    /// What differs, in words.
    pub words: String,
}

/// More gas than any run should need that is not given a limit.
const ENOUGH: u64 = 20_000;

/// The same without gas: the longer such a run is, the more often it can be interrupted.
const ENOUGH_WITHOUT_GAS: u64 = 200_000;

impl Engines {
    /// Sets the engines up.
    ///
    /// # Panics
    ///
    /// If the host has no compiler.
    pub fn new() -> Engines {
        let engine = |config: Config| Engine::new(&config).expect("the host has a compiler");
        let compiler = |setting: Setting| {
            engine(Config {
                jit: Jit::Cranelift,
                jit_threshold: setting.threshold,
                region_limit: setting.region_limit,
                opt_level: setting.opt_level,
                code_limit: setting.code_limit,
                fault_detection: setting.fault_detection,
                count_instructions: setting.interrupted,
                ..Config::default()
            })
        };
        Engines {
            interpreter: engine(Config { jit: Jit::Off, ..Config::default() }),
            compilers: Setting::all().into_iter().map(|setting| (setting, compiler(setting))).collect(),
            peer: PeerEngine::new(),
            interrupter: Interrupter::new(),
        }
    }

    /// How many settings there are.
    pub fn settings(&self) -> usize {
        self.compilers.len()
    }

    /// Settings for a case, by chance: two, and one more in which it is interrupted, if that can happen in the midst of
    /// the run, and sometimes if not.
    pub fn choose(&self, rng: &mut Rng, case: &Case) -> Vec<usize> {
        let undisturbed = self.compilers.iter().filter(|(setting, _)| !setting.interrupted).count();
        let mut numbers = vec![rng.usize(..undisturbed), rng.usize(..undisturbed)];
        if looks_for_interruptions(case) || rng.u32(..16) == 0 {
            numbers.push(rng.usize(undisturbed..self.settings()));
        }
        numbers
    }

    /// Whether the outcome depends on time in one of these settings, so that a case must be tried more than once.
    pub fn depends_on_time(&self, settings: &[usize]) -> bool {
        settings.iter().any(|&number| self.compilers[number].0.interrupted)
    }

    /// Plays `case` in a setting, as often as that makes sense, until something comes of a run.
    fn play_in<T>(
        &self,
        number: usize,
        case: &Case,
        blob: &Blob,
        mut judge: impl FnMut(&Ours, Vec<Stop>) -> Option<T>,
    ) -> Option<T> {
        let (setting, engine) = &self.compilers[number];
        let module = Ours::module(engine, case, blob);
        for _ in 0..ROUNDS {
            let new = if setting.displaced { Ours::displaced } else { Ours::of_module };
            let mut guest = new(&module, case).paced(setting.pace());
            if setting.interrupted {
                guest.disturb(&self.interrupter);
            }
            let stops;
            (guest, stops) = if setting.answered {
                guest.play_answered(case)
            } else {
                let stops = play(case, &mut guest, None);
                (guest, stops)
            };
            let outcome = judge(&guest, stops);
            let stats = guest.instance().stats();
            let is_long = stats.instructions_interpreted + stats.instructions_native >= WORTH_INTERRUPTING;
            if outcome.is_some() || !(setting.interrupted && is_long && looks_for_interruptions(case)) {
                return outcome;
            }
        }
        None
    }

    /// Plays `case` on our interpreter, on the settings of these numbers and on `polkavm`, and compares every stop.
    pub fn check(&self, case: &Case, settings: &[usize], with_peer: bool) -> Report {
        let Some(blob) = case.blob() else { return Report::default() };
        let interpret = |gas_of_leg| play(case, &mut Ours::new(&self.interpreter, case, &blob), gas_of_leg);
        let expected = interpret(None);
        let mut report = Report { stops: expected.len(), ..Report::default() };
        for &number in settings {
            let setting = &self.compilers[number].0;
            let difference = self.play_in(number, case, &blob, |guest, found| {
                report.native_entries += guest.instance().stats().native_entries;
                report.interruptions += guest.interruptions();
                first_difference(&expected, &found, describe)
            });
            if let Some((stop, words)) = difference {
                let words = format!("stop {stop}, interpreted and compiled ({setting}): {words}");
                report.difference = Some(Difference { engine: Some(number), words });
                return report;
            }
        }
        if with_peer && let Some(quirk) = exclusion(case, &blob, &expected) {
            report.peer = Some(PeerReport::Excluded(quirk));
        } else if with_peer {
            // Where it has its own mind the peer may go on when our run has ended, for as long as there is gas.
            let case = &case.with_gas_up_to(LIMIT);
            let interpret = |gas_of_leg| play(case, &mut Ours::new(&self.interpreter, case, &blob), gas_of_leg);
            let expected = interpret(None);
            match self.check_peer(case, &blob, &expected, |leg, gas| interpret(Some((leg, gas)))) {
                Ok(peer) => report.peer = Some(peer),
                Err(words) => report.difference = Some(Difference { engine: None, words }),
            }
        }
        report
    }

    /// What is observed of `case` on our interpreter, on the settings of these numbers, and on `polkavm`.
    pub fn runs(&self, case: &Case, settings: &[usize]) -> Vec<(String, Vec<Stop>)> {
        let Some(blob) = case.blob() else { return Vec::new() };
        let interpreted = play(case, &mut Ours::new(&self.interpreter, case, &blob), None);
        let mut runs = vec![("interpreted".to_owned(), interpreted)];
        runs.extend(settings.iter().map(|&number| {
            let stops = self.play_in(number, case, &blob, |_, stops| Some(stops));
            (self.compilers[number].0.to_string(), stops.unwrap_or_default())
        }));
        if exclusion(case, &blob, &runs[0].1).is_none()
            && let Ok(mut peer) = Peer::new(&self.peer, case, &blob)
        {
            runs.push(("polkavm".to_owned(), play(&case.with_gas_up_to(LIMIT), &mut peer, None)));
        }
        runs
    }

    fn check_peer(
        &self,
        case: &Case,
        blob: &Blob,
        expected: &[Stop],
        replay: impl Fn(usize, u64) -> Vec<Stop>,
    ) -> Result<PeerReport, String> {
        let mut guest = match Peer::new(&self.peer, case, blob) {
            Ok(guest) => guest,
            Err(quirk) => return Ok(PeerReport::Excluded(quirk)),
        };
        let mut found = play(case, &mut guest, None);
        for (found, expected) in found.iter_mut().zip(expected) {
            // It does not say where the guest halted.
            if (found.exit, expected.exit) == (Exit::Halt, Exit::Halt) {
                found.pc = expected.pc;
            }
        }
        let Some((stop, words)) = first_difference(expected, &found, describe) else { return Ok(PeerReport::Whole) };
        match explanation(case, blob, expected, &found, stop, replay) {
            Some(quirk) => Ok(PeerReport::CutShort(quirk)),
            None => Err(format!("stop {stop}, ours and polkavm: {words}")),
        }
    }

    /// Makes sure that playing the case comes to an end: a program that goes on for long is given a gas limit, if its
    /// case has none.
    pub fn tame(&self, case: &mut Case) {
        let is_limited = case.gas_model != GasModel::None && case.gas <= LIMIT;
        let Some(blob) = case.blob().filter(|_| !is_limited) else { return };
        let limited = |gas| Case { gas_model: GasModel::Instruction, ..case.with_gas(|_| gas) };
        let probe = limited(if case.gas_model == GasModel::None { ENOUGH_WITHOUT_GAS } else { ENOUGH });
        let stops = play(&probe, &mut Ours::new(&self.interpreter, &probe, &blob), None);
        if stops.iter().any(|stop| stop.exit == Exit::OutOfGas) {
            *case = limited(ENOUGH);
        }
    }
}

/// What a run gets of its gas at a time, at most.
const SLICE: u64 = 1 << 17;

/// Whether an interruption can come in the midst of a run: where gas is metered, a run looks for one only at its start and
/// after each slice.
fn looks_for_interruptions(case: &Case) -> bool {
    case.gas_model == GasModel::None || case.gas > SLICE
}

/// Up to here a gas limit is one.
const LIMIT: u64 = 1 << 24;

impl Default for Engines {
    fn default() -> Engines {
        Engines::new()
    }
}
