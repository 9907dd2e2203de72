//! From items to bytes: where each instruction stands, and how long it is.
//!
//! An instruction that names a label is as long as the distance needs, and distances depend on lengths. Rounds settle
//! this. In the first, labels ahead are unknown and instructions as short as can be; each further round takes a label
//! ahead to be where it was in the round before, moved as far as the instruction itself has moved, and a label behind to
//! be where it is. Distances between labels then only grow, and numbers without labels are exact at once. A round that
//! moves nothing ends it.

use crate::AsmError;
use crate::error::{AsmProblem, Place};
use crate::expr::{Expr, Values};
use crate::field::{TARGET, data};
use crate::source::{Entry, Item, Kind, Source};
use crate::symbols::{Definition, SymbolId, Symbols};
use pvm_isa::{EncodeError, Opcode};
use pvm_program::{Blob, ZONE_SIZE};
use std::collections::HashMap;

/// After so many rounds only an expression can be to blame in which two labels work against each other.
const MAX_ROUNDS: u32 = 64;

/// What is known of a name.
#[derive(Clone, Copy, Debug)]
enum Value {
    Unknown,
    Known(i128),
    /// A label in the code that is not placed yet in this round, and where it was in the round before.
    Ahead(i128),
}

/// The values of all names.
#[derive(Debug)]
pub(crate) struct Layout {
    values: Vec<Value>,
    /// How far the current item has moved since the round before.
    drift: i128,
    /// Labels by their place in the jump table, as dynamic addresses.
    dynamic: HashMap<SymbolId, i128>,
}

impl Values for Layout {
    fn symbol(&self, id: SymbolId) -> Option<i128> {
        match self.values[id] {
            Value::Unknown => None,
            Value::Known(value) => Some(value),
            Value::Ahead(before) => Some(before + self.drift),
        }
    }

    fn dynamic(&self, id: SymbolId) -> Option<i128> {
        self.dynamic.get(&id).copied()
    }
}

impl Layout {
    /// Lays the program out: the blob, and the values of all names.
    pub(crate) fn of(source: &Source) -> Result<(Blob, Layout), AsmError> {
        let dynamic = dynamic_addresses(source)?;
        let values = source.symbols.all().iter().map(|symbol| data_label(source, &symbol.definition)).collect();
        let mut layout = Layout { values, drift: 0, dynamic };
        let (code, positions) = layout.settle(source)?;
        let mut blob = Blob { bitmask: vec![0; code.len().div_ceil(8)], code, ..Blob::default() };
        for (item, &pc) in source.code.iter().zip(&positions) {
            if !matches!(item, Item::Label(_) | Item::Raw { start: false, .. }) {
                blob.bitmask[pc / 8] |= 1 << (pc % 8);
            }
        }
        layout.jump_table(source, &mut blob)?;
        Ok((blob, layout))
    }

    fn settle(&mut self, source: &Source) -> Result<(Vec<u8>, Vec<usize>), AsmError> {
        let mut before = Vec::new();
        for _ in 0..MAX_ROUNDS {
            self.constants(&source.symbols)?;
            let (code, positions) = self.round(source, &before)?;
            self.drift = 0;
            if positions == before {
                return Ok((code, positions));
            }
            for value in self.code_labels(&source.symbols) {
                if let Value::Known(pc) = *value {
                    *value = Value::Ahead(pc);
                }
            }
            before = positions;
        }
        Err(Place { line: 1, column: 1 }.error(AsmProblem::Unsettled))
    }

    fn code_labels(&mut self, symbols: &Symbols) -> impl Iterator<Item = &mut Value> {
        let is_code: Vec<bool> =
            symbols.all().iter().map(|symbol| matches!(symbol.definition, Some((Definition::Code, _)))).collect();
        self.values.iter_mut().zip(is_code).filter(|(_, code)| *code).map(|(value, _)| value)
    }

    /// Evaluates constants, each after those it may use.
    fn constants(&mut self, symbols: &Symbols) -> Result<(), AsmError> {
        for &id in &symbols.constants {
            if let Some((Definition::Constant(expr), _)) = &symbols.get(id).definition {
                self.values[id] = expr.value(self)?.map_or(Value::Unknown, Value::Known);
            }
        }
        Ok(())
    }

    /// Encodes everything once: the code, and where each item and the end stand.
    fn round(&mut self, source: &Source, before: &[usize]) -> Result<(Vec<u8>, Vec<usize>), AsmError> {
        let mut code = Vec::new();
        let mut positions = Vec::with_capacity(source.code.len() + 1);
        for (index, item) in source.code.iter().enumerate() {
            let here = code.len();
            positions.push(here);
            let was = before.get(index).copied().unwrap_or(here);
            self.drift = here as i128 - was as i128;
            let pc = here as u32;
            match item {
                Item::Label(id) => self.values[*id] = Value::Known(here as i128),
                Item::Raw { bytes, .. } => code.extend(bytes),
                Item::Instruction(pending) => {
                    let instruction = pending.instruction(self, pc)?;
                    let encoded = instruction.encode(source.profile, pc, &mut code);
                    encoded.map_err(|error| pending.place.error(error.into()))?;
                }
                Item::WideJump(target) => {
                    let value = target.value(self)?.unwrap_or(here as i128);
                    let value = TARGET.check(value, target.place)?;
                    let offset = i32::try_from(value - here as i128)
                        .map_err(|_| target.place.error(EncodeError::OutOfReach { target: value as i64 }.into()))?;
                    code.extend(Opcode::Jump.byte(source.profile));
                    code.extend(offset.to_le_bytes());
                }
            }
        }
        positions.push(code.len());
        Ok((code, positions))
    }

    fn jump_table(&self, source: &Source, blob: &mut Blob) -> Result<(), AsmError> {
        let table = &source.table;
        let mut values = Vec::new();
        for entry in &table.entries {
            values.push(match entry {
                Entry::Value(expr) => self.number(expr)?,
                // Entries as bytes have the size of the table, which is then written.
                Entry::Bytes(_) => (0, Place::default()),
            });
        }
        for &id in &added(source) {
            values.push((self.symbol(id).unwrap_or(0), source.symbols.get(id).place));
        }
        let greatest = values.iter().map(|&(value, _)| value).max();
        let needed = greatest.map_or(0, |value| (1..8).find(|bytes| value >> (8 * bytes) == 0).unwrap_or(8));
        let size = table.size.unwrap_or(needed);
        for (index, &(value, place)) in values.iter().enumerate() {
            if let Some(Entry::Bytes(bytes)) = table.entries.get(index) {
                blob.jump_bytes.extend(bytes);
                continue;
            }
            let high = if size >= 8 { u64::MAX } else { (1 << (8 * u32::from(size))) - 1 };
            let value = crate::field::unsigned("an entry of the jump table", high).check(value, place)? as u64;
            let mut bytes = value.to_le_bytes().to_vec();
            bytes.resize(usize::from(size), 0);
            blob.jump_bytes.extend(bytes);
        }
        blob.jump_size = size;
        blob.jump_count = (values.len() as u64).saturating_add(table.empty_entries);
        Ok(())
    }

    fn number(&self, expr: &Expr) -> Result<(i128, Place), AsmError> {
        Ok((expr.value(self)?.unwrap_or(0), expr.place))
    }

    /// The bytes of a data section with all numbers put in.
    pub(crate) fn data(&self, source: &Source, section: usize) -> Result<Vec<u8>, AsmError> {
        let section = &source.sections[section];
        let mut bytes = section.bytes.clone();
        for fixup in &section.fixups {
            let (value, place) = self.number(&fixup.value)?;
            let value = data(fixup.width).check(value, place)?;
            let width = fixup.width as usize;
            bytes[fixup.offset..fixup.offset + width].copy_from_slice(&value.to_le_bytes()[..width]);
        }
        Ok(bytes)
    }

    /// The program counters of the exports with their names.
    pub(crate) fn exports<'s>(&self, source: &'s Source) -> Result<Vec<(&'s [u8], u64)>, AsmError> {
        let mut exports = Vec::new();
        for (name, target) in &source.exports {
            let (value, place) = self.number(target)?;
            exports.push((name.as_slice(), crate::field::U32.check(value, place)? as u64));
        }
        Ok(exports)
    }
}

/// The guest address of a label in data; both kinds of data begin where the standard program has them.
fn data_label(source: &Source, definition: &Option<(Definition, Place)>) -> Value {
    let Some((Definition::Data { section, offset }, _)) = definition else { return Value::Unknown };
    let zone = u64::from(ZONE_SIZE);
    let ro_len = |kind| source.sections.iter().find(|section| section.kind == kind).map_or(0, |ro| ro.bytes.len());
    let base = match source.sections[*section].kind {
        Kind::ReadOnly => zone,
        _ => 2 * zone + (ro_len(Kind::ReadOnly) as u64).next_multiple_of(zone),
    };
    Value::Known(i128::from(base + offset))
}

/// Labels whose dynamic address is used and that the source does not list in the jump table itself, each once.
fn added(source: &Source) -> Vec<SymbolId> {
    let mut seen: Vec<bool> = vec![false; source.symbols.all().len()];
    for entry in &source.table.entries {
        if let Entry::Value(expr) = entry
            && let Some(id) = expr.as_symbol()
        {
            seen[id] = true;
        }
    }
    source.table.used.iter().copied().filter(|&id| !std::mem::replace(&mut seen[id], true)).collect()
}

/// The dynamic addresses of labels: 2 for the first entry of the jump table, 4 for the second, and so on.
fn dynamic_addresses(source: &Source) -> Result<HashMap<SymbolId, i128>, AsmError> {
    for &id in &source.table.used {
        let symbol = source.symbols.get(id);
        if !matches!(symbol.definition, Some((Definition::Code, _))) {
            return Err(symbol.place.error(AsmProblem::NotCode(symbol.name.clone())));
        }
    }
    let listed = source.table.entries.iter().map(|entry| match entry {
        Entry::Value(expr) => expr.as_symbol(),
        Entry::Bytes(_) => None,
    });
    let mut addresses = HashMap::new();
    for (index, id) in listed.chain(added(source).into_iter().map(Some)).enumerate() {
        if let Some(id) = id {
            addresses.entry(id).or_insert(2 * (index as i128 + 1));
        }
    }
    Ok(addresses)
}
