//! Comparisons in vectors, and choices by them.

use super::lanes;
use super::plan::Plan;
use super::round::Lane;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value};
use cranelift_frontend::FunctionBuilder;
use pvm_ops::BinaryOp;

/// All ones in each lane where a value is not zero, or where it is, and zero elsewhere.
pub(super) struct Mask {
    vectors: Vec<Value>,
    is_of_zero: bool,
}

impl Mask {
    /// Of the value of this number, by which something is chosen.
    pub fn of(builder: &mut FunctionBuilder<'_>, plan: &Plan, test: usize, values: &[Vec<Value>]) -> Mask {
        match plan.lanes[test] {
            Lane::Binary(op @ (BinaryOp::SetLtS | BinaryOp::SetLtU), _, lhs, rhs) => {
                Mask::of_comparison(builder, plan, op, [lhs, rhs], values)
            }
            _ => Mask::of_zero(builder, plan, &values[test]),
        }
    }

    /// Where one value is less than another one.
    pub fn of_comparison(
        builder: &mut FunctionBuilder<'_>,
        plan: &Plan,
        op: BinaryOp,
        [lhs, rhs]: [usize; 2],
        values: &[Vec<Value>],
    ) -> Mask {
        let signs_alike = |value: usize| plan.ranges[value].is_natural() && plan.ranges[value].fits(plan.bits);
        let (cc, rhs) = match (op, plan.lanes[lhs], plan.lanes[rhs]) {
            (BinaryOp::SetLtU, _, Lane::Constant(1)) => {
                return Mask { is_of_zero: false, ..Mask::of_zero(builder, plan, &values[lhs]) };
            }
            (BinaryOp::SetLtU, Lane::Constant(0), _) => return Mask::of_zero(builder, plan, &values[rhs]),
            (BinaryOp::SetLtS, ..) => (IntCC::SignedLessThan, values[rhs].clone()),
            _ if signs_alike(lhs) && signs_alike(rhs) => (IntCC::SignedLessThan, values[rhs].clone()),
            // The host has that, and not the other one.
            (_, _, Lane::Constant(value)) if value != 0 && plan.bits < 64 => {
                let last = lanes::constant(builder, plan.bits, value.wrapping_sub(1));
                (IntCC::UnsignedLessThanOrEqual, vec![last; values[lhs].len()])
            }
            _ => (IntCC::UnsignedLessThan, values[rhs].clone()),
        };
        let vectors = values[lhs].iter().zip(rhs).map(|(&a, b)| builder.ins().icmp(cc, a, b)).collect();
        Mask { vectors, is_of_zero: false }
    }

    fn of_zero(builder: &mut FunctionBuilder<'_>, plan: &Plan, values: &[Value]) -> Mask {
        let zero = lanes::constant(builder, plan.bits, 0);
        let vectors = values.iter().map(|&value| builder.ins().icmp(IntCC::Equal, value, zero)).collect();
        Mask { vectors, is_of_zero: true }
    }

    /// One where the value is not zero, else zero.
    pub fn as_number(&self, builder: &mut FunctionBuilder<'_>, plan: &Plan) -> Vec<Value> {
        let one = if self.is_of_zero { Some(lanes::constant(builder, plan.bits, 1)) } else { None };
        let number = |&mask: &Value| match one {
            Some(one) => builder.ins().iadd(mask, one),
            None => builder.ins().ineg(mask),
        };
        self.vectors.iter().map(number).collect()
    }

    /// Where the value is zero one value, else another one, by their numbers.
    pub fn choose(
        &self,
        builder: &mut FunctionBuilder<'_>,
        plan: &Plan,
        [zero, not_zero]: [usize; 2],
        values: &[Vec<Value>],
    ) -> Vec<Value> {
        let (ones, zeros) = if self.is_of_zero { (zero, not_zero) } else { (not_zero, zero) };
        let is_nothing = |value: usize| plan.lanes[value] == Lane::Constant(0);
        let each = self.vectors.iter().zip(&values[ones]).zip(&values[zeros]);
        let choice = |((&mask, &ones_), &zeros_): ((&Value, &Value), &Value)| {
            if is_nothing(zeros) {
                builder.ins().band(ones_, mask)
            } else if is_nothing(ones) {
                builder.ins().band_not(zeros_, mask)
            } else {
                builder.ins().bitselect(mask, ones_, zeros_)
            }
        };
        each.map(choice).collect()
    }
}
