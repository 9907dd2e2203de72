//! Both halves of a product by one multiplication.
//!
//! Guests compute the low and the high half of a product of 64 bits by two instructions, one soon after the other. Hosts
//! make both at once.

use super::{Current, Translator};
use cranelift_codegen::ir::types::I128;
use cranelift_codegen::ir::{InstBuilder, Value};
use pvm_ops::{BinaryOp, GuestCode, Inst, Operand, Width};

/// A product that has been made in full.
#[derive(Clone, Copy)]
pub(super) struct Product {
    is_signed: bool,
    factors: [Value; 2],
    low: Value,
    high: Value,
}

/// What an instruction of 64 bits computes of a product.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Low,
    High { is_signed: bool },
}

impl Half {
    fn of(op: BinaryOp, width: Width) -> Option<Half> {
        match (op, width) {
            (BinaryOp::Mul, Width::W64) => Some(Half::Low),
            (BinaryOp::MulHighUU, Width::W64) => Some(Half::High { is_signed: false }),
            (BinaryOp::MulHighSS, Width::W64) => Some(Half::High { is_signed: true }),
            _ => None,
        }
    }
}

impl<C: GuestCode> Translator<'_, '_, C> {
    /// The result of the multiplication at this index, if both halves of its product are wanted.
    pub(super) fn product_half(&mut self, current: &mut Current, index: usize) -> Option<Value> {
        let Inst::Binary { op, width, lhs: Operand::Reg(lhs), rhs: Operand::Reg(rhs), .. } = current.insts[index].1
        else {
            return None;
        };
        let half = Half::of(op, width)?;
        let factors = [self.read(lhs), self.read(rhs)];
        let is_it = |product: &&Product| {
            let same = product.factors == factors || product.factors == [factors[1], factors[0]];
            same && (half == Half::Low || half == Half::High { is_signed: product.is_signed })
        };
        if let Some(product) = current.products.iter().find(is_it) {
            return Some(if half == Half::Low { product.low } else { product.high });
        }
        let is_signed = match (half, other_half(current, index)?) {
            (Half::High { is_signed }, _) | (_, Half::High { is_signed }) => is_signed,
            (Half::Low, Half::Low) => return None,
        };
        let wide = factors.map(|factor| match is_signed {
            true => self.builder.ins().sextend(I128, factor),
            false => self.builder.ins().uextend(I128, factor),
        });
        let product = self.builder.ins().imul(wide[0], wide[1]);
        let (low, high) = self.builder.ins().isplit(product);
        current.products.push(Product { is_signed, factors, low, high });
        Some(if half == Half::Low { low } else { high })
    }
}

/// The other half, if an instruction behind this one computes it of the same values.
fn other_half(current: &Current, index: usize) -> Option<Half> {
    let Inst::Binary { op, width, lhs, rhs, .. } = current.insts[index].1 else { return None };
    let half = Half::of(op, width)?;
    let factors = [lhs, rhs].into_iter().filter_map(Operand::reg).fold(0, |all, reg| all | reg.bit());
    let mut written = current.insts[index].1.registers().writes;
    for (_, inst) in &current.insts[index + 1..] {
        if written & factors != 0 {
            return None;
        }
        written |= inst.registers().writes;
        let Inst::Binary { op, width, lhs: l, rhs: r, .. } = *inst else { continue };
        let other = Half::of(op, width).filter(|&other| (half == Half::Low) != (other == Half::Low));
        if other.is_some() && ([l, r] == [lhs, rhs] || [r, l] == [lhs, rhs]) {
            return other;
        }
    }
    None
}
