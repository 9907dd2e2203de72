//! The operands of an instruction: one parser for each format, driven by the table.
//!
//! The destination comes first where there is one, the value first in a store. What is used as an address stands in
//! brackets.

use crate::AsmError;
use crate::error::Place;
use crate::expr::{Expr, Values};
use crate::field::{ADDRESS, Field, IMMEDIATE, TARGET, WIDE};
use crate::statement::Statement;
use crate::symbols::Symbols;
use pvm_isa::{Format, Instruction, Opcode, Operands, Spec};
use pvm_ops::Reg;

/// An instruction whose numbers are still expressions.
#[derive(Debug)]
pub(crate) struct Pending {
    opcode: Opcode,
    /// The registers; the numbers in it are zero.
    shape: Operands,
    /// The numbers, in encoding order.
    numbers: Vec<Expr>,
    pub(crate) place: Place,
}

impl Pending {
    /// Reads the operands of an instruction up to the end of the line.
    pub(crate) fn parse(
        spec: &Spec,
        place: Place,
        statement: &mut Statement<'_>,
        symbols: &mut Symbols,
    ) -> Result<Pending, AsmError> {
        let mut parser = Parser { statement, symbols, numbers: Vec::new(), first: true };
        let shape = parser.operands(spec)?;
        let numbers = parser.numbers;
        statement.end()?;
        Ok(Pending { opcode: spec.opcode, shape, numbers, place })
    }

    pub(crate) fn numbers(&self) -> &[Expr] {
        &self.numbers
    }

    /// The instruction, standing at `pc`. A number that is not known yet is taken for the one with the shortest
    /// encoding.
    pub(crate) fn instruction(&self, values: &impl Values, pc: u32) -> Result<Instruction, AsmError> {
        let mut numbers = self.numbers.iter();
        let mut next = |unknown: i128| match numbers.next() {
            Some(expr) => Ok((expr.value(values)?.unwrap_or(unknown), expr.place)),
            None => Ok((unknown, self.place)),
        };
        let mut operands = self.shape;
        let x_field = if self.opcode.spec().meaning.accesses_memory() { ADDRESS } else { IMMEDIATE };
        let mut pattern = |field: Field| next(0).and_then(|(value, place)| field.pattern(value, place));
        match &mut operands {
            Operands::None | Operands::RegReg { .. } | Operands::RegRegReg { .. } => {}
            Operands::Imm { x } => *x = pattern(IMMEDIATE)?,
            Operands::RegImm { x, .. } | Operands::RegRegImm { x, .. } => *x = pattern(x_field)?,
            Operands::ImmImm { x, y } | Operands::RegImmImm { x, y, .. } | Operands::RegRegImmImm { x, y, .. } => {
                *x = pattern(x_field)?;
                *y = pattern(IMMEDIATE)?;
            }
            Operands::RegImmOffset { x, .. } => *x = pattern(IMMEDIATE)?,
            Operands::RegImm64 { .. } | Operands::Offset { .. } | Operands::RegRegOffset { .. } => {}
        }
        match &mut operands {
            Operands::RegImm64 { x, .. } => {
                let (value, place) = next(0)?;
                *x = WIDE.check(value, place)? as u64;
            }
            Operands::Offset { target }
            | Operands::RegImmOffset { target, .. }
            | Operands::RegRegOffset { target, .. } => {
                let (value, place) = next(i128::from(pc))?;
                *target = TARGET.check(value, place)? as i64;
            }
            _ => {}
        }
        Ok(Instruction { opcode: self.opcode, operands })
    }
}

struct Parser<'p, 'a> {
    statement: &'p mut Statement<'a>,
    symbols: &'p mut Symbols,
    numbers: Vec<Expr>,
    /// Whether no operand has been read yet, so that no comma is due.
    first: bool,
}

impl Parser<'_, '_> {
    fn operands(&mut self, spec: &Spec) -> Result<Operands, AsmError> {
        let memory = spec.meaning.accesses_memory();
        let (x, y, target) = (0, 0, 0);
        // Fields are evaluated in the order in which they are written: the order of the operands in the text.
        Ok(match spec.format {
            Format::None => Operands::None,
            Format::Imm => {
                self.number()?;
                Operands::Imm { x }
            }
            Format::RegImm64 => {
                let a = self.register()?;
                self.number()?;
                Operands::RegImm64 { a, x: 0 }
            }
            Format::ImmImm => {
                self.address()?;
                self.number()?;
                Operands::ImmImm { x, y }
            }
            Format::Offset => {
                self.number()?;
                Operands::Offset { target }
            }
            Format::RegImm => {
                let a = self.register()?;
                if memory {
                    self.address()?
                } else {
                    self.number()?
                }
                Operands::RegImm { a, x }
            }
            Format::RegImmImm => {
                let a = self.based_address()?;
                self.number()?;
                Operands::RegImmImm { a, x, y }
            }
            Format::RegImmOffset => {
                let a = self.register()?;
                self.number()?;
                self.number()?;
                Operands::RegImmOffset { a, x, target }
            }
            Format::RegReg => Operands::RegReg { d: self.register()?, a: self.register()? },
            Format::RegRegImm => {
                let a = self.register()?;
                let b = if memory { self.based_address()? } else { self.register()? };
                if !memory {
                    self.number()?;
                }
                Operands::RegRegImm { a, b, x }
            }
            Format::RegRegOffset => {
                let (a, b) = (self.register()?, self.register()?);
                self.number()?;
                Operands::RegRegOffset { a, b, target }
            }
            Format::RegRegImmImm => {
                let (a, b) = (self.register()?, self.register()?);
                self.number()?;
                self.number()?;
                Operands::RegRegImmImm { a, b, x, y }
            }
            Format::RegRegReg => Operands::RegRegReg { d: self.register()?, a: self.register()?, b: self.register()? },
        })
    }

    /// The comma before every operand but the first.
    fn separator(&mut self) -> Result<(), AsmError> {
        if std::mem::take(&mut self.first) { Ok(()) } else { self.statement.comma() }
    }

    fn register(&mut self) -> Result<Reg, AsmError> {
        self.separator()?;
        self.statement.register()
    }

    fn number(&mut self) -> Result<(), AsmError> {
        self.separator()?;
        self.expression()
    }

    fn expression(&mut self) -> Result<(), AsmError> {
        let expr = Expr::parse(self.statement, self.symbols)?;
        self.numbers.push(expr);
        Ok(())
    }

    /// `[address]`
    fn address(&mut self) -> Result<(), AsmError> {
        self.separator()?;
        self.statement.expect('[', "`[` and an address")?;
        self.expression()?;
        self.statement.expect(']', "`]`")
    }

    /// `[base]`, `[base + offset]` or `[base - offset]`
    fn based_address(&mut self) -> Result<Reg, AsmError> {
        self.separator()?;
        self.statement.expect('[', "`[` and a register")?;
        let base = self.statement.register()?;
        if self.statement.take(']') {
            self.numbers.push(Expr::number(0, self.statement.place()));
            return Ok(base);
        }
        // A minus is left to the expression, of which it is the sign.
        if *self.statement.peek() != crate::token::Token::Mark('-') {
            self.statement.expect('+', "`+`, `-` or `]`")?;
        }
        self.expression()?;
        self.statement.expect(']', "`]`")?;
        Ok(base)
    }
}
