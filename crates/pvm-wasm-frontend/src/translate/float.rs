//! Floating-point numbers, which are kept as bits.
//!
//! What only moves bits or touches the sign is done here. What computes or compares traps; a library of floating-point
//! arithmetic takes its place by calls from [`Translator::arithmetic`], which is given every such instruction.

use super::Translator;
use cranelift_codegen::ir::InstBuilder;
use cranelift_codegen::ir::types::I32;
use wasmparser::Operator;

impl Translator<'_, '_> {
    pub(super) fn float(&mut self, operator: &Operator<'_>) -> bool {
        use Operator as O;
        match operator {
            O::I32ReinterpretF32 | O::F32ReinterpretI32 | O::I64ReinterpretF64 | O::F64ReinterpretI64 => {}
            O::F32Abs | O::F64Abs => {
                let a = self.pop();
                let sign = self.sign_of(a);
                let value = self.builder.ins().band_not(a, sign);
                self.push(value);
            }
            O::F32Neg | O::F64Neg => {
                let a = self.pop();
                let sign = self.sign_of(a);
                let value = self.builder.ins().bxor(a, sign);
                self.push(value);
            }
            O::F32Copysign | O::F64Copysign => {
                let (a, b) = self.pop_pair();
                let sign = self.sign_of(a);
                let magnitude = self.builder.ins().band_not(a, sign);
                let sign = self.builder.ins().band(b, sign);
                let value = self.builder.ins().bor(magnitude, sign);
                self.push(value);
            }
            _ if is_arithmetic(operator) => self.arithmetic(operator),
            _ => return false,
        }
        true
    }

    /// The sign bit of a number like this one.
    fn sign_of(&mut self, value: cranelift_codegen::ir::Value) -> cranelift_codegen::ir::Value {
        let ty = self.builder.func.dfg.value_type(value);
        let bits = if ty == I32 { 1 << 31 } else { i64::MIN };
        self.builder.ins().iconst(ty, bits)
    }

    /// An instruction that computes with or compares floating-point numbers.
    fn arithmetic(&mut self, _operator: &Operator<'_>) {
        if let Some(number) = self.instance.float_call {
            self.host_call(number, &[], 0);
        }
        self.trap();
    }
}

/// Whether an instruction computes with floating-point numbers, compares them, or converts them to or from integers.
pub(crate) fn is_arithmetic(operator: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        operator,
        O::F32Eq
            | O::F32Ne
            | O::F32Lt
            | O::F32Gt
            | O::F32Le
            | O::F32Ge
            | O::F64Eq
            | O::F64Ne
            | O::F64Lt
            | O::F64Gt
            | O::F64Le
            | O::F64Ge
            | O::F32Ceil
            | O::F32Floor
            | O::F32Trunc
            | O::F32Nearest
            | O::F32Sqrt
            | O::F64Ceil
            | O::F64Floor
            | O::F64Trunc
            | O::F64Nearest
            | O::F64Sqrt
            | O::F32Add
            | O::F32Sub
            | O::F32Mul
            | O::F32Div
            | O::F32Min
            | O::F32Max
            | O::F64Add
            | O::F64Sub
            | O::F64Mul
            | O::F64Div
            | O::F64Min
            | O::F64Max
            | O::I32TruncF32S
            | O::I32TruncF32U
            | O::I32TruncF64S
            | O::I32TruncF64U
            | O::I64TruncF32S
            | O::I64TruncF32U
            | O::I64TruncF64S
            | O::I64TruncF64U
            | O::I32TruncSatF32S
            | O::I32TruncSatF32U
            | O::I32TruncSatF64S
            | O::I32TruncSatF64U
            | O::I64TruncSatF32S
            | O::I64TruncSatF32U
            | O::I64TruncSatF64S
            | O::I64TruncSatF64U
            | O::F32ConvertI32S
            | O::F32ConvertI32U
            | O::F32ConvertI64S
            | O::F32ConvertI64U
            | O::F64ConvertI32S
            | O::F64ConvertI32U
            | O::F64ConvertI64S
            | O::F64ConvertI64U
            | O::F32DemoteF64
            | O::F64PromoteF32
    )
}
