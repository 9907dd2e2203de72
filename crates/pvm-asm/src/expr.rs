//! Expressions: numbers, names, `@label`, `+ - *` and parentheses.
//!
//! An expression is kept in postfix order, so that neither its value nor its end takes recursion, however long it is.

use crate::AsmError;
use crate::error::{AsmProblem, Place};
use crate::statement::{Statement, register};
use crate::symbols::{SymbolId, Symbols};
use crate::token::Token;

/// How deep parentheses and signs may be nested.
const MAX_DEPTH: u32 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Number(i128),
    Symbol(SymbolId),
    /// The address of a label for `jump_ind`: a place in the jump table.
    Dynamic(SymbolId),
    Negate,
    Add,
    Subtract,
    Multiply,
}

/// An expression and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    ops: Vec<Op>,
    pub(crate) place: Place,
}

/// The values of names, as far as they are known.
pub(crate) trait Values {
    /// The value of a name.
    fn symbol(&self, id: SymbolId) -> Option<i128>;
    /// The dynamic address of a label.
    fn dynamic(&self, id: SymbolId) -> Option<i128>;
}

impl Expr {
    pub(crate) fn number(value: i128, place: Place) -> Expr {
        Expr { ops: vec![Op::Number(value)], place }
    }

    /// Reads the longest expression that begins here.
    pub(crate) fn parse(statement: &mut Statement<'_>, symbols: &mut Symbols) -> Result<Expr, AsmError> {
        let place = statement.place();
        let mut parser = Parser { statement, symbols, ops: Vec::new(), depth: 0 };
        parser.sum()?;
        Ok(Expr { ops: parser.ops, place })
    }

    /// The name, if the expression is nothing else.
    pub(crate) fn as_symbol(&self) -> Option<SymbolId> {
        match *self.ops {
            [Op::Symbol(id)] => Some(id),
            _ => None,
        }
    }

    /// The names whose values it uses.
    pub(crate) fn symbols(&self) -> impl Iterator<Item = SymbolId> + '_ {
        self.ops.iter().filter_map(|op| if let Op::Symbol(id) = op { Some(*id) } else { None })
    }

    /// The labels whose dynamic addresses it uses.
    pub(crate) fn dynamic_labels(&self) -> impl Iterator<Item = SymbolId> + '_ {
        self.ops.iter().filter_map(|op| if let Op::Dynamic(id) = op { Some(*id) } else { None })
    }

    /// The value, or `None` as long as a name in it has none.
    pub(crate) fn value(&self, values: &impl Values) -> Result<Option<i128>, AsmError> {
        let mut stack = Vec::new();
        for op in &self.ops {
            let value = match *op {
                Op::Number(number) => Some(number),
                Op::Symbol(id) => values.symbol(id),
                Op::Dynamic(id) => values.dynamic(id),
                Op::Negate => apply(&mut stack, |_, right| 0_i128.checked_sub(right), 1),
                Op::Add => apply(&mut stack, i128::checked_add, 2),
                Op::Subtract => apply(&mut stack, i128::checked_sub, 2),
                Op::Multiply => apply(&mut stack, i128::checked_mul, 2),
            };
            let known = !matches!(op, Op::Symbol(_) | Op::Dynamic(_));
            match value {
                Some(value) => stack.push(value),
                None if known => return Err(self.place.error(AsmProblem::Overflow)),
                None => return Ok(None),
            }
        }
        Ok(stack.pop())
    }
}

/// Applies an operator with one or two operands to the top of the stack; the parser put them there.
fn apply(stack: &mut Vec<i128>, operator: fn(i128, i128) -> Option<i128>, operands: u32) -> Option<i128> {
    let right = stack.pop()?;
    let left = if operands == 2 { stack.pop()? } else { 0 };
    operator(left, right)
}

struct Parser<'p, 'a> {
    statement: &'p mut Statement<'a>,
    symbols: &'p mut Symbols,
    ops: Vec<Op>,
    depth: u32,
}

impl Parser<'_, '_> {
    fn sum(&mut self) -> Result<(), AsmError> {
        self.product()?;
        loop {
            let op = match self.statement.peek() {
                Token::Mark('+') => Op::Add,
                Token::Mark('-') => Op::Subtract,
                _ => return Ok(()),
            };
            self.statement.advance();
            self.product()?;
            self.ops.push(op);
        }
    }

    fn product(&mut self) -> Result<(), AsmError> {
        self.factor()?;
        while self.statement.take('*') {
            self.factor()?;
            self.ops.push(Op::Multiply);
        }
        Ok(())
    }

    fn factor(&mut self) -> Result<(), AsmError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.statement.error(AsmProblem::Nesting));
        }
        if self.statement.take('-') {
            self.factor()?;
            self.ops.push(Op::Negate);
        } else if self.statement.take('(') {
            self.sum()?;
            self.statement.expect(')', "`)`")?;
        } else {
            let op = self.atom()?;
            self.ops.push(op);
        }
        self.depth -= 1;
        Ok(())
    }

    fn atom(&mut self) -> Result<Op, AsmError> {
        if self.statement.take('@') {
            return Ok(Op::Dynamic(self.symbol()?));
        }
        match *self.statement.peek() {
            Token::Char(byte) => {
                self.statement.advance();
                Ok(Op::Number(i128::from(byte)))
            }
            Token::Word(word) if word.starts_with(|first: char| first.is_ascii_digit()) => {
                let number = number(word).ok_or_else(|| self.statement.error(AsmProblem::Number(word.to_owned())))?;
                self.statement.advance();
                Ok(Op::Number(number))
            }
            Token::Word(word) if register(word).is_none() => Ok(Op::Symbol(self.symbol()?)),
            _ => Err(self.statement.expected("a number or a name")),
        }
    }

    fn symbol(&mut self) -> Result<SymbolId, AsmError> {
        let place = self.statement.place();
        let name = self.statement.name()?;
        Ok(self.symbols.id(name, place))
    }
}

fn number(word: &str) -> Option<i128> {
    let (digits, radix) = match word.get(..2) {
        Some("0x" | "0X") => (&word[2..], 16),
        Some("0b" | "0B") => (&word[2..], 2),
        _ => (word, 10),
    };
    // Digits can be grouped with underscores: 1_000_000.
    i128::from_str_radix(&digits.replace('_', ""), radix).ok()
}
