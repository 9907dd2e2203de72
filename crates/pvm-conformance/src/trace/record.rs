//! The records of a trace, and looking for one in a line.

use super::line::{Miss, Scan};
use super::{End, EndKind, Problem, State};
use pvm_isa::REG_COUNT;
use std::borrow::Cow;

/// A record: a line of a trace. [`Display`](std::fmt::Display) gives its canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// `program`: the program as it is stored.
    Program(Cow<'a, [u8]>),
    /// `memwrite`: the host writes memory; before the start, memory gets its initial contents.
    MemWrite {
        /// The address of the first byte.
        address: u32,
        /// The bytes; they end below 2^32.
        data: Cow<'a, [u8]>,
    },
    /// `memread`: the host reads memory.
    MemRead {
        /// The address of the first byte.
        address: u32,
        /// The bytes; they end below 2^32.
        data: Cow<'a, [u8]>,
    },
    /// `start`: the state at the start.
    Start(State),
    /// `ecalli`: a host call.
    Ecalli {
        /// Its number.
        id: u64,
        /// The state at the call.
        state: State,
    },
    /// `setreg`: the host sets a register.
    SetReg {
        /// Which one, at most 12.
        register: u8,
        /// The value.
        value: u64,
    },
    /// `setgas`: gas after a host call.
    SetGas(u64),
    /// `HALT`, `OOG` or `PANIC`: the end of the run.
    End(Cow<'a, End>),
}

impl Record<'_> {
    /// The word that the record begins with.
    pub fn name(&self) -> &'static str {
        match self {
            Record::Program(_) => "program",
            Record::MemWrite { .. } => "memwrite",
            Record::MemRead { .. } => "memread",
            Record::Start(_) => "start",
            Record::Ecalli { .. } => "ecalli",
            Record::SetReg { .. } => "setreg",
            Record::SetGas(_) => "setgas",
            Record::End(end) => match end.kind {
                EndKind::Halt => "HALT",
                EndKind::OutOfGas => "OOG",
                EndKind::Panic { .. } => "PANIC",
            },
        }
    }

    /// The first record in a line, if there is one. A comment hides what follows it.
    ///
    /// A record need not begin at the start of a word: prefixes of loggers may end in anything, such as the letter that
    /// closes the escape sequence of a colour.
    ///
    /// # Errors
    ///
    /// If the line has the form of a record, but the values of none.
    pub fn find(line: &str) -> Result<Option<Record<'static>>, Problem> {
        for (at, _) in line.char_indices() {
            let rest = &line[at..];
            if rest.strip_prefix("comment").is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')) {
                return Ok(None);
            }
            match read(Scan(rest)) {
                Ok(record) => return Ok(Some(record)),
                Err(Miss::Invalid(problem)) => return Err(problem),
                Err(Miss::NoRecord) => {}
            }
        }
        Ok(None)
    }
}

/// Reads the record that `scan` begins with.
fn read(mut scan: Scan<'_>) -> Result<Record<'static>, Miss> {
    // The first letter decides at nearly every place that no record begins there.
    match scan.0.as_bytes().first() {
        Some(b'p') => {
            scan.literal("program ")?;
            Ok(Record::Program(Cow::Owned(scan.bytes()?)))
        }
        Some(b'm') => memory(scan),
        Some(b's') => setting(scan),
        Some(b'e') => {
            scan.literal("ecalli=")?;
            let id = scan.number("ecalli", u64::MAX)?;
            scan.literal(" ")?;
            Ok(Record::Ecalli { id, state: state(&mut scan)? })
        }
        Some(b'H' | b'O' | b'P') => end(scan),
        _ => Err(Miss::NoRecord),
    }
}

fn memory(mut scan: Scan<'_>) -> Result<Record<'static>, Miss> {
    let write = scan.literal("memwrite ").is_ok();
    if !write {
        scan.literal("memread ")?;
    }
    let address = scan.number_32("address")?;
    scan.literal(" len=")?;
    let stated = scan.number("len", u64::MAX)?;
    scan.literal(if write { " <- " } else { " -> " })?;
    let data = scan.bytes()?;
    let found = data.len() as u64;
    if found != stated {
        return Err(Miss::Invalid(Problem::Length { stated, found }));
    }
    if u64::from(address) + found > 1 << 32 {
        return Err(Miss::Invalid(Problem::Range { address, length: found }));
    }
    let data = Cow::Owned(data);
    Ok(if write { Record::MemWrite { address, data } } else { Record::MemRead { address, data } })
}

/// `start`, `setreg` and `setgas`.
fn setting(mut scan: Scan<'_>) -> Result<Record<'static>, Miss> {
    if scan.literal("start ").is_ok() {
        return Ok(Record::Start(state(&mut scan)?));
    }
    if scan.literal("setgas <- ").is_ok() {
        return Ok(Record::SetGas(scan.number("gas", u64::MAX)?));
    }
    scan.literal("setreg r")?;
    let register = register(&mut scan)?;
    scan.literal(" <- ")?;
    Ok(Record::SetReg { register, value: scan.number("register value", u64::MAX)? })
}

fn end(mut scan: Scan<'_>) -> Result<Record<'static>, Miss> {
    let kind = if scan.literal("HALT ").is_ok() {
        EndKind::Halt
    } else if scan.literal("OOG ").is_ok() {
        EndKind::OutOfGas
    } else {
        scan.literal("PANIC=")?;
        let argument = scan.word()?.to_string();
        scan.literal(" ")?;
        EndKind::Panic { argument }
    };
    Ok(Record::End(Cow::Owned(End { kind, state: state(&mut scan)? })))
}

fn register(scan: &mut Scan<'_>) -> Result<u8, Miss> {
    let number = scan.number("register", REG_COUNT as u64 - 1)?;
    u8::try_from(number).map_err(|_| Miss::NoRecord)
}

/// `pc=P gas=G` and the registers that are not zero, in whatever order.
fn state(scan: &mut Scan<'_>) -> Result<State, Miss> {
    let mut state = State::default();
    scan.literal("pc=")?;
    state.pc = scan.number_32("pc")?;
    scan.literal(" gas=")?;
    state.gas = scan.number("gas", u64::MAX)?;
    let mut seen = [false; REG_COUNT];
    while let Some((register, value)) = register_pair(scan)? {
        let at = usize::from(register);
        if std::mem::replace(&mut seen[at], true) {
            return Err(Miss::Invalid(Problem::Twice { register }));
        }
        state.registers[at] = value;
    }
    Ok(state)
}

/// ` rII=V`, if that comes next; other text is what the line goes on with after the record.
fn register_pair(scan: &mut Scan<'_>) -> Result<Option<(u8, u64)>, Miss> {
    let mut ahead = *scan;
    let is_pair = ahead.literal(" r").is_ok()
        && ahead.0.split_once('=').is_some_and(|(index, _)| {
            !index.is_empty() && index.len() < 4 && index.bytes().all(|digit| digit.is_ascii_digit())
        });
    if !is_pair {
        return Ok(None);
    }
    let register = register(&mut ahead)?;
    ahead.literal("=")?;
    let value = match ahead.number("register value", u64::MAX) {
        // Cut off behind the `=`: a damaged register, and not the text behind a record.
        Err(Miss::NoRecord) => return Err(Miss::Invalid(Problem::NotANumber { field: "register value" })),
        value => value?,
    };
    *scan = ahead;
    Ok(Some((register, value)))
}
