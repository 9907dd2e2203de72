//! Cases for both of our tiers: a program in memory, the state it starts in, and what its host does whenever it stops.
//!
//! As those of the PVM ([`crate::Case`]), they say everything, and a step depends on nothing but why the guest stopped.

use crate::{Page, names};
use pvm_gas::GasModel;
use pvm_ops::PAGE_SIZE;
use pvm_program::{Executable, MemoryImage, Segment};
use pvm_runtime::Access;
use serde::{Deserialize, Serialize};

/// A case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What the case is about, for whoever reads the file.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Whether instructions are paid for.
    #[serde(with = "names::gas_model")]
    pub gas_model: GasModel,
    /// Whether instructions are counted besides. Counters of the guest are clocks unless one of both is so.
    pub count_instructions: bool,
    /// Whether the guest starts in machine mode.
    pub machine_mode: bool,
    /// Memory at the start.
    pub areas: Vec<Area>,
    /// The program counter at the start.
    pub pc: u32,
    /// Gas at the start.
    pub gas: u64,
    /// Registers at the start.
    pub registers: [u32; 32],
    /// What happens at each stop. The run ends when it stops once more than there are steps.
    pub script: Vec<Step>,
}

/// Pages next to one another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// The first byte.
    pub address: u32,
    /// What the guest may do there.
    #[serde(with = "names::access")]
    pub access: Access,
    /// The bytes. Zeros follow, up to the end of the page.
    #[serde(with = "names::hex")]
    pub bytes: Vec<u8>,
}

/// What happens at a stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// More gas, if that was used up.
    pub gas: u64,
    /// How a trap is answered.
    pub trap: Answer,
    /// What happens besides, whatever the stop was.
    pub actions: Vec<Action>,
}

/// How a trap is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The run is over.
    End,
    /// It is tried again.
    Again,
    /// The guest goes on elsewhere.
    GoTo(u32),
    /// It goes on so many bytes further.
    Skip(u32),
    /// The page that was missed gets this right, and it is tried again; another trap is over.
    #[serde(with = "names::access")]
    Grant(Access),
}

/// Something that a host does. What memory refuses does not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Sets a register.
    Register(usize, u32),
    /// Sets the gas.
    Gas(u64),
    /// Goes on elsewhere.
    Pc(u32),
    /// Writes a word, if the guest could: as a store of the guest, it is not seen in code before there is a fence.
    Write(u32, u32),
    /// Writes a word wherever there is memory. It is seen at once.
    Initialise(u32, u32),
    /// Maps a page of zeros.
    Map(Page),
    /// Changes the right of a page.
    Protect(Page),
    /// Takes a page away.
    Unmap(u32),
    /// Makes stores to code visible.
    Fence,
    /// Asks the guest to stop before it runs on.
    Interrupt,
    /// Puts the guest to its start, with what is compiled.
    Reset,
}

impl Area {
    /// Areas of these bytes, which go on at 0 behind the last address. `address` need not be that of a page.
    pub fn around(address: u32, access: Access, bytes: &[u8]) -> Vec<Area> {
        let page = address / PAGE_SIZE * PAGE_SIZE;
        let mut all = vec![0; (address - page) as usize];
        all.extend(bytes);
        let room = (1 << 32) - u64::from(page);
        let rest = if all.len() as u64 > room { all.split_off(room as usize) } else { Vec::new() };
        let areas = [(page, all), (0, rest)].into_iter().filter(|(_, bytes)| !bytes.is_empty());
        areas.map(|(address, bytes)| Area { address, access, bytes }).collect()
    }

    /// Its size: whole pages.
    pub fn size(&self) -> u32 {
        (self.bytes.len() as u32).next_multiple_of(PAGE_SIZE)
    }

    /// The addresses of its pages.
    pub fn pages(&self) -> impl Iterator<Item = u32> {
        (0..self.size()).step_by(PAGE_SIZE as usize).map(|offset| self.address + offset)
    }
}

impl Case {
    /// The program.
    pub fn executable(&self) -> Executable {
        let segment = |area: &Area| Segment {
            name: "generated",
            address: area.address,
            size: area.size(),
            access: area.access,
            data: area.bytes.clone().into(),
        };
        let image = MemoryImage { segments: self.areas.iter().map(segment).collect(), heap: None };
        Executable { image, entry: self.pc, end: 0, symbols: Vec::new(), program_headers: None, flags: 1 }
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
            let case = super::super::wild(seed);
            assert_eq!(Case::from_text(&case.to_text()).unwrap(), case);
        }
    }

    #[test]
    fn what_lies_around_the_end_of_the_address_space_is_in_two_areas() {
        let areas = Area::around(0xffff_fffe, Access::ReadExecute, &[1, 2, 3]);
        let places: Vec<_> = areas.iter().map(|area| (area.address, area.size(), area.bytes.len())).collect();
        assert_eq!(places, [(0xffff_f000, 4096, 4096), (0, 4096, 1)]);
    }
}
