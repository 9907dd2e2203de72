//! Tables and references.

use super::range::most;
use super::{TRAP, Translator};
use crate::instance::{Extent, TablePlace, load_entry, reference};
use crate::{CELL, Helper};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};
use wasmparser::Operator;

impl Translator<'_, '_> {
    pub(super) fn table(&mut self, operator: &Operator<'_>) -> bool {
        match *operator {
            Operator::RefNull { .. } => {
                let null = self.builder.ins().iconst(I64, 0);
                self.push(null);
            }
            Operator::RefIsNull => {
                let value = self.pop();
                let flag = self.builder.ins().icmp_imm_s(IntCC::Equal, value, 0);
                self.push_flag(flag);
            }
            Operator::RefFunc { function_index } => {
                let initial = self.instance.reference_to(function_index);
                let value = reference(&mut self.builder, self.functions, initial);
                self.push(value);
            }
            Operator::TableGet { table } => {
                let table = self.instance.tables[table as usize];
                let index = self.pop();
                let index = self.table_index(table, index);
                let value = load_entry(&mut self.builder, self.regions.tables, table.base, index);
                self.push(value);
            }
            Operator::TableSet { table } => {
                let table = self.instance.tables[table as usize];
                let (index, value) = self.pop_pair();
                let index = self.table_index(table, index);
                let at = self.builder.ins().imul_imm_s(index, i64::from(CELL));
                self.builder.ins().store(self.regions.tables, value, at, table.base as i32);
            }
            Operator::TableSize { table } => {
                let size = self.extent(self.instance.tables[table as usize].size);
                self.push(size);
            }
            Operator::TableGrow { table } => self.table_grow(self.instance.tables[table as usize]),
            _ => return false,
        }
        true
    }

    /// Traps unless the table has such an entry. The result is the index with 64 bits.
    pub(super) fn table_index(&mut self, table: TablePlace, index: Value) -> Value {
        if !matches!(table.size, Extent::Constant(size) if most(self.builder.func, index) < u64::from(size)) {
            let size = self.extent(table.size);
            let is_outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, size);
            self.builder.ins().trapnz(is_outside, TRAP);
        }
        self.builder.ins().uextend(I64, index)
    }

    fn table_grow(&mut self, table: TablePlace) {
        let (value, delta) = self.pop_pair();
        let Extent::Growing(cell) = table.size else { unreachable!("a table that is grown has a size that grows") };
        let size = self.extent(table.size);
        let most = self.builder.ins().iconst(I32, i64::from(table.maximum));
        let room = self.builder.ins().isub(most, size);
        let fits = self.builder.ins().icmp(IntCC::UnsignedLessThanOrEqual, delta, room);
        let nothing = self.builder.ins().iconst(I32, 0);
        let added = self.builder.ins().select(fits, delta, nothing);
        let grown = self.builder.ins().iadd(size, added);
        let at = self.absolute();
        self.builder.ins().store(self.regions.sizes, grown, at, cell as i32);
        let start = self.builder.ins().uextend(I64, size);
        let start = self.builder.ins().imul_imm_s(start, i64::from(CELL));
        let start = self.builder.ins().iadd_imm_s(start, i64::from(table.base));
        let count = self.builder.ins().uextend(I64, added);
        Helper::FillCells.call(&mut self.builder, self.functions, [start, value, count]);
        let failed = self.builder.ins().iconst(I32, i64::from(u32::MAX));
        let result = self.builder.ins().select(fits, size, failed);
        self.push(result);
    }
}
