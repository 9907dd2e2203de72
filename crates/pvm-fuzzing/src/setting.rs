//! The settings in which cases are played.

use pvm_runtime::{Config, OptLevel};

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
    /// Whether another thread interrupts the guest again and again.
    pub interrupted: bool,
}

/// Room for two small regions: code is evicted all the time.
const TWO_PAGES: usize = 8192;

impl Setting {
    /// Every setting that is tested; those in which guests are interrupted are the last.
    pub fn all() -> Vec<Setting> {
        let mut all = Vec::new();
        let setting = |threshold, region_limit, opt_level| {
            let code_limit = Config::default().code_limit;
            Setting { threshold, region_limit, opt_level, code_limit, interrupted: false }
        };
        for region_limit in [1, 10, 1000] {
            for threshold in [0, 1, 2, 7] {
                all.extend([OptLevel::Speed, OptLevel::None].map(|level| setting(threshold, region_limit, level)));
            }
        }
        let with_little_room = [(0, 10), (1, 1), (1, 10), (2, 1000)].map(|(threshold, region_limit)| Setting {
            code_limit: TWO_PAGES,
            ..setting(threshold, region_limit, OptLevel::Speed)
        });
        let interrupted = [
            setting(0, 1, OptLevel::None),
            setting(0, 10, OptLevel::Speed),
            setting(0, 1000, OptLevel::Speed),
            setting(2, 1000, OptLevel::Speed),
            Setting { code_limit: TWO_PAGES, ..setting(1, 10, OptLevel::Speed) },
        ];
        all.extend(with_little_room);
        all.extend(interrupted.map(|setting| Setting { interrupted: true, ..setting }));
        all
    }
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Setting { threshold, region_limit, opt_level, code_limit, interrupted } = self;
        write!(f, "threshold {threshold}, regions of {region_limit}, optimisation {opt_level:?}, code {code_limit}")?;
        f.write_str(if *interrupted { ", interrupted" } else { "" })
    }
}
