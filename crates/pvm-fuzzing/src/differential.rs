//! The oracle: one case on the interpreter, on compiled code in several settings, and on an engine that we did not write.

use crate::play::first_difference;
use crate::quirks::{exclusion, explanation};
use crate::{Case, Ours, Peer, PeerEngine, Quirk, Stop, play};
use pvm_gas::GasModel;
use pvm_program::Blob;
use pvm_runtime::{Config, Engine, Exit, Jit, OptLevel};

/// How code is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// After how many entries a block is compiled.
    pub threshold: u32,
    /// The most instructions in a region.
    pub region_limit: usize,
    /// The effort of the compiler.
    pub opt_level: OptLevel,
}

impl Setting {
    /// Every setting that is tested.
    pub fn all() -> Vec<Setting> {
        let mut all = Vec::new();
        for region_limit in [1, 10, 1000] {
            for threshold in [0, 1, 2, 7] {
                for opt_level in [OptLevel::Speed, OptLevel::None] {
                    all.push(Setting { threshold, region_limit, opt_level });
                }
            }
        }
        all
    }
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Setting { threshold, region_limit, opt_level } = self;
        write!(f, "threshold {threshold}, regions of {region_limit}, optimisation {opt_level:?}")
    }
}

/// The engines, set up once.
#[derive(Debug)]
pub struct Engines {
    interpreter: Engine,
    compilers: Vec<(Setting, Engine)>,
    peer: PeerEngine,
}

/// What came of a case.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How often the guest stopped.
    pub stops: usize,
    /// How often machine code was entered, on all engines together.
    pub native_entries: u64,
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
                ..Config::default()
            })
        };
        Engines {
            interpreter: engine(Config { jit: Jit::Off, ..Config::default() }),
            compilers: Setting::all().into_iter().map(|setting| (setting, compiler(setting))).collect(),
            peer: PeerEngine::new(),
        }
    }

    /// How many settings there are.
    pub fn settings(&self) -> usize {
        self.compilers.len()
    }

    /// Plays `case` on our interpreter, on the settings of these numbers and on `polkavm`, and compares every stop.
    pub fn check(&self, case: &Case, settings: &[usize], with_peer: bool) -> Report {
        let Some(blob) = case.blob() else { return Report::default() };
        let interpret = |gas_of_leg| play(case, &mut Ours::new(&self.interpreter, case, &blob), gas_of_leg);
        let expected = interpret(None);
        let mut report = Report { stops: expected.len(), ..Report::default() };
        for &number in settings {
            let (setting, engine) = &self.compilers[number];
            let mut guest = Ours::new(engine, case, &blob);
            let found = play(case, &mut guest, None);
            report.native_entries += guest.instance().stats().native_entries;
            if let Some((stop, words)) = first_difference(&expected, &found) {
                let words = format!("stop {stop}, interpreted and compiled ({setting}): {words}");
                report.difference = Some(Difference { engine: Some(number), words });
                return report;
            }
        }
        if with_peer {
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
        let ours = |engine| play(case, &mut Ours::new(engine, case, &blob), None);
        let mut runs = vec![("interpreted".to_owned(), ours(&self.interpreter))];
        runs.extend(settings.iter().map(|&number| {
            let (setting, engine) = &self.compilers[number];
            (setting.to_string(), ours(engine))
        }));
        if exclusion(case, &blob, &runs[0].1).is_none()
            && let Ok(mut peer) = Peer::new(&self.peer, case, &blob)
        {
            runs.push(("polkavm".to_owned(), play(case, &mut peer, None)));
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
        if let Some(quirk) = exclusion(case, blob, expected) {
            return Ok(PeerReport::Excluded(quirk));
        }
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
        let Some((stop, words)) = first_difference(expected, &found) else { return Ok(PeerReport::Whole) };
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
        let mut probe = Case { gas_model: GasModel::Instruction, gas: ENOUGH, ..case.clone() };
        for action in probe.script.iter_mut().flat_map(|step| &mut step.actions) {
            if let crate::Action::Gas(gas) = action {
                *gas = ENOUGH;
            }
        }
        let stops = play(&probe, &mut Ours::new(&self.interpreter, &probe, &blob), None);
        if stops.iter().any(|stop| stop.exit == Exit::OutOfGas) {
            *case = probe;
        }
    }
}

/// Up to here a gas limit is one.
const LIMIT: u64 = 1 << 24;

impl Default for Engines {
    fn default() -> Engines {
        Engines::new()
    }
}
