//! Our engine as a [`Machine`].

use crate::interrupter::Disturbance;
use crate::play::Player;
use crate::{Case, Interrupter, Machine, Stop, Stopped};
use pvm_gas::GasModel;
use pvm_isa::REG_COUNT;
use pvm_ops::{Inst, PAGE_SIZE};
use pvm_program::Blob;
use pvm_runtime::{Access, Engine, Exit, Instance, Linker, Module, Options, Store};
use std::sync::{Arc, Mutex, PoisonError};

/// A guest of our engine.
#[derive(Debug)]
pub struct Ours {
    instance: Instance,
    /// The host has asked that the next run stop at once.
    asked: bool,
    disturbance: Option<Disturbance>,
    all_interruptions: u64,
    /// Interruptions before which the guest had got on.
    interruptions: u64,
    pace: Pace,
    /// In single steps, the guest has come to an instruction that reads a clock.
    read_clock: bool,
    /// A guest that is only there for its memory to be where this one's would be.
    _displacer: Option<Instance>,
}

/// How a guest gets on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// In runs.
    Runs,
    /// In runs that begin with single steps: so many, and the next time another number of them.
    StepsFirst(u64),
    /// In single steps. After so many, a run is interrupted.
    Steps(u64),
}

/// The most steps that a run begins with.
const MOST_FIRST_STEPS: u64 = 64;

/// So many interruptions come in no run that makes any progress between them.
const MOST_INTERRUPTIONS: u64 = 1 << 20;

impl Ours {
    /// A guest for the program of `case`.
    ///
    /// # Panics
    ///
    /// If there is no memory for it.
    pub fn new(engine: &Engine, case: &Case, blob: &Blob) -> Ours {
        Ours::of_module(&Ours::module(engine, case, blob), case)
    }

    /// The program of `case`, prepared.
    pub fn module(engine: &Engine, case: &Case, blob: &Blob) -> Module {
        let options = Options { profile: Some(case.profile), gas_model: Some(case.gas_model) };
        Module::from_program(engine, blob.clone().into(), options)
    }

    /// A guest for the program of `case`, which is `module`: what others have had compiled is there already.
    ///
    /// # Panics
    ///
    /// If there is no memory for it.
    pub fn of_module(module: &Module, case: &Case) -> Ours {
        let mut instance = Instance::new(module, &[]).expect("memory for a guest");
        if let Some((start, limit)) = case.heap {
            instance.memory_mut().set_heap(start, limit, false);
        }
        Ours::of_instance(instance)
    }

    /// A guest that is this instance.
    pub(crate) fn of_instance(instance: Instance) -> Ours {
        Ours {
            instance,
            asked: false,
            disturbance: None,
            all_interruptions: 0,
            interruptions: 0,
            pace: Pace::Runs,
            read_clock: false,
            _displacer: None,
        }
    }

    /// The same, displaced by another guest: that one was there first.
    ///
    /// # Panics
    ///
    /// If there is no memory for both.
    pub fn displaced(module: &Module, case: &Case) -> Ours {
        let displacer = Instance::new(module, &[]).expect("memory for a guest");
        Ours::of_module(module, case).displaced_by(displacer)
    }

    pub(crate) fn displaced_by(self, displacer: Instance) -> Ours {
        Ours { _displacer: Some(displacer), ..self }
    }

    /// The same, which gets on like that.
    pub(crate) fn paced(self, pace: Pace) -> Ours {
        Ours { pace, ..self }
    }

    /// From now on another thread interrupts the guest, which runs on each time as if nothing had happened. What the
    /// script asks for is told apart by its time: the run that follows stops before it has begun.
    pub fn disturb(&mut self, interrupter: &Interrupter) {
        self.disturbance = Some(interrupter.disturb(self.instance.interrupt_handle()));
    }

    /// How often the other thread has interrupted the guest when it had got on since it was started or interrupted last.
    pub fn interruptions(&self) -> u64 {
        self.interruptions
    }

    /// Plays a case, and has host calls answered by a linker's function, which does what the script says.
    ///
    /// # Panics
    ///
    /// If a run fails.
    pub fn play_answered(mut self, case: &Case) -> (Ours, Vec<Stop>) {
        let player = Arc::new(Mutex::new(Player::start(case, &mut self.instance)));
        let (in_function, case) = (Arc::clone(&player), Arc::new(case.clone()));
        let stopped = move |guest: &mut Instance, exit| {
            let mut player = in_function.lock().unwrap_or_else(PoisonError::into_inner);
            let goes_on = player.stopped(&case, guest, exit);
            if player.take_interruption() {
                guest.interrupt_handle().interrupt();
            }
            goes_on
        };
        let mut linker = Linker::<()>::new();
        let at_call = stopped.clone();
        linker.func_other(move |caller, id| {
            let exit = Exit::HostCall { id };
            if at_call(caller.instance_mut(), exit) { Ok(()) } else { Err(exit.into()) }
        });
        let mut store = Store::from_instance(self.instance, &linker, ());
        loop {
            let exit = store.run().expect("host functions do not fail");
            // A call ends the run only where the script is over.
            let is_over = matches!(exit, Exit::HostCall { .. });
            if is_over || !stopped(store.instance_mut(), exit) {
                break;
            }
        }
        let stops = std::mem::take(&mut player.lock().unwrap_or_else(PoisonError::into_inner).stops);
        (Ours { instance: store.into_parts().0, ..self }, stops)
    }

    /// Whether the guest, which gets on in single steps alone, has come to an instruction that reads a clock.
    pub(crate) fn read_clock(&self) -> bool {
        self.read_clock
    }

    /// The instance.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// The instance, to be changed.
    pub(crate) fn instance_mut(&mut self) -> &mut Instance {
        &mut self.instance
    }
}

const PAGE: u64 = PAGE_SIZE as u64;

impl Machine for Ours {
    type Guest = Instance;

    fn run(&mut self) -> Exit {
        match self.pace {
            Pace::Runs => {}
            Pace::Steps(most) => {
                let steps = (0..most).find_map(|_| {
                    self.read_clock |= is_at_clock(&self.instance);
                    self.instance.step()
                });
                return steps.unwrap_or(Exit::Interrupted);
            }
            Pace::StepsFirst(count) => {
                if let Some(exit) = (0..count).find_map(|_| self.instance.step()) {
                    return exit;
                }
                self.pace = Pace::StepsFirst(count * 5 % MOST_FIRST_STEPS + 1);
            }
        }
        let runs_on = !std::mem::take(&mut self.asked) && self.disturbance.is_some();
        loop {
            let before = (self.instance.pc(), *self.instance.all_registers());
            let exit = self.instance.run();
            if exit != Exit::Interrupted || !runs_on || self.all_interruptions == MOST_INTERRUPTIONS {
                return exit;
            }
            self.all_interruptions += 1;
            self.interruptions += u64::from(before != (self.instance.pc(), *self.instance.all_registers()));
        }
    }

    fn interrupt(&mut self) {
        self.asked = true;
        self.instance.interrupt_handle().interrupt();
    }

    fn guest(&mut self) -> &mut Instance {
        &mut self.instance
    }
}

/// Whether the next instruction of a RISC-V guest reads a counter, and what it reads is a clock.
fn is_at_clock(instance: &Instance) -> bool {
    // A guest whose instructions are paid for has no clock. One whose instructions are counted has one counter that is.
    let module = instance.module();
    let clocks: &[u16] = match (module.gas_model(), module.engine().config().count_instructions) {
        (GasModel::Instruction, _) => return false,
        (_, true) => &[0xc01, 0xc81],
        (_, false) => &[0xc00, 0xc01, 0xc02, 0xc80, 0xc81, 0xc82, 0xb00, 0xb02, 0xb80, 0xb82],
    };
    let pc = instance.next_pc();
    let instruction = pvm_rv32::Code::new(instance.memory()).instruction(pc);
    let inst = instruction.map(|instruction| instruction.lower(pc));
    matches!(inst, Ok(Inst::Control { number, .. }) if clocks.contains(&number))
}

impl Stopped for Instance {
    fn pc(&self) -> u32 {
        Instance::pc(self)
    }

    fn set_pc(&mut self, pc: u32) {
        Instance::set_pc(self, pc);
    }

    fn gas(&self) -> u64 {
        Instance::gas(self)
    }

    fn set_gas(&mut self, gas: u64) {
        Instance::set_gas(self, gas);
    }

    fn registers(&self) -> [u64; REG_COUNT] {
        *Instance::registers(self)
    }

    fn set_register(&mut self, index: usize, value: u64) {
        self.registers_mut()[index] = value;
    }

    fn access(&self, page: u32) -> Access {
        self.memory().access(page)
    }

    fn map(&mut self, page: u32, access: Access) {
        self.memory_mut().map(page, PAGE, access).expect("pages can be mapped");
    }

    fn protect(&mut self, page: u32, access: Access) {
        self.memory_mut().protect(page, PAGE, access).expect("pages can be protected");
    }

    fn write(&mut self, address: u32, bytes: &[u8]) {
        self.memory_mut().write(address, bytes).expect("the page is writable");
    }

    fn read(&mut self, page: u32, into: &mut [u8]) {
        self.memory().read(page, into).expect("the page is readable");
    }
}
