//! Where everything is in guest memory.
//!
//! ```text
//!   read-only   segments that instructions or start-up code copy from; contents that are far away (see `image`)
//!   read-write  cells: sizes, lengths of segments, globals  |  tables  |  linear memories, up to their maxima  |  passive
//!               segments that are zeros for the most part
//! ```
//!
//! A size that nothing changes is a constant and has no cell. Linear memories come last but for such segments, since they are the largest. All
//! of the read-write area is there when the program starts, so growing is only a change of a size.

use crate::image::{Image, has_gap, read_write_base};
use crate::resolve::{GlobalOwner, Resolved, Unit};
use crate::{CompileError, Options};
use pvm_wasm_frontend::{
    CELL, Callee, Constant, DataKind, ElementKind, Extent, FunctionKey, Functions, GlobalPlace, Initial, Instance,
    Limits, MemoryPlace, Module, SegmentPlace, TablePlace, Usage, WASM_PAGE,
};

/// The most that the read-write area can be: heap pages are counted with 16 bits.
const MAX_AREA: u64 = 0xffff * 4096;

/// The alignment of linear memories: the greatest that code asks for.
const ALIGNMENT: u64 = 16;

/// Pages of linear memory between what a module has and the arguments.
///
/// Allocators take what lies between the module's data and the size of the memory for theirs, from the beginning. So
/// arguments that came right behind the data would be written over by the first allocation.
pub(crate) const GAP_PAGES: u32 = (16 << 20) / WASM_PAGE;

/// Pages of linear memory that the longest arguments need (Gray Paper A.7: 2^24 bytes), with the gap before them and some
/// room behind.
const ARGUMENT_PAGES: u32 = GAP_PAGES + (1 << 24) / WASM_PAGE + 1;

/// Everything in its place.
pub(crate) struct Layout<'a> {
    pub instances: Vec<Instance<'a>>,
    pub image: Image,
    /// What is to be done to bring each instance into being.
    pub steps: Vec<Vec<Step>>,
    /// Where the read-write area begins and ends.
    pub area: (u32, u32),
    /// Cells that are free for whoever calls functions from outside.
    pub scratch: u32,
}

/// Something that is done when an instance is brought into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A trap, unless there are so many bytes or entries from there.
    Check { size: Extent, offset: u32, length: u32 },
    /// Copies bytes within guest memory.
    Copy { to: u32, from: u32, length: u32 },
    /// A trap: a segment does not fit.
    Trap,
}

/// What a layout is made for.
pub(crate) struct Plan<'a, 'm> {
    pub units: &'a [Unit<'m>],
    pub resolved: &'a [Resolved],
    pub options: &'a Options,
    /// The arguments of the program go into the memory of the first unit.
    pub takes_arguments: bool,
    /// How many cells are asked for.
    pub scratch: u32,
}

impl<'m> Plan<'_, 'm> {
    /// Lays everything out.
    pub fn lay_out(&self, functions: &mut Functions) -> Result<Layout<'m>, CompileError> {
        let usages: Vec<Usage> = self.units.iter().map(|unit| Usage::of(unit.module)).collect::<Result<_, _>>()?;
        // Where the read-write area begins depends on how much read-only data there is, which does not depend on it.
        let mut base = read_write_base(0);
        loop {
            let layout = Builder::new(self, &usages, base).build(functions)?;
            let read_only = layout.image.clone().place(base, &mut Default::default()).read_only;
            let needed = read_write_base(read_only.len());
            if needed == base {
                return Ok(layout);
            }
            base = needed;
        }
    }
}

struct Builder<'p, 'm> {
    plan: &'p Plan<'p, 'm>,
    usages: &'p [Usage],
    image: Image,
    base: u32,
    /// The end of what has a place so far. It may be beyond what there is room for.
    end: u64,
    memories: Vec<Option<MemoryPlace>>,
    tables: Vec<Vec<Option<TablePlace>>>,
    cells: Vec<Vec<Option<u32>>>,
    /// The number of each type of each unit.
    types: Vec<Vec<u32>>,
}

impl<'p, 'm> Builder<'p, 'm> {
    fn new(plan: &'p Plan<'p, 'm>, usages: &'p [Usage], base: u32) -> Builder<'p, 'm> {
        Builder {
            plan,
            usages,
            image: Image::default(),
            base,
            end: u64::from(base),
            memories: Vec::new(),
            tables: Vec::new(),
            cells: Vec::new(),
            types: Vec::new(),
        }
    }

    fn build(mut self, functions: &mut Functions) -> Result<Layout<'m>, CompileError> {
        let scratch = self.take(u64::from(self.plan.scratch + 1) * u64::from(CELL))?;
        let second_result = scratch + self.plan.scratch * CELL;
        for unit in 0..self.plan.units.len() {
            self.types.push(self.module(unit).types.iter().map(|ty| functions.type_number(ty)).collect());
            self.place_globals(unit)?;
        }
        for unit in 0..self.plan.units.len() {
            self.place_tables(unit)?;
        }
        for unit in 0..self.plan.units.len() {
            self.place_memory(unit)?;
        }
        let mut instances = Vec::new();
        for unit in 0..self.plan.units.len() {
            instances.push(self.instance(unit, second_result)?);
        }
        self.write_globals(&instances);
        let steps = (0..instances.len()).map(|unit| self.segments(&mut instances, unit)).collect::<Result<_, _>>()?;
        let end = self.end as u32;
        Ok(Layout { instances, image: self.image, steps, area: (self.base, end), scratch })
    }

    /// Takes room in the read-write area.
    fn take(&mut self, bytes: u64) -> Result<u32, CompileError> {
        let start = self.end;
        self.end += bytes.next_multiple_of(u64::from(CELL));
        let value = self.end - u64::from(self.base);
        if value > MAX_AREA {
            return Err(CompileError::TooLarge {
                what: "bytes of globals, tables and linear memory, grown as far as they can",
                value,
                limit: MAX_AREA,
                advice: ": set a lower maximum with `--max-memory` or in the module",
            });
        }
        Ok(start as u32)
    }

    fn cell(&mut self, value: u64) -> Result<u32, CompileError> {
        let cell = self.take(u64::from(CELL))?;
        self.image.write_cell(cell, Initial::Bits(value));
        Ok(cell)
    }

    fn module(&self, unit: usize) -> &'m Module<'m> {
        self.plan.units[unit].module
    }

    /// Globals that change have cells; values come later.
    fn place_globals(&mut self, unit: usize) -> Result<(), CompileError> {
        let module = self.module(unit);
        let mut cells = vec![None; module.globals.len()];
        for (index, global) in module.globals.iter().enumerate() {
            if global.ty.mutable && index >= module.imported_globals as usize {
                cells[index] = Some(self.take(u64::from(CELL))?);
            }
        }
        self.cells.push(cells);
        Ok(())
    }

    fn place_tables(&mut self, unit: usize) -> Result<(), CompileError> {
        let module = self.module(unit);
        let mut places = vec![None; module.tables.len()];
        for (index, place) in places.iter_mut().enumerate() {
            if self.plan.resolved[unit].tables[index] != (unit, index as u32) {
                continue;
            }
            let limits = module.tables[index].limits;
            let grows = self.users(|resolved, usage| {
                let tables = resolved.tables.iter().zip(&usage.grows_table);
                tables.filter(|(owner, _)| **owner == (unit, index as u32)).any(|(_, grows)| *grows)
            });
            let maximum = if grows { limit(limits, u64::from(self.plan.options.max_table)) } else { limits.minimum };
            let size = match grows {
                true => Extent::Growing(self.cell(limits.minimum)?),
                false => Extent::Constant(small(limits.minimum, "entries of a table")?),
            };
            let base = self.take(maximum.saturating_mul(u64::from(CELL)))?;
            *place = Some(TablePlace { base, size, maximum: maximum as u32 });
        }
        self.tables.push(places);
        Ok(())
    }

    fn place_memory(&mut self, unit: usize) -> Result<(), CompileError> {
        let is_own = self.plan.resolved[unit].memory == Some(unit);
        let Some(limits) = self.module(unit).memory.filter(|_| is_own) else {
            self.memories.push(None);
            return Ok(());
        };
        let page = u64::from(WASM_PAGE);
        let grows = self.users(|resolved, usage| resolved.memory == Some(unit) && usage.grows_memory);
        let pages = match grows {
            true => limit(limits, u64::from(self.plan.options.max_memory) / page),
            false => limits.minimum,
        };
        let has_arguments = self.plan.takes_arguments && self.plan.resolved[0].memory == Some(unit);
        let maximum = (pages + if has_arguments { u64::from(ARGUMENT_PAGES) } else { 0 }) * page;
        let minimum = limits.minimum * page;
        // Before the cell, so that what is too large is refused before it is looked at.
        small(maximum, "bytes of linear memory")?;
        let size = match (grows, has_arguments) {
            (true, _) => Extent::Growing(self.cell(minimum)?),
            (false, true) => Extent::Settled(self.cell(minimum)?),
            (false, false) => Extent::Constant(minimum as u32),
        };
        // Not at a page, or zeros up to there would be shipped with what is in it.
        self.end = self.end.next_multiple_of(ALIGNMENT);
        let base = self.take(maximum)?;
        let (minimum, maximum) = (minimum as u32, maximum as u32);
        self.memories.push(Some(MemoryPlace { base, size, minimum, maximum, limit: pages as u32 }));
        Ok(())
    }

    /// Whether some unit does something.
    fn users(&self, does: impl Fn(&Resolved, &Usage) -> bool) -> bool {
        self.plan.resolved.iter().zip(self.usages).any(|(resolved, usage)| does(resolved, usage))
    }

    fn instance(&mut self, unit: usize, second_result: u32) -> Result<Instance<'m>, CompileError> {
        let module = self.module(unit);
        let resolved = &self.plan.resolved[unit];
        let table = |&(owner, index): &(usize, u32)| self.tables[owner][index as usize].expect("its owner has it");
        let mut instance = Instance {
            number: unit as u32,
            module,
            imports: resolved.functions.clone(),
            types: self.types[unit].clone(),
            memory: resolved.memory.map(|owner| self.memories[owner].expect("its owner has it")),
            tables: resolved.tables.iter().map(table).collect(),
            globals: Vec::new(),
            data: Vec::new(),
            elements: Vec::new(),
            bounds: self.plan.options.bounds,
            float_call: self.plan.options.float_call,
            second_result,
        };
        for &owner in &resolved.globals {
            let place = self.global(owner)?;
            instance.globals.push(place);
        }
        Ok(instance)
    }

    /// Where a global is.
    fn global(&self, owner: GlobalOwner) -> Result<GlobalPlace, CompileError> {
        Ok(match owner {
            GlobalOwner::Constant(value) => GlobalPlace::Constant(Initial::Bits(value)),
            GlobalOwner::Unit(unit, index) => match self.cells[unit][index as usize] {
                Some(cell) => GlobalPlace::Cell(cell),
                None => GlobalPlace::Constant(self.constant_global(unit, index)?),
            },
        })
    }

    /// The value of a global that never changes, which may be that of another one.
    fn constant_global(&self, mut unit: usize, mut index: u32) -> Result<Initial, CompileError> {
        let globals: usize = self.plan.units.iter().map(|unit| unit.module.globals.len()).sum();
        for _ in 0..globals {
            let module = self.module(unit);
            match module.globals[index as usize].initial.expect("its owner defines it") {
                Constant::Bits(bits) => return Ok(Initial::Bits(bits)),
                Constant::Function(function) => {
                    let ty = self.types[unit][module.functions[function as usize] as usize];
                    let key = match self.plan.resolved[unit].functions.get(function as usize) {
                        Some(Callee::Host(_)) => FunctionKey::Import { instance: unit as u32, function },
                        Some(&Callee::Defined { instance, function }) => FunctionKey::Wasm { instance, function },
                        None => FunctionKey::Wasm { instance: unit as u32, function },
                    };
                    return Ok(Initial::Function { key, ty });
                }
                Constant::Global(global) => match self.plan.resolved[unit].globals[global as usize] {
                    GlobalOwner::Constant(value) => return Ok(Initial::Bits(value)),
                    GlobalOwner::Unit(further, global) => (unit, index) = (further, global),
                },
            }
        }
        Err(CompileError::Entry("the value of a global depends on itself, by way of adapter modules".into()))
    }

    fn write_globals(&mut self, instances: &[Instance<'m>]) {
        for (unit, instance) in instances.iter().enumerate() {
            for (global, cell) in instance.module.globals.iter().zip(&self.cells[unit]) {
                if let (Some(initial), Some(cell)) = (global.initial, cell) {
                    self.image.write_cell(*cell, instance.evaluate(initial));
                }
            }
        }
    }

    /// Puts segments in their places, and says what start-up code has to do for it.
    fn segments(&mut self, instances: &mut [Instance<'m>], unit: usize) -> Result<Vec<Step>, CompileError> {
        let mut steps = Steps::default();
        let (elements, data) = {
            let instance = &instances[unit];
            (self.elements(instance, unit, &mut steps)?, self.data(instance, unit, &mut steps)?)
        };
        instances[unit].elements = elements;
        instances[unit].data = data;
        Ok(steps.list)
    }

    fn elements(
        &mut self,
        instance: &Instance<'m>,
        unit: usize,
        steps: &mut Steps,
    ) -> Result<Vec<SegmentPlace>, CompileError> {
        let mut places = Vec::new();
        for (index, element) in instance.module.elements.iter().enumerate() {
            let items: Vec<Initial> = element.items.iter().map(|&item| instance.evaluate(item)).collect();
            let count = items.len() as u32;
            let mut place = SegmentPlace { base: crate::image::READ_ONLY, length: Extent::Constant(0) };
            match element.kind {
                ElementKind::Declared => {}
                ElementKind::Passive => {
                    place.base = self.image.add_cells(&items);
                    place.length = self.segment_length(count, self.usages[unit].drops_elements[index])?;
                }
                ElementKind::Active { table, offset } => {
                    let offset = number(instance.evaluate(offset));
                    let target = instance.tables[table as usize];
                    let is_own = self.plan.resolved[unit].tables[table as usize].0 == unit;
                    let minimum = instance.module.tables[table as usize].limits.minimum;
                    let room = if is_own { minimum } else { u64::from(target.maximum) };
                    if steps.check(room, (!is_own).then_some(target.size), offset, count) {
                        let to = target.base + offset * CELL;
                        if is_own {
                            for (item, index) in items.iter().zip(0..) {
                                self.image.write_cell(to + index * CELL, *item);
                            }
                        } else {
                            let from = self.image.add_cells(&items);
                            steps.list.push(Step::Copy { to, from, length: count * CELL });
                        }
                    }
                }
            }
            places.push(place);
        }
        Ok(places)
    }

    fn data(
        &mut self,
        instance: &Instance<'m>,
        unit: usize,
        steps: &mut Steps,
    ) -> Result<Vec<SegmentPlace>, CompileError> {
        let mut places = Vec::new();
        for (index, data) in instance.module.data.iter().enumerate() {
            let length = data.bytes.len() as u32;
            let mut place = SegmentPlace { base: crate::image::READ_ONLY, length: Extent::Constant(0) };
            match data.kind {
                DataKind::Passive => {
                    place.base = self.passive(data.bytes)?;
                    place.length = self.segment_length(length, self.usages[unit].drops_data[index])?;
                }
                DataKind::Active { offset } => {
                    let offset = number(instance.evaluate(offset));
                    let target = instance.memory.expect("a valid segment has a memory");
                    let is_own = self.plan.resolved[unit].memory == Some(unit);
                    let room = if is_own { target.minimum } else { target.maximum };
                    if steps.check(u64::from(room), (!is_own).then_some(target.size), offset, length) {
                        let to = target.base + offset;
                        if is_own {
                            self.image.write(to, data.bytes);
                        } else {
                            let from = self.image.add_bytes(data.bytes);
                            steps.list.push(Step::Copy { to, from, length });
                        }
                    }
                }
            }
            places.push(place);
        }
        Ok(places)
    }

    /// The place of a passive segment: with the read-only data, or, if it has long stretches of zeros, behind the linear
    /// memories, where they are not shipped.
    fn passive(&mut self, bytes: &[u8]) -> Result<u32, CompileError> {
        if !has_gap(bytes) {
            return Ok(self.image.add_bytes(bytes));
        }
        let base = self.take(bytes.len() as u64)?;
        self.image.write(base, bytes);
        Ok(base)
    }

    fn segment_length(&mut self, length: u32, is_dropped: bool) -> Result<Extent, CompileError> {
        Ok(match is_dropped {
            true => Extent::Growing(self.cell(u64::from(length))?),
            false => Extent::Constant(length),
        })
    }
}

/// The steps for the segments of a unit. Once a segment does not fit, nothing more is done but to trap.
#[derive(Default)]
struct Steps {
    list: Vec<Step>,
    traps: bool,
}

impl Steps {
    /// A segment that goes to `offset`. There is never more room than `room`; if the size is not known here, start-up code
    /// looks at it. The result says whether to go on with the segment.
    fn check(&mut self, room: u64, size: Option<Extent>, offset: u32, length: u32) -> bool {
        if self.traps {
            return false;
        }
        if u64::from(offset) + u64::from(length) > room {
            self.traps = true;
            self.list.push(Step::Trap);
            return false;
        }
        self.list.extend(size.map(|size| Step::Check { size, offset, length }));
        true
    }
}

/// An offset, whose type is 32 bits.
fn number(initial: Initial) -> u32 {
    match initial {
        Initial::Bits(bits) => bits as u32,
        Initial::Function { .. } => unreachable!("offsets are numbers"),
    }
}

fn limit(limits: Limits, most: u64) -> u64 {
    limits.maximum.map_or(most, |maximum| maximum.min(most)).max(limits.minimum)
}

fn small(value: u64, what: &'static str) -> Result<u32, CompileError> {
    match value <= MAX_AREA {
        true => Ok(value as u32),
        false => Err(CompileError::TooLarge { what, value, limit: MAX_AREA, advice: "" }),
    }
}
