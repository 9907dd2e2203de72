//! Instructions on ranges of the linear memory and of tables. Ranges are checked as a whole, before anything happens.

use super::range::most;
use super::{TRAP, Translator};
use crate::instance::{Extent, SegmentPlace, TablePlace};
use crate::{CELL, Helper};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};
use wasmparser::Operator;

/// What a range is in.
#[derive(Clone, Copy)]
struct Area {
    base: u32,
    size: Extent,
    /// What it has at least.
    minimum: u64,
    /// Bytes to an element.
    unit: u32,
}

impl Translator<'_, '_> {
    pub(super) fn bulk(&mut self, operator: &Operator<'_>) -> bool {
        match *operator {
            Operator::MemoryCopy { .. } => {
                let [to, from, length] = self.pop_three();
                if !self.short_copy(to, from, length) {
                    self.copy(self.memory_area(), self.memory_area(), [to, from, length]);
                }
            }
            Operator::MemoryInit { data_index, .. } => {
                let segment = self.instance.data[data_index as usize];
                let operands = self.pop_three();
                self.copy(self.memory_area(), segment_area(segment, 1), operands);
            }
            Operator::MemoryFill { .. } => {
                let [to, byte, length] = self.pop_three();
                if !self.short_fill(to, byte, length) {
                    let byte = self.builder.ins().uextend(I64, byte);
                    self.fill(self.memory_area(), Helper::Fill, [to, byte, length]);
                }
            }
            Operator::DataDrop { data_index } => self.drop_segment(self.instance.data[data_index as usize]),
            Operator::TableCopy { dst_table, src_table } => {
                let (to, from) = (self.table_area(dst_table), self.table_area(src_table));
                let operands = self.pop_three();
                self.copy(to, from, operands);
            }
            Operator::TableInit { elem_index, table } => {
                let segment = self.instance.elements[elem_index as usize];
                let operands = self.pop_three();
                self.copy(self.table_area(table), segment_area(segment, CELL), operands);
            }
            Operator::TableFill { table } => {
                let operands = self.pop_three();
                self.fill(self.table_area(table), Helper::FillCells, operands);
            }
            Operator::ElemDrop { elem_index } => self.drop_segment(self.instance.elements[elem_index as usize]),
            _ => return false,
        }
        true
    }

    fn memory_area(&self) -> Area {
        let memory = self.memory_place();
        Area { base: memory.base, size: memory.size, minimum: self.least_size(), unit: 1 }
    }

    fn table_area(&self, table: u32) -> Area {
        let TablePlace { base, size, .. } = self.instance.tables[table as usize];
        Area { base, size, minimum: least(size), unit: CELL }
    }

    /// Where to, what or where from, how much.
    fn pop_three(&mut self) -> [Value; 3] {
        let (second, third) = self.pop_pair();
        [self.pop(), second, third]
    }

    fn copy(&mut self, target: Area, source: Area, [to, from, length]: [Value; 3]) {
        let from = self.range(source, from, length);
        let to = self.range(target, to, length);
        let bytes = self.builder.ins().uextend(I64, length);
        let bytes = self.builder.ins().imul_imm_s(bytes, i64::from(target.unit));
        Helper::Copy.call(&mut self.builder, self.functions, [to, from, bytes]);
    }

    fn fill(&mut self, target: Area, helper: Helper, [to, value, length]: [Value; 3]) {
        let to = self.range(target, to, length);
        let count = self.builder.ins().uextend(I64, length);
        helper.call(&mut self.builder, self.functions, [to, value, count]);
    }

    /// Traps unless a range is inside. The result is its address in guest memory.
    fn range(&mut self, area: Area, start: Value, length: Value) -> Value {
        let start = self.builder.ins().uextend(I64, start);
        let length = self.builder.ins().uextend(I64, length);
        let end = self.builder.ins().iadd(start, length);
        if most(self.builder.func, end) > area.minimum {
            let size = self.extent(area.size);
            let size = self.builder.ins().uextend(I64, size);
            let is_outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, end, size);
            self.builder.ins().trapnz(is_outside, TRAP);
        }
        let offset = self.builder.ins().imul_imm_s(start, i64::from(area.unit));
        self.builder.ins().iadd_imm_s(offset, i64::from(area.base))
    }

    /// A segment that is dropped has the length zero from then on. One that never has another length needs no cell.
    fn drop_segment(&mut self, segment: SegmentPlace) {
        if let Extent::Growing(cell) = segment.length {
            let zero = self.builder.ins().iconst(I64, 0);
            let at = self.absolute();
            self.builder.ins().store(self.regions.sizes, zero, at, cell as i32);
        }
    }
}

fn segment_area(segment: SegmentPlace, unit: u32) -> Area {
    Area { base: segment.base, size: segment.length, minimum: least(segment.length), unit }
}

/// What is known of a size beforehand.
fn least(size: Extent) -> u64 {
    if let Extent::Constant(size) = size { u64::from(size) } else { 0 }
}
