//! Both halves of a product by one multiplication.
//!
//! Guests compute the low and the high half of a product of twice their width by two instructions, one soon after the other. Hosts
//! make both at once, of registers of 32 bits by a multiplication of 64.

use super::{Current, Translator};
use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::types::{I32, I64, I128};
use cranelift_codegen::ir::{InstBuilder, Value};
use pvm_clif::alu;
use pvm_ops::{BinaryOp, GuestCode, Inst, Operand, Width};

/// A product that has been made in full.
#[derive(Clone, Copy)]
pub(super) struct Product {
    signs: [bool; 2],
    factors: [Value; 2],
    low: Value,
    high: Value,
}

/// The low half of a product of registers of 32 bits, made by itself.
#[derive(Clone, Copy)]
pub(super) struct Low {
    factors: [Value; 2],
    half: Value,
}

impl Low {
    pub(super) fn new(factors: [Value; 2], half: Value) -> Low {
        Low { factors, half }
    }
}

/// What an instruction computes of a product.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Low,
    /// Which factors are signed.
    High {
        signs: [bool; 2],
    },
}

impl Half {
    fn of(op: BinaryOp, width: Width) -> Option<Half> {
        match op {
            BinaryOp::Mul => Some(Half::Low),
            BinaryOp::MulHighUU => Some(Half::High { signs: [false; 2] }),
            BinaryOp::MulHighSS => Some(Half::High { signs: [true; 2] }),
            // Hosts have no such multiplication, but 64 bits hold the product of 32 however they are extended.
            BinaryOp::MulHighSU if width == Width::W32 => Some(Half::High { signs: [true, false] }),
            _ => None,
        }
    }
}

impl<C: GuestCode> Translator<'_, '_, C> {
    /// The result of the multiplication at this index, of the width of registers, if both halves of its product are wanted, or
    /// the high half is made with the low one.
    pub(super) fn product_half(&mut self, current: &mut Current, index: usize) -> Option<Value> {
        let Inst::Binary { op, width, lhs: Operand::Reg(lhs), rhs: Operand::Reg(rhs), .. } = current.insts[index].1
        else {
            return None;
        };
        let half = Half::of(op, width).filter(|_| self.is_narrow == (width == Width::W32))?;
        let factors = [self.read(lhs), self.read(rhs)];
        let is_it = |product: &&Product| match half {
            Half::Low => product.factors == factors || product.factors == [factors[1], factors[0]],
            Half::High { signs } => {
                let is_symmetric = signs[0] == signs[1];
                product.signs == signs
                    && (product.factors == factors || is_symmetric && product.factors == [factors[1], factors[0]])
            }
        };
        if let Some(product) = current.products.iter().find(is_it) {
            return Some(if half == Half::Low { product.low } else { product.high });
        }
        if let Some(high) = self.high_of_low(current, half, factors) {
            return Some(high);
        }
        let signs = match (half, other_half(current, index)) {
            (Half::High { signs }, Some(_)) | (Half::Low, Some(Half::High { signs })) => signs,
            (Half::High { signs }, None) if self.is_narrow => signs,
            _ => return None,
        };
        let (low, high) =
            if self.is_narrow { self.short_product(factors, signs) } else { self.long_product(factors, signs[0]) };
        current.products.push(Product { signs, factors, low, high });
        Some(if half == Half::Low { low } else { high })
    }

    /// The factors of the product, of registers of 32 bits, whose low half is about to be made by itself.
    pub(super) fn factors(&mut self, op: BinaryOp, lhs: Operand, rhs: Operand) -> Option<[Value; 2]> {
        let (Operand::Reg(lhs), Operand::Reg(rhs)) = (lhs, rhs) else { return None };
        (op == BinaryOp::Mul).then(|| [self.read(lhs), self.read(rhs)])
    }

    /// The high half of a product whose low half was made by itself, as its factors have been moved to other registers since: so that
    /// was a multiplication of 64 bits.
    fn high_of_low(&mut self, current: &mut Current, half: Half, factors: [Value; 2]) -> Option<Value> {
        let signs = [false; 2];
        if half != (Half::High { signs }) {
            return None;
        }
        let is_it = |low: &Low| low.factors == factors || low.factors == [factors[1], factors[0]];
        let low = current.lows.iter().position(is_it).map(|at| current.lows.swap_remove(at))?;
        let func = &mut *self.builder.func;
        let multiplication = func.dfg.value_def(low.half).inst()?;
        let mut before = FuncCursor::new(func).at_inst(multiplication);
        before.use_srcloc(multiplication);
        let product = before.ins().imul(low.factors[0], low.factors[1]);
        func.replace(multiplication).ireduce(I32, product);
        Some(self.builder.ins().ushr_imm_u(product, 32))
    }

    /// The halves of a product of registers of 64 bits.
    fn long_product(&mut self, [a, b]: [Value; 2], is_signed: bool) -> (Value, Value) {
        let wide = alu::factors(self.builder, a, b).map(|factor| match is_signed {
            true => self.builder.ins().sextend(I128, factor),
            false => self.builder.ins().uextend(I128, factor),
        });
        let product = self.builder.ins().imul(wide[0], wide[1]);
        self.builder.ins().isplit(product)
    }

    /// The halves of a product of registers of 32 bits, which are zero-extended.
    fn short_product(&mut self, factors: [Value; 2], signs: [bool; 2]) -> (Value, Value) {
        let [a, b] = [0, 1].map(|at| match signs[at] {
            true => {
                let half = self.builder.ins().ireduce(I32, factors[at]);
                self.builder.ins().sextend(I64, half)
            }
            false => factors[at],
        });
        let product = self.builder.ins().imul(a, b);
        let low = self.builder.ins().ireduce(I32, product);
        (self.builder.ins().uextend(I64, low), self.builder.ins().ushr_imm_u(product, 32))
    }
}

/// The other half, if an instruction behind this one computes it of the same values.
fn other_half(current: &Current, index: usize) -> Option<Half> {
    let Inst::Binary { op, width, .. } = current.insts[index].1 else { return None };
    let half = Half::of(op, width)?;
    of_the_same(current, index, |op, _| {
        Half::of(op, width).filter(|&other| (half == Half::Low) != (other == Half::Low))
    })
}

/// What is found among the operations behind the one at this index, of its width and on what its registers hold, until one of
/// these is written. `find` is told whether they are operands in the same order.
pub(super) fn of_the_same<T>(current: &Current, index: usize, find: impl Fn(BinaryOp, bool) -> Option<T>) -> Option<T> {
    let Inst::Binary { width, lhs, rhs, .. } = current.insts[index].1 else { return None };
    let operands = [lhs, rhs].into_iter().filter_map(Operand::reg).fold(0, |all, reg| all | reg.bit());
    let mut written = current.insts[index].1.registers().writes;
    for (_, inst) in &current.insts[index + 1..] {
        if written & operands != 0 {
            return None;
        }
        written |= inst.registers().writes;
        let Inst::Binary { op, width: w, lhs: l, rhs: r, .. } = *inst else { continue };
        let in_order = [l, r] == [lhs, rhs];
        if w != width || !in_order && [r, l] != [lhs, rhs] {
            continue;
        }
        let found = find(op, in_order);
        if found.is_some() {
            return found;
        }
    }
    None
}
