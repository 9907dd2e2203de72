//! The same program in Cranelift's interpreter, which knows nothing of registers, and compiled.

use super::harness::{Outcome, program, run};
use cranelift_codegen::data_value::DataValue;
use cranelift_codegen::ir::{Function, Type, types};
use cranelift_interpreter::environment::FunctionStore;
use cranelift_interpreter::interpreter::{Interpreter, InterpreterError, InterpreterState};
use cranelift_interpreter::step::ControlFlow;
use fastrand::Rng;
use pvm_backend::compile;
use pvm_runtime::Jit;
use std::fmt::Write;

/// What came of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Runs that returned.
    pub returned: u32,
    /// Runs that trapped.
    pub trapped: u32,
    /// Runs that took too long for the interpreter; nothing is compared then.
    pub given_up: u32,
}

/// How many instructions the interpreter executes.
const FUEL: u64 = 200_000;
/// On how many arguments a program runs.
const RUNS: usize = 3;

/// Runs function 0 of `functions` on random arguments in both ways.
///
/// # Errors
///
/// If the program is refused, or results differ; in words.
pub fn check(functions: &[Function], rng: &mut Rng) -> Result<Checked, String> {
    let mut checked = Checked::default();
    let source = program(functions.to_vec());
    let stack_size = *rng.choice(&[16384, 65536]).expect("it has elements");
    let mut variants = vec![(true, Jit::Off), (false, Jit::Off)];
    // Takes most of the time, and is tested by other means.
    if rng.u8(..8) == 0 {
        variants.push((true, Jit::Cranelift));
    }
    let mut compiled = Vec::new();
    for (optimise, jit) in variants {
        let options = pvm_backend::Options { optimise, quick: !optimise && rng.bool(), check: true, stack_size };
        let program = compile(&source, &options).map_err(|error| format!("optimise={optimise}: {error}"))?;
        if compile(&source, &options).as_ref() != Ok(&program) {
            return Err("compiling it again gives something else".to_owned());
        }
        compiled.push((program, optimise, jit));
    }
    for _ in 0..RUNS {
        let params = functions[0].signature.params.iter();
        let arguments: Vec<i64> = params.map(|param| argument(param.value_type, rng)).collect();
        let Some(expected) = interpret(functions, &arguments)? else {
            checked.given_up += 1;
            continue;
        };
        match expected {
            Outcome::Values(_) => checked.returned += 1,
            _ => checked.trapped += 1,
        }
        for (program, optimise, jit) in &compiled {
            let found = run(program, &arguments, *jit);
            if found != expected {
                return Err(format!(
                    "optimise={optimise}, {jit:?}, arguments {arguments:?}: {found:?} instead of {expected:?}"
                ));
            }
        }
    }
    Ok(checked)
}

/// A number at which something may turn, sign-extended from the type.
fn argument(ty: Type, rng: &mut Rng) -> i64 {
    let bits = match rng.u8(..4) {
        0 => rng.i64(-3..4),
        1 => 1i64.wrapping_shl(rng.u32(..64)).wrapping_add(rng.i64(-1..2)),
        2 => rng.i64(..) >> rng.u32(..64),
        _ => rng.i64(..),
    };
    let unused = 64 - ty.bits();
    bits << unused >> unused
}

/// The outcome in the interpreter, unless it takes too long.
fn interpret(functions: &[Function], arguments: &[i64]) -> Result<Option<Outcome>, String> {
    let mut store = FunctionStore::default();
    for function in functions {
        store.add(function.name.to_string(), function);
    }
    let state = InterpreterState::default().with_function_store(store);
    let mut interpreter = Interpreter::new(state).with_fuel(Some(FUEL));
    let params = functions[0].signature.params.iter();
    let arguments: Vec<DataValue> =
        arguments.iter().zip(params).map(|(&argument, param)| data_value(param.value_type, argument)).collect();
    match interpreter.call_by_name(&functions[0].name.to_string(), &arguments) {
        Ok(ControlFlow::Return(values)) => Ok(Some(Outcome::Values(values.iter().map(number).collect()))),
        Ok(ControlFlow::Trap(_)) => Ok(Some(Outcome::Trap)),
        Err(InterpreterError::FuelExhausted) => Ok(None),
        other => Err(format!("the interpreter fails: {other:?}")),
    }
}

fn data_value(ty: Type, value: i64) -> DataValue {
    match ty {
        types::I8 => DataValue::I8(value as i8),
        types::I16 => DataValue::I16(value as i16),
        types::I32 => DataValue::I32(value as i32),
        _ => DataValue::I64(value),
    }
}

fn number(value: &DataValue) -> i64 {
    match *value {
        DataValue::I8(value) => value.into(),
        DataValue::I16(value) => value.into(),
        DataValue::I32(value) => value.into(),
        DataValue::I64(value) => value,
        ref other => unreachable!("no function returns {other}"),
    }
}

/// The functions as text.
pub fn text(functions: &[Function]) -> String {
    let mut text = String::new();
    for function in functions {
        let _ = writeln!(text, "{function}");
    }
    text
}
