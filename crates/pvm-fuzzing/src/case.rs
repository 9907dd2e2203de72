//! Test cases: a program, the state it starts in, and what its host does whenever it stops.
//!
//! A case says everything, so that it gives the same run on every engine and can be kept as a file. The host's part is a
//! script of [`Step`]s, one for each stop; what a step does depends on nothing but why the guest stopped. So two engines
//! that agree on one stop are in the same state before the next.

use crate::names;
use pvm_gas::GasModel;
use pvm_isa::{Profile, REG_COUNT};
use pvm_program::Blob;
use pvm_runtime::Access;
use serde::{Deserialize, Serialize};

/// A case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What the case is about, for whoever reads the file.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The numbering of opcodes.
    #[serde(with = "names::profile")]
    pub profile: Profile,
    /// The gas model.
    #[serde(with = "names::gas_model")]
    pub gas_model: GasModel,
    /// The program blob.
    #[serde(with = "names::hex")]
    pub program: Vec<u8>,
    /// The program counter at the start.
    pub pc: u32,
    /// Gas at the start.
    pub gas: u64,
    /// Registers at the start.
    pub registers: [u64; REG_COUNT],
    /// Pages at the start; each holds bytes that depend on their addresses.
    pub pages: Vec<Page>,
    /// Where `sbrk` works: the end of the heap at first, and the address that it may not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heap: Option<(u32, u32)>,
    /// What happens at each stop. The run ends when it stops once more than there are steps.
    pub script: Vec<Step>,
}

/// A page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Its first byte.
    pub address: u32,
    /// What the guest may do there.
    #[serde(with = "names::access")]
    pub access: Access,
}

/// What happens at a stop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// More gas, if that was used up.
    pub gas: u64,
    /// Where to go on after a halt or a panic; without it the run ends there.
    pub restart: Option<u32>,
    /// The right with which a page that was missed is mapped, if it is.
    #[serde(with = "names::maybe_access")]
    pub fault: Option<Access>,
    /// What happens besides, whatever the stop was.
    pub actions: Vec<Action>,
}

/// Something that a host does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Sets a register.
    Register(usize, u64),
    /// Sets the gas.
    Gas(u64),
    /// Goes on elsewhere.
    Pc(u32),
    /// Writes eight bytes, if the guest could.
    Write(u32, u64),
    /// Maps a page of zeros.
    Map(Page),
    /// Changes the right of a page that is mapped.
    Protect(Page),
    /// Takes a page away.
    Unmap(u32),
    /// Asks the guest to stop before it runs on.
    Interrupt,
}

impl Case {
    /// The program, if its bytes are a blob.
    pub fn blob(&self) -> Option<Blob> {
        Blob::parse(&self.program).ok()
    }

    /// The same, with no more gas than that at any time.
    pub(crate) fn with_gas_up_to(&self, most: u64) -> Case {
        self.with_gas(|gas| gas.min(most))
    }

    /// The same with other gas, at the start and where the script sets it.
    pub(crate) fn with_gas(&self, other: impl Fn(u64) -> u64) -> Case {
        let mut case = Case { gas: other(self.gas), ..self.clone() };
        for action in case.script.iter_mut().flat_map(|step| &mut step.actions) {
            if let Action::Gas(gas) = action {
                *gas = other(*gas);
            }
        }
        case
    }

    /// Puts another program in place.
    pub fn set_blob(&mut self, blob: &Blob) {
        self.program.clear();
        blob.encode(&mut self.program);
    }

    /// The text of the case file.
    ///
    /// # Panics
    ///
    /// Never: every case has a text.
    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).expect("a case is plain data") + "\n"
    }

    /// Reads a case file.
    ///
    /// # Errors
    ///
    /// Where it is none.
    pub fn from_text(text: &str) -> Result<Case, serde_json::Error> {
        serde_json::from_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_comes_back_from_its_text() {
        for seed in 0..200 {
            let case = crate::random::case(seed);
            assert_eq!(Case::from_text(&case.to_text()).unwrap(), case);
        }
    }
}
