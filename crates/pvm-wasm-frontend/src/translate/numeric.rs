//! Arithmetic and comparisons of integers.

use super::Translator;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Type, Value};
use cranelift_frontend::FunctionBuilder;
use wasmparser::Operator;

impl Translator<'_, '_> {
    pub(super) fn numeric(&mut self, operator: &Operator<'_>) -> bool {
        if let Some(op) = binary(operator) {
            let (a, b) = self.pop_pair();
            let value = op(&mut self.builder, a, b);
            self.push(value);
        } else if let Some(op) = unary(operator) {
            let a = self.pop();
            let value = op(&mut self.builder, a);
            self.push(value);
        } else if let Some(cc) = comparison(operator) {
            let (a, b) = self.pop_pair();
            let flag = self.builder.ins().icmp(cc, a, b);
            self.push_flag(flag);
        } else if let Operator::I32Eqz | Operator::I64Eqz = operator {
            let a = self.pop();
            let flag = self.builder.ins().icmp_imm_s(IntCC::Equal, a, 0);
            self.push_flag(flag);
        } else {
            return false;
        }
        true
    }
}

type Binary = fn(&mut FunctionBuilder<'_>, Value, Value) -> Value;

/// Division traps in the IR when it does in WebAssembly, and shift amounts are taken modulo the width in both.
fn binary(operator: &Operator<'_>) -> Option<Binary> {
    use Operator as O;
    Some(match operator {
        O::I32Add | O::I64Add => |builder, a, b| builder.ins().iadd(a, b),
        O::I32Sub | O::I64Sub => |builder, a, b| builder.ins().isub(a, b),
        O::I32Mul | O::I64Mul => |builder, a, b| builder.ins().imul(a, b),
        O::I32DivS | O::I64DivS => |builder, a, b| builder.ins().sdiv(a, b),
        O::I32DivU | O::I64DivU => |builder, a, b| builder.ins().udiv(a, b),
        O::I32RemS | O::I64RemS => |builder, a, b| builder.ins().srem(a, b),
        O::I32RemU | O::I64RemU => |builder, a, b| builder.ins().urem(a, b),
        O::I32And | O::I64And => |builder, a, b| builder.ins().band(a, b),
        O::I32Or | O::I64Or => |builder, a, b| builder.ins().bor(a, b),
        O::I32Xor | O::I64Xor => |builder, a, b| builder.ins().bxor(a, b),
        O::I32Shl | O::I64Shl => |builder, a, b| builder.ins().ishl(a, b),
        O::I32ShrS | O::I64ShrS => |builder, a, b| builder.ins().sshr(a, b),
        O::I32ShrU | O::I64ShrU => |builder, a, b| builder.ins().ushr(a, b),
        O::I32Rotl | O::I64Rotl => |builder, a, b| builder.ins().rotl(a, b),
        O::I32Rotr | O::I64Rotr => |builder, a, b| builder.ins().rotr(a, b),
        _ => return None,
    })
}

type Unary = fn(&mut FunctionBuilder<'_>, Value) -> Value;

fn unary(operator: &Operator<'_>) -> Option<Unary> {
    use Operator as O;
    Some(match operator {
        O::I32Clz | O::I64Clz => |builder, a| builder.ins().clz(a),
        O::I32Ctz | O::I64Ctz => |builder, a| builder.ins().ctz(a),
        O::I32Popcnt | O::I64Popcnt => |builder, a| builder.ins().popcnt(a),
        O::I32WrapI64 => |builder, a| builder.ins().ireduce(I32, a),
        O::I64ExtendI32S => |builder, a| builder.ins().sextend(I64, a),
        O::I64ExtendI32U => |builder, a| builder.ins().uextend(I64, a),
        O::I32Extend8S | O::I64Extend8S => |builder, a| sign_extend(builder, I8, a),
        O::I32Extend16S | O::I64Extend16S => |builder, a| sign_extend(builder, I16, a),
        O::I64Extend32S => |builder, a| sign_extend(builder, I32, a),
        _ => return None,
    })
}

fn sign_extend(builder: &mut FunctionBuilder<'_>, from: Type, a: Value) -> Value {
    let ty = builder.func.dfg.value_type(a);
    let low = builder.ins().ireduce(from, a);
    builder.ins().sextend(ty, low)
}

fn comparison(operator: &Operator<'_>) -> Option<IntCC> {
    use Operator as O;
    Some(match operator {
        O::I32Eq | O::I64Eq => IntCC::Equal,
        O::I32Ne | O::I64Ne => IntCC::NotEqual,
        O::I32LtS | O::I64LtS => IntCC::SignedLessThan,
        O::I32LtU | O::I64LtU => IntCC::UnsignedLessThan,
        O::I32GtS | O::I64GtS => IntCC::SignedGreaterThan,
        O::I32GtU | O::I64GtU => IntCC::UnsignedGreaterThan,
        O::I32LeS | O::I64LeS => IntCC::SignedLessThanOrEqual,
        O::I32LeU | O::I64LeU => IntCC::UnsignedLessThanOrEqual,
        O::I32GeS | O::I64GeS => IntCC::SignedGreaterThanOrEqual,
        O::I32GeU | O::I64GeU => IntCC::UnsignedGreaterThanOrEqual,
        _ => return None,
    })
}
