//! Remainders by the quotient of the same two numbers.
//!
//! Guests have an instruction for each, and compilers use both, one soon after the other: division of 64 bits by a guest of 32
//! is made of that. Hosts take long for either. A product and a difference take less: `a - (a / b) * b` is what guests have for
//! a remainder; by zero, too, when the quotient does not matter, and of the least number by minus one, where nothing remains.

use super::products::of_the_same;
use super::{Current, Translator};
use cranelift_codegen::ir::{InstBuilder, Value};
use pvm_clif::alu;
use pvm_ops::{BinaryOp, GuestCode, Operand};

/// A quotient that has been made, of 32 bits.
#[derive(Clone, Copy)]
pub(super) struct Quotient {
    op: BinaryOp,
    /// The registers that were divided.
    of: [Value; 2],
    quotient: Value,
}

impl<C: GuestCode> Translator<'_, '_, C> {
    /// The result of the division at this index, of registers of 32 bits, if it is a quotient, or a remainder of numbers of which
    /// the quotient is made in this block.
    pub(super) fn divided(
        &mut self,
        current: &mut Current,
        index: usize,
        op: BinaryOp,
        operands: [Operand; 2],
    ) -> Option<Value> {
        let (divide, is_remainder) = match op {
            BinaryOp::DivU | BinaryOp::DivS => (op, false),
            BinaryOp::RemU => (BinaryOp::DivU, true),
            BinaryOp::RemS => (BinaryOp::DivS, true),
            _ => return None,
        };
        let [Operand::Reg(a), Operand::Reg(b)] = operands else { return None };
        let of = [self.read(a), self.read(b)];
        let made = current.quotients.iter().find(|made| made.op == divide && made.of == of).map(|made| made.quotient);
        let follows = || of_the_same(current, index, |other, in_order| (in_order && other == divide).then_some(()));
        if made.is_none() && is_remainder && follows().is_none() {
            return None;
        }
        let [a, b] = [self.read_half(a), self.read_half(b)];
        let quotient = made.unwrap_or_else(|| {
            let quotient = alu::binary(self.builder, divide, a, b);
            current.quotients.push(Quotient { op: divide, of, quotient });
            quotient
        });
        Some(if is_remainder {
            let product = self.builder.ins().imul(quotient, b);
            self.builder.ins().isub(a, product)
        } else {
            quotient
        })
    }
}
