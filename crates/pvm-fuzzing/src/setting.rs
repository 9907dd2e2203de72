//! The settings in which cases are played.

use crate::ours::Pace;
use pvm_runtime::{Config, FaultDetection, OptLevel};

/// How code is compiled, and what goes on meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// After how many entries a block is compiled.
    pub threshold: u32,
    /// The most instructions in a region.
    pub region_limit: usize,
    /// The effort of the compiler.
    pub opt_level: OptLevel,
    /// The most executable memory, in bytes.
    pub code_limit: usize,
    /// How refused accesses are detected.
    pub fault_detection: FaultDetection,
    /// Whether another thread interrupts the guest again and again.
    pub interrupted: bool,
    /// Whether another guest has the place at which guest addresses are the host's.
    pub displaced: bool,
    /// Whether runs begin with single steps.
    pub stepped: bool,
    /// Whether a function answers host calls, so that runs do not end there.
    pub answered: bool,
}

/// Room for two small regions: code is evicted all the time.
const TWO_PAGES: usize = 8192;

impl Setting {
    /// Every setting that is tested; those in which guests are interrupted are the last.
    pub fn all() -> Vec<Setting> {
        let mut all = Vec::new();
        let setting = |threshold, region_limit, opt_level| Setting {
            threshold,
            region_limit,
            opt_level,
            code_limit: Config::default().code_limit,
            fault_detection: FaultDetection::best(),
            interrupted: false,
            displaced: threshold == 2,
            stepped: false,
            answered: false,
        };
        for region_limit in [1, 10, 1000] {
            for threshold in [0, 1, 2, 7] {
                all.extend([OptLevel::Speed, OptLevel::None].map(|level| setting(threshold, region_limit, level)));
            }
        }
        let checked = [(0, 1), (0, 1000), (2, 10), (1, 1000)].map(|(threshold, region_limit)| Setting {
            fault_detection: FaultDetection::Checks,
            ..setting(threshold, region_limit, OptLevel::None)
        });
        let with_little_room = [(0, 10), (1, 1), (1, 10), (2, 1000)].map(|(threshold, region_limit)| Setting {
            code_limit: TWO_PAGES,
            ..setting(threshold, region_limit, OptLevel::Speed)
        });
        let stepped = [(0, 1), (0, 1000), (1, 10), (2, 1000)].map(|(threshold, region_limit)| Setting {
            stepped: true,
            ..setting(threshold, region_limit, OptLevel::Speed)
        });
        let answered = [
            setting(0, 10, OptLevel::None),
            setting(0, 1000, OptLevel::None),
            setting(0, 1000, OptLevel::Speed),
            setting(2, 1000, OptLevel::None),
            Setting { code_limit: TWO_PAGES, ..setting(0, 10, OptLevel::None) },
            Setting { fault_detection: FaultDetection::Checks, ..setting(0, 1000, OptLevel::None) },
        ];
        let interrupted = [
            setting(0, 1, OptLevel::None),
            setting(0, 10, OptLevel::Speed),
            setting(0, 1000, OptLevel::Speed),
            setting(2, 1000, OptLevel::Speed),
            Setting { code_limit: TWO_PAGES, ..setting(1, 10, OptLevel::Speed) },
        ];
        all.extend(checked);
        all.extend(with_little_room);
        all.extend(stepped);
        all.extend(answered.map(|setting| Setting { answered: true, ..setting }));
        all.extend(interrupted.map(|setting| Setting { interrupted: true, ..setting }));
        all
    }

    /// How a guest gets on in it.
    pub(crate) fn pace(&self) -> Pace {
        if self.stepped { Pace::StepsFirst(1) } else { Pace::Runs }
    }
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Setting { threshold, region_limit, opt_level, code_limit, fault_detection, .. } = self;
        write!(f, "threshold {threshold}, regions of {region_limit}, optimisation {opt_level:?}, code {code_limit}, ")?;
        write!(f, "faults by {fault_detection:?}")?;
        f.write_str(if self.displaced { ", displaced" } else { "" })?;
        f.write_str(if self.stepped { ", stepped at first" } else { "" })?;
        f.write_str(if self.answered { ", calls answered" } else { "" })?;
        f.write_str(if self.interrupted { ", interrupted" } else { "" })
    }
}
