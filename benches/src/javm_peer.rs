//! The `javm` crate, through its public interface: an interpreter and a recompiler for x86-64, both of which charge gas per
//! block and know no other way.
//!
//! Its memory is one flat area from address 0 to the top of the heap, so the stack that a container puts at the end of the
//! address space moves down to the end of that area.

use crate::clock::{Processes, Stopwatch};
use crate::contender::{Contender, GAS, Guest, Runner, Sample};
use crate::kernel::Kernel;
use anyhow::{Context, Result, anyhow, bail};
use javm::program::DataLayout;
use javm::{ExitReason, Pvm, RecompiledPvm};

/// Where the flat memory ends. All data of our kernels lies below.
const MEMORY_SIZE: u32 = 16 << 20;
/// The address that a program returns to when it is done.
const HALT_ADDRESS: u64 = 0xffff_0000;
/// Registers by their use in C.
const RETURN_ADDRESS: usize = 0;
const STACK_POINTER: usize = 1;
const ARGUMENT: usize = 7;

/// Its recompiler and its interpreter.
pub fn contenders() -> Vec<Contender> {
    vec![contender("javm-recompiler-gas", 1, recompiled), contender("javm-interp-gas", 20, interpreted)]
}

/// Makes a run of a guest.
type Run = fn(&Parts, u64) -> Result<Sample>;

fn contender(name: &'static str, share: u64, run: Run) -> Contender {
    let prepare = move |kernel: &Kernel| -> Result<Runner> {
        let parts = Parts::new(kernel)?;
        Ok(Box::new(move |n| run(&parts, n)))
    };
    Contender { name, guest: Guest::Pvm, share, prepare: Box::new(prepare) }
}

/// A program as its interface takes it.
struct Parts {
    entry: u32,
    code: Vec<u8>,
    /// A byte for each byte of code.
    bitmask: Vec<u8>,
    jump_table: Vec<u32>,
    memory: Vec<u8>,
}

impl Parts {
    fn new(kernel: &Kernel) -> Result<Parts> {
        let kernel = kernel.pvm()?;
        let blob = &kernel.program.blob;
        let len = blob.code.len() as u32;
        let mut memory = vec![0; MEMORY_SIZE as usize];
        for segment in kernel.program.image.segments.iter().filter(|segment| !segment.data.is_empty()) {
            let start = segment.address as usize;
            let place = memory.get_mut(start..start + segment.data.len());
            place.with_context(|| format!("data at {start:#x}"))?.copy_from_slice(&segment.data);
        }
        Ok(Parts {
            entry: kernel.entry,
            code: blob.code.clone(),
            bitmask: (0..len).map(|pc| u8::from(blob.starts_instruction(pc))).collect(),
            jump_table: blob.jump_entries().collect(),
            memory,
        })
    }

    fn registers(n: u64) -> [u64; 13] {
        let mut registers = [0; 13];
        registers[RETURN_ADDRESS] = HALT_ADDRESS;
        registers[STACK_POINTER] = u64::from(MEMORY_SIZE);
        registers[ARGUMENT] = n;
        registers
    }
}

fn recompiled(parts: &Parts, n: u64) -> Result<Sample> {
    let layout = DataLayout {
        mem_size: MEMORY_SIZE,
        arg_start: 0,
        arg_data: Vec::new(),
        ro_start: 0,
        ro_data: Vec::new(),
        rw_start: 0,
        rw_data: parts.memory.clone(),
    };
    let (code, bitmask, jumps) = (parts.code.clone(), parts.bitmask.clone(), parts.jump_table.clone());
    // Compiling is done here, before the clock starts.
    let pvm = RecompiledPvm::new(code, bitmask, jumps, Parts::registers(n), GAS as u64, Some(layout));
    let mut pvm = pvm.map_err(|error| anyhow!(error))?;
    pvm.set_heap_top(MEMORY_SIZE);
    pvm.set_pc(parts.entry);
    let stopwatch = Stopwatch::start(Processes::Own);
    let exit = pvm.run();
    let time = stopwatch.elapsed();
    match exit {
        ExitReason::Halt => Ok(Sample { time, result: pvm.registers()[ARGUMENT] }),
        exit => bail!("stopped by {exit:?} at {}", pvm.pc()),
    }
}

fn interpreted(parts: &Parts, n: u64) -> Result<Sample> {
    let (code, bitmask, jumps) = (parts.code.clone(), parts.bitmask.clone(), parts.jump_table.clone());
    let mut pvm = Pvm::new(code, bitmask, jumps, Parts::registers(n), parts.memory.clone(), GAS as u64);
    pvm.pc = parts.entry;
    let stopwatch = Stopwatch::start(Processes::Own);
    let (exit, _) = pvm.run();
    let time = stopwatch.elapsed();
    match exit {
        ExitReason::Halt => Ok(Sample { time, result: pvm.registers[ARGUMENT] }),
        exit => bail!("stopped by {exit:?} at {}", pvm.pc),
    }
}
