//! Snapshots as bytes: `docs/snapshot-format.md`.

use super::reader::Reader;
use super::{Area, Contents, Identity, Machine, Page, Snapshot, SnapshotError};
use crate::riscv::{CONTROL_WORDS, Control};
use pvm_ops::{Access, PAGE_SIZE};

/// The version of the format that is written, and the only one that is read.
pub const VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"PVMSNAP\0";

/// The bits of the flags.
const PAID: u8 = 1;
const AT_HOST_CALL: u8 = 2;
const NEW_END: u8 = 4;

/// The rights, by their numbers.
const ACCESSES: [Access; 4] = [Access::Read, Access::ReadWrite, Access::ReadExecute, Access::ReadWriteExecute];
/// Bytes of an area, and of a page with its address.
const AREA: usize = 9;
const PAGE_RECORD: usize = 4 + PAGE_SIZE as usize;

impl Snapshot {
    /// The snapshot as bytes, for any machine.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Contents { program, machine, areas, pages } = &*self.contents;
        let mut out = Vec::with_capacity(512 + areas.len() * AREA + pages.len() * PAGE_RECORD);
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        let flag = |is_set, bit| if is_set { bit } else { 0 };
        let flags = flag(machine.is_paid, PAID)
            | flag(machine.is_at_host_call, AT_HOST_CALL)
            | flag(machine.sbrk_returns_new_end, NEW_END);
        out.extend([program.guest, program.profile, program.gas_model, flags]);
        out.extend(program.sum.to_le_bytes());
        out.extend(machine.gas.to_le_bytes());
        out.extend(machine.reserved.to_le_bytes());
        out.extend(machine.retired.to_le_bytes());
        machine.registers.iter().for_each(|register| out.extend(register.to_le_bytes()));
        for word in [machine.pc, machine.heap_end, machine.heap_limit].iter().chain(&machine.control) {
            out.extend(word.to_le_bytes());
        }
        out.extend((areas.len() as u32).to_le_bytes());
        for area in areas {
            out.extend(area.address.to_le_bytes());
            out.extend(area.pages.to_le_bytes());
            // Only accessible pages are in an area.
            out.push(ACCESSES.iter().position(|&access| access == area.access).unwrap_or_default() as u8);
        }
        out.extend((pages.len() as u32).to_le_bytes());
        for (address, bytes) in pages {
            out.extend(address.to_le_bytes());
            out.extend(&bytes[..]);
        }
        out
    }

    /// Reads what [`Snapshot::to_bytes`] has written. No more is allocated than the bytes hold.
    ///
    /// # Errors
    ///
    /// If they are no snapshot of [`VERSION`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Snapshot, SnapshotError> {
        let mut reader = Reader::new(bytes);
        if reader.array("magic")? != MAGIC {
            return Err(reader.error("magic", MAGIC.len(), "not that of a snapshot"));
        }
        let version = reader.word("version")?;
        if version != VERSION {
            return Err(reader.error("version", 4, format!("{version}, and only {VERSION} can be read")));
        }
        let [guest, profile, gas_model, flags] = *reader.array("identity")?;
        if flags & !(PAID | AT_HOST_CALL | NEW_END) != 0 {
            return Err(reader.error("flags", 1, format!("{flags:#x} has unknown bits")));
        }
        let program = Identity { guest, profile, gas_model, sum: reader.long("program")? };
        let machine = machine(&mut reader, flags)?;
        let areas = areas(&mut reader)?;
        let pages = pages(&mut reader, &areas)?;
        reader.end()?;
        Ok(Snapshot::new(Contents { program, machine, areas, pages }))
    }
}

fn machine(reader: &mut Reader<'_>, flags: u8) -> Result<Machine, SnapshotError> {
    let (gas, reserved, retired) = (reader.long("gas")?, reader.long("reservation")?, reader.long("instructions")?);
    let mut registers = [0; 32];
    for register in &mut registers {
        *register = reader.long("register")?;
    }
    let (pc, heap_end, heap_limit) = (reader.word("pc")?, reader.word("heap end")?, reader.word("heap limit")?);
    if heap_end > heap_limit {
        return Err(reader.error("heap end", 8, format!("{heap_end:#x} is above the limit of {heap_limit:#x}")));
    }
    let mut control = [0; CONTROL_WORDS];
    for word in &mut control {
        *word = reader.word("control register")?;
    }
    if Control::from_words(control).is_none() {
        return Err(reader.error("control registers", 4 * CONTROL_WORDS, "no guest can have them"));
    }
    Ok(Machine {
        is_paid: flags & PAID != 0,
        is_at_host_call: flags & AT_HOST_CALL != 0,
        sbrk_returns_new_end: flags & NEW_END != 0,
        pc,
        gas,
        reserved,
        registers,
        heap_end,
        heap_limit,
        control,
        retired,
    })
}

fn areas(reader: &mut Reader<'_>) -> Result<Vec<Area>, SnapshotError> {
    let mut areas: Vec<Area> = Vec::new();
    for _ in 0..reader.count("number of areas", AREA)? {
        let (address, pages) = (reader.word("area")?, reader.word("area")?);
        let access = reader.byte("area")?;
        let former_end = areas.last().map_or(0, |area| area.end());
        let Some(&access) = ACCESSES.get(usize::from(access)) else {
            return Err(reader.error("area", 1, format!("there is no right {access}")));
        };
        let area = Area { address, pages, access };
        let is_valid = address.is_multiple_of(PAGE_SIZE) && pages > 0 && u64::from(address) >= former_end;
        if !is_valid || area.end() > 1 << 32 {
            let problem = format!("{pages} pages at {address:#x} are not behind the former area, below 2^32");
            return Err(reader.error("area", AREA, problem));
        }
        areas.push(area);
    }
    Ok(areas)
}

fn pages(reader: &mut Reader<'_>, areas: &[Area]) -> Result<Vec<Page>, SnapshotError> {
    let mut pages: Vec<Page> = Vec::new();
    for _ in 0..reader.count("number of pages", PAGE_RECORD)? {
        let address = reader.word("page")?;
        let is_behind = pages.last().is_none_or(|&(former, _)| former < address);
        let at = areas.partition_point(|area| area.end() <= u64::from(address));
        let is_inside = areas.get(at).is_some_and(|area| area.address <= address);
        if !is_behind || !is_inside || !address.is_multiple_of(PAGE_SIZE) {
            return Err(reader.error("page", 4, format!("{address:#x} is not behind the former page, in an area")));
        }
        pages.push((address, Box::new(*reader.array("page")?)));
    }
    Ok(pages)
}
