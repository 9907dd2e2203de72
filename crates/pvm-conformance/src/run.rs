//! Running conformance data on the engine and naming the first difference.

use crate::replay::replay;
use crate::trace::Trace;
use crate::vector::{Assertion, Chunk, GasVector, Pages, Registers, Status, Step, Vector};
use pvm_gas::{GasModel, cost_from};
use pvm_isa::Profile;
use pvm_program::Blob;
use pvm_runtime::{Access, CompileStats, Engine, Exit, Instance, Memory, Module, Options, Program, Stats};
use std::time::Duration;

/// How conformance data is run.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The engine.
    pub engine: Engine,
    /// Replaces the profile and gas model that go with a kind of file: 0.7 and block gas for vectors, draft and the
    /// pipeline for gas vectors; for traces 0.7 or what the program's container asks for, and the gas model of that.
    pub options: Options,
    /// How long a case may run.
    pub timeout: Option<Duration>,
}

/// What came of a case.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// The first difference, if there is one.
    pub difference: Option<String>,
    /// What was executed.
    pub stats: Stats,
    /// What was compiled.
    pub compiled: CompileStats,
}

impl Case {
    /// A case that cannot be run, and why.
    pub(crate) fn refused(error: &dyn std::error::Error) -> Case {
        Case { difference: Some(error.to_string()), ..Case::default() }
    }
}

/// A run that is not as expected: the first difference, in words.
pub type Difference = String;

impl Suite {
    /// Runs a PVM vector.
    pub fn vector(&self, vector: &Vector) -> Case {
        let expected = &vector.expected;
        let Ok(blob) = Blob::parse(&vector.program) else {
            return Case { difference: compare_invalid(vector).err(), ..Case::default() };
        };
        let gas_model = vector.gas_model.unwrap_or(GasModel::Block);
        self.case(blob, Profile::V0_7, gas_model, |instance| {
            vector.prepare(instance)?;
            let exit = instance.run();
            compare_exit(exit, expected.status, expected.page_fault_address)?;
            compare("pc", &instance.pc(), &expected.pc)?;
            compare("gas", &instance.gas(), &expected.gas)?;
            compare_registers(instance.registers(), &expected.registers)?;
            vector.pages.iter().try_for_each(|&pages| compare_pages(instance.memory(), pages, &expected.memory))
        })
    }

    /// Runs a gas vector: costs first, then steps.
    pub fn gas_vector(&self, vector: &GasVector) -> Case {
        let blob = match Blob::parse(&vector.program) {
            Ok(blob) => blob,
            Err(error) => return Case { difference: Some(format!("program: {error}")), ..Case::default() },
        };
        self.case(blob, Profile::Draft, GasModel::Pipeline, |instance| {
            for (&pc, cost) in &vector.block_gas_costs {
                let code = instance.module().code().expect("vectors are PVM programs");
                compare(&format!("cost of the block at {pc}"), &cost_from(GasModel::Pipeline, code, pc), cost)?;
            }
            vector.prepare(instance)?;
            let mut exit = None;
            for (number, step) in vector.steps.iter().enumerate() {
                step_gas_vector(instance, step, &mut exit).map_err(|error| format!("step {number}: {error}"))?;
            }
            Ok(())
        })
    }

    /// Replays a host-call trace.
    pub fn trace(&self, trace: &Trace) -> Case {
        let program = match Program::parse(&trace.program) {
            Ok(program) => program,
            Err(error) => return Case { difference: Some(format!("program: {error}")), ..Case::default() },
        };
        let profile = self.options.profile.or(program.profile).unwrap_or_default();
        self.case(program, profile, GasModel::default_for(profile), |instance| replay(instance, trace).map(|_| ()))
    }

    fn case(
        &self,
        program: impl Into<Program>,
        profile: Profile,
        gas_model: GasModel,
        run: impl FnOnce(&mut Instance) -> Result<(), Difference>,
    ) -> Case {
        let options = Options {
            profile: self.options.profile.or(Some(profile)),
            gas_model: self.options.gas_model.or(Some(gas_model)),
        };
        let module = Module::from_program(&self.engine, program.into(), options);
        let mut instance = match Instance::new(&module, &[]) {
            Ok(instance) => instance,
            Err(error) => return Case { difference: Some(error.to_string()), ..Case::default() },
        };
        let alarm = self.timeout.map(|time| instance.interrupt_after(time)).transpose();
        let difference = match &alarm {
            Ok(_) => run(&mut instance).err(),
            Err(error) => Some(format!("no thread to watch the time: {error}")),
        };
        Case { difference, stats: instance.stats(), compiled: module.compile_stats() }
    }
}

impl Vector {
    /// Puts the state that the vector starts in into an instance of its program.
    ///
    /// # Errors
    ///
    /// If memory cannot be had.
    pub fn prepare(&self, instance: &mut Instance) -> Result<(), Difference> {
        prepare(instance, &self.pages, &self.memory)?;
        *instance.registers_mut() = self.registers;
        instance.set_pc(self.pc);
        instance.set_gas(self.gas);
        Ok(())
    }
}

impl GasVector {
    /// Puts the state that the vector starts in into an instance of its program.
    ///
    /// # Errors
    ///
    /// If memory cannot be had.
    pub fn prepare(&self, instance: &mut Instance) -> Result<(), Difference> {
        prepare(instance, &self.pages, &self.memory)?;
        *instance.registers_mut() = self.registers;
        instance.set_pc(self.pc);
        instance.set_gas(self.gas.unwrap_or_default());
        Ok(())
    }
}

fn step_gas_vector(instance: &mut Instance, step: &Step, exit: &mut Option<Exit>) -> Result<(), Difference> {
    match step {
        Step::Run => *exit = Some(instance.run()),
        Step::Map(pages) => map(instance.memory_mut(), *pages)?,
        Step::Write(chunk) => write(instance.memory_mut(), chunk)?,
        Step::SetRegister { register, value } => instance.registers_mut()[usize::from(*register)] = *value,
        Step::Assert(assertion) => {
            let exit = exit.ok_or("nothing has run yet")?;
            compare_assertion(instance, exit, assertion)?;
        }
    }
    Ok(())
}

fn compare_assertion(instance: &Instance, exit: Exit, expected: &Assertion) -> Result<(), Difference> {
    compare_exit(exit, expected.status, expected.page_fault_address)?;
    expected.pc.map_or(Ok(()), |pc| compare("pc", &instance.pc(), &pc))?;
    expected.gas.map_or(Ok(()), |gas| compare("gas", &instance.gas(), &gas))?;
    expected.registers.map_or(Ok(()), |registers| compare_registers(instance.registers(), &registers))?;
    expected.memory.iter().try_for_each(|chunk| compare_chunk(instance.memory(), chunk))
}

/// A program that is not valid panics at 0 and changes nothing (Gray Paper A.1).
fn compare_invalid(vector: &Vector) -> Result<(), Difference> {
    let expected = &vector.expected;
    compare_exit(Exit::Panic, expected.status, expected.page_fault_address)?;
    compare("pc", &0, &expected.pc)?;
    compare("gas", &vector.gas, &expected.gas)?;
    compare_registers(&vector.registers, &expected.registers)
}

fn prepare(instance: &mut Instance, pages: &[Pages], memory: &[Chunk]) -> Result<(), Difference> {
    pages.iter().try_for_each(|&pages| map(instance.memory_mut(), pages))?;
    memory.iter().try_for_each(|chunk| write(instance.memory_mut(), chunk))
}

fn map(memory: &mut Memory, pages: Pages) -> Result<(), Difference> {
    let access = if pages.writable { Access::ReadWrite } else { Access::Read };
    memory.map(pages.address, pages.length, access).map_err(|error| error.to_string())
}

fn write(memory: &mut Memory, chunk: &Chunk) -> Result<(), Difference> {
    memory.initialise(chunk.address, &chunk.contents).map_err(|error| format!("memory is to be set: {error}"))
}

/// The status of an exit, as vectors name it.
pub(crate) fn status(exit: Exit) -> Option<Status> {
    match exit {
        Exit::Halt => Some(Status::Halt),
        Exit::Panic => Some(Status::Panic),
        Exit::PageFault { .. } => Some(Status::PageFault),
        Exit::HostCall { .. } => Some(Status::HostCall),
        Exit::OutOfGas => Some(Status::OutOfGas),
        Exit::Interrupted | Exit::Ecall | Exit::Trap { .. } => None,
    }
}

fn compare_exit(exit: Exit, expected: Status, page: Option<u32>) -> Result<(), Difference> {
    if status(exit) != Some(expected) {
        let found = status(exit).map_or("interrupted", Status::name);
        return Err(format!("status: expected {expected}, found {found}"));
    }
    match (exit, page) {
        (Exit::PageFault { address }, Some(page)) => compare("page-fault address", &address, &page),
        _ => Ok(()),
    }
}

pub(crate) fn compare<T: PartialEq + std::fmt::Display>(what: &str, found: &T, expected: &T) -> Result<(), Difference> {
    if found == expected { Ok(()) } else { Err(format!("{what}: expected {expected}, found {found}")) }
}

pub(crate) fn compare_registers(found: &Registers, expected: &Registers) -> Result<(), Difference> {
    let mut pairs = found.iter().zip(expected).enumerate();
    match pairs.find(|(_, (found, expected))| found != expected) {
        Some((index, (found, expected))) => Err(format!("r{index}: expected {expected:#x}, found {found:#x}")),
        None => Ok(()),
    }
}

fn compare_chunk(memory: &Memory, expected: &Chunk) -> Result<(), Difference> {
    let mut found = vec![0; expected.contents.len()];
    memory
        .read(expected.address, &mut found)
        .map_err(|fault| format!("memory at {:#x} is not mapped", fault.address))?;
    compare_bytes(expected.address, &found, &expected.contents)
}

/// Compares all of some pages: where the vector names no bytes, it expects zeros.
fn compare_pages(memory: &Memory, pages: Pages, chunks: &[Chunk]) -> Result<(), Difference> {
    let page_size = 4096;
    for at in (u64::from(pages.address)..u64::from(pages.address) + pages.length).step_by(page_size) {
        let address = at as u32;
        let mut expected = vec![0; page_size];
        for chunk in chunks {
            for (offset, byte) in chunk.contents.iter().enumerate() {
                let place = u64::from(chunk.address) + offset as u64;
                if (at..at + page_size as u64).contains(&place) {
                    expected[(place - at) as usize] = *byte;
                }
            }
        }
        let mut found = vec![0; page_size];
        memory
            .read(address, &mut found)
            .map_err(|fault| format!("memory at {:#x} is not mapped any more", fault.address))?;
        compare_bytes(address, &found, &expected)?;
    }
    Ok(())
}

pub(crate) fn compare_bytes(address: u32, found: &[u8], expected: &[u8]) -> Result<(), Difference> {
    match found.iter().zip(expected).position(|(found, expected)| found != expected) {
        Some(offset) => Err(format!(
            "memory at {:#x}: expected {:#04x}, found {:#04x}",
            u64::from(address) + offset as u64,
            expected[offset],
            found[offset]
        )),
        None => Ok(()),
    }
}
