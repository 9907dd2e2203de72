//! The state of an instance, taken and given.

use super::{Area, Contents, Identity, Machine, Page, Snapshot, SnapshotError};
use crate::module::Guest;
use crate::riscv::Control;
use crate::{Instance, Module};
use pvm_gas::GasModel;
use pvm_isa::Profile;
use pvm_ops::{Access, PAGE_SIZE, State};
use pvm_program::Segment;
use pvm_vm::{Memory, MemoryError, Template};
use std::sync::Arc;

impl Instance {
    /// The state of the guest. What a RISC-V guest has stored to its code is seen by its fetches from then on, as after a
    /// `fence.i`: there is no other way to go on with two of them.
    pub fn snapshot(&mut self) -> Snapshot {
        self.fence_code();
        let program = Identity::of(self.module());
        let machine = self.machine();
        let (areas, pages) = contents(self.memory());
        Snapshot::new(Contents { program, machine, areas, pages })
    }

    /// A guest that goes on from a snapshot of the same program.
    ///
    /// # Errors
    ///
    /// If it is of another program, or as [`Instance::new`].
    pub fn from_snapshot(module: &Module, snapshot: &Snapshot) -> Result<Instance, SnapshotError> {
        snapshot.check(module)?;
        let is_same = snapshot.has_the_code_of(module);
        let template = if is_same { snapshot.template() } else { module.template() }?;
        let mut instance = Instance::with_memory(module, template)?;
        instance.begin_anew();
        if !is_same {
            instance.memory.begin(snapshot.template()?)?;
        }
        instance.give(&snapshot.contents.machine);
        Ok(instance)
    }

    /// Has the guest go on from a snapshot of its program. Nothing is left of what it was.
    ///
    /// # Errors
    ///
    /// If the snapshot is of another program, or takes more memory than there may be: nothing changes then. If the host fails
    /// to give memory, the guest is to be reset or restored again.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        snapshot.check(self.module())?;
        let template = snapshot.template()?;
        if snapshot.has_the_code_of(self.module()) {
            self.memory.begin(template)?;
            self.begin_anew();
        } else {
            self.reset(&[])?;
            self.memory.begin(template)?;
        }
        self.give(&snapshot.contents.machine);
        Ok(())
    }

    fn machine(&self) -> Machine {
        let State { reserved, pc, paid, registers, .. } = self.context.state;
        let (heap_end, heap_limit, sbrk_returns_new_end) = self.memory.heap();
        let riscv = self.riscv.as_ref();
        Machine {
            is_paid: paid,
            is_at_host_call: self.at_host_call,
            pc,
            gas: self.gas(),
            reserved,
            registers,
            heap_end,
            heap_limit,
            sbrk_returns_new_end,
            control: riscv.map(|riscv| riscv.control.to_words()).unwrap_or_default(),
            retired: riscv.map(|riscv| riscv.retired).unwrap_or_default(),
        }
    }

    fn give(&mut self, machine: &Machine) {
        let &Machine { gas, reserved, pc, registers, is_paid, .. } = machine;
        let instructions = self.context.state.instructions;
        self.context.state = State { gas: 0, reserved, pc, registers, paid: is_paid, instructions };
        self.set_gas(gas);
        self.at_host_call = machine.is_at_host_call;
        self.memory.set_heap(machine.heap_end, machine.heap_limit, machine.sbrk_returns_new_end);
        if let Some(riscv) = &mut self.riscv {
            riscv.control = Control::from_words(machine.control).unwrap_or_default();
            riscv.retired = machine.retired;
        }
    }
}

impl Snapshot {
    /// What guests begin with that go on from here.
    fn template(&self) -> Result<&Arc<Template>, MemoryError> {
        if let Some(template) = self.template.get() {
            return Ok(template);
        }
        let Contents { areas, pages, .. } = &*self.contents;
        let areas = areas.iter().map(|area| (area.address, area.size(), area.access));
        let pages = pages.iter().map(|(address, bytes)| (*address, &bytes[..]));
        let template = Template::new(areas, pages)?;
        Ok(self.template.get_or_init(|| Arc::new(template)))
    }

    /// Whether code is the module's, so that what was compiled for that is good for guests that go on from here: PVM programs
    /// have none in memory.
    fn has_the_code_of(&self, module: &Module) -> bool {
        let Some(executable) = module.executable() else { return true };
        let Contents { areas, pages, .. } = &*self.contents;
        let segments = executable.image.segments.iter().filter(|segment| segment.access.is_executable());
        let mut code: Vec<_> = segments.clone().map(|one| (one.address, one.size / PAGE_SIZE, one.access)).collect();
        code.sort_by_key(|&(address, ..)| address);
        let code = side_by_side(code);
        let ours: Vec<_> = areas.iter().filter(|area| area.access.is_executable()).copied().collect();
        let holds = |address: u32| {
            let zeros = [0; PAGE_SIZE as usize];
            let page = pages.binary_search_by_key(&address, |(at, _)| *at).map_or(&zeros, |at| &*pages[at].1);
            let segment = segments.clone().find(|one| address.wrapping_sub(one.address) < one.size);
            let rest = segment.and_then(|one| one.data.get((address - one.address) as usize..)).unwrap_or_default();
            let (same, behind) = page.split_at(rest.len().min(page.len()));
            same == &rest[..same.len()] && behind.iter().all(|&byte| byte == 0)
        };
        code == ours && code.iter().flat_map(|area| (0..area.pages).map(|n| area.address + n * PAGE_SIZE)).all(holds)
    }

    /// Checks that it is of the module's program, and that its engine allows so much memory.
    fn check(&self, module: &Module) -> Result<(), SnapshotError> {
        let (found, expected) = (&self.contents.program, &Identity::of(module));
        for ((field, found), (_, expected)) in found.fields().into_iter().zip(expected.fields()) {
            if found != expected {
                return Err(SnapshotError::Program { field, found, expected });
            }
        }
        let wanted = self.contents.areas.iter().map(|area| area.size()).sum();
        let limit = module.engine().config().memory_limit;
        if wanted > limit {
            return Err(MemoryError::Limit { wanted, limit }.into());
        }
        Ok(())
    }
}

impl Identity {
    fn fields(&self) -> [(&'static str, u64); 4] {
        let Identity { guest, profile, gas_model, sum } = *self;
        let choice = u64::from;
        [
            ("instruction set", choice(guest)),
            ("profile", choice(profile)),
            ("gas model", choice(gas_model)),
            ("sum", sum),
        ]
    }

    fn of(module: &Module) -> Identity {
        let (guest, sum) = match &module.shared.guest {
            Guest::Pvm(pvm) => {
                let blob = &pvm.program.blob;
                (0, [&blob.code, &blob.bitmask, &blob.jump_bytes].into_iter().fold(SUM, |sum, bytes| add(sum, bytes)))
            }
            Guest::Riscv(riscv) => {
                let segments = &riscv.executable.image.segments;
                let place = |sum, number: u32| add(sum, &number.to_le_bytes());
                let sum = |sum, segment: &Segment| add(place(place(sum, segment.address), segment.size), &segment.data);
                (1, segments.iter().fold(SUM, sum))
            }
        };
        let profile = match module.profile().unwrap_or_default() {
            Profile::V0_7 => 0,
            Profile::Draft => 1,
            Profile::V0_8 => 2,
        };
        let gas_model = match module.gas_model() {
            GasModel::Instruction => 0,
            GasModel::Block => 1,
            GasModel::Pipeline => 2,
            GasModel::None => 3,
        };
        Identity { guest, profile, gas_model, sum }
    }
}

/// FNV-1a with 64 bits: where it begins, and how bytes are added, their number last.
const SUM: u64 = 0xcbf2_9ce4_8422_2325;

fn add(sum: u64, bytes: &[u8]) -> u64 {
    let len = (bytes.len() as u64).to_le_bytes();
    bytes.iter().chain(&len).fold(sum, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// What is accessible.
fn areas_of(memory: &Memory) -> Vec<Area> {
    side_by_side(memory.areas())
}

/// Areas in the order of their addresses, as few as possible.
fn side_by_side(areas: Vec<(u32, u32, Access)>) -> Vec<Area> {
    let mut joined: Vec<Area> = Vec::new();
    for (address, pages, access) in areas {
        match joined.last_mut() {
            Some(last) if last.access == access && last.end() == u64::from(address) => last.pages += pages,
            _ => joined.push(Area { address, pages, access }),
        }
    }
    joined
}

/// What is accessible, and the pages of it that do not hold zeros only.
fn contents(memory: &Memory) -> (Vec<Area>, Vec<Page>) {
    let areas = areas_of(memory);
    let mut pages = Vec::new();
    for area in &areas {
        debug_assert_ne!(area.access, Access::None);
        for address in (0..area.pages).map(|page| area.address + page * PAGE_SIZE) {
            // It is readable, as all that is accessible.
            if let Ok(bytes) = memory.read_array(address)
                && bytes != [0; PAGE_SIZE as usize]
            {
                pages.push((address, Box::new(bytes)));
            }
        }
    }
    (areas, pages)
}
