//! Instructions as text, as `objdump -M no-aliases` writes them, with the numbers of jumps as addresses.

use crate::{Instruction, Meaning, Source};
use pvm_ops::Reg;
use std::fmt::Write;

/// The names of registers in the calling convention.
#[rustfmt::skip]
const REGISTERS: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5",
    "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
];

/// The name of a register in the calling convention.
pub const fn register_name(reg: Reg) -> &'static str {
    REGISTERS[reg.index()]
}

/// The names of control registers (volume II, 2.2).
#[rustfmt::skip]
const CONTROL: &[(i32, &str)] = &[
    (0xc00, "cycle"), (0xc01, "time"), (0xc02, "instret"), (0xc80, "cycleh"), (0xc81, "timeh"), (0xc82, "instreth"),
    (0x300, "mstatus"), (0x301, "misa"), (0x302, "medeleg"), (0x303, "mideleg"), (0x304, "mie"), (0x305, "mtvec"),
    (0x340, "mscratch"), (0x341, "mepc"), (0x342, "mcause"), (0x343, "mtval"), (0x344, "mip"), (0x180, "satp"),
    (0x3a0, "pmpcfg0"), (0x3b0, "pmpaddr0"), (0xf11, "mvendorid"), (0xf12, "marchid"), (0xf13, "mimpid"),
    (0xf14, "mhartid"), (0xb00, "mcycle"), (0xb02, "minstret"), (0xb80, "mcycleh"), (0xb82, "minstreth"),
];

impl Instruction {
    /// The text of the instruction, which stands at `pc`.
    pub fn text(&self, pc: u32) -> String {
        let mut out = self.spec.mnemonic.to_owned();
        let format = &self.spec.format;
        let name = |reg: Reg| register_name(reg).to_owned();
        let mut operands = Vec::new();
        // Where the first operand is read and written, it is named once.
        let is_twice = format.rd == format.rs1 && format.rd.is_register();
        let rd = format.rd.is_register().then(|| name(self.rd));
        let rs1 = (format.rs1.is_register() && !is_twice).then(|| name(self.rs1));
        let rs2 = format.rs2.is_register().then(|| name(self.rs2));
        match self.spec.meaning {
            Meaning::Binary(_, source) => {
                let is_sp = format.rs1 == crate::Place::Fixed(Reg::R2);
                operands.extend(rd.or(is_sp.then(|| name(Reg::R2))).into_iter().chain(rs1).chain(rs2));
                if is_sp && format.rd.is_register() {
                    operands.push(name(Reg::R2));
                }
                operands.extend((source == Source::Immediate).then(|| self.imm.to_string()));
            }
            Meaning::LoadUpper | Meaning::AddUpper => {
                operands.extend(rd);
                operands.push(format!("{:#x}", self.imm as u32 >> 12));
            }
            Meaning::Jump | Meaning::Branch(_) => {
                operands.extend(rd.into_iter().chain(rs1).chain(rs2));
                operands.push(format!("{:#x}", pc.wrapping_add(self.imm as u32)));
            }
            Meaning::JumpRegister if format.imm.is_empty() => operands.extend(rs1),
            Meaning::JumpRegister | Meaning::Load(_) => {
                operands.extend(rd);
                operands.push(format!("{}({})", self.imm, register_name(self.rs1)));
            }
            Meaning::Store(_) => {
                operands.extend(rs2);
                operands.push(format!("{}({})", self.imm, register_name(self.rs1)));
            }
            Meaning::Fence => operands.extend([self.imm >> 4, self.imm].map(accesses)),
            Meaning::Control(_, source) => {
                operands.extend(rd);
                let known = CONTROL.iter().find(|(number, _)| *number == self.imm);
                operands.push(known.map_or_else(|| format!("{:#x}", self.imm), |(_, name)| (*name).to_owned()));
                operands.push(match source {
                    Source::Register => name(self.rs1),
                    Source::Immediate => self.rs1.index().to_string(),
                });
            }
            Meaning::Atomic(_) | Meaning::LoadReserved | Meaning::StoreConditional => {
                out.push_str(["", ".rl", ".aq", ".aqrl"][self.imm as usize & 3]);
                operands.extend(rd.into_iter().chain(rs2));
                operands.push(format!("({})", register_name(self.rs1)));
            }
            Meaning::CodeFence
            | Meaning::EnvironmentCall
            | Meaning::Breakpoint
            | Meaning::TrapReturn
            | Meaning::Wait => {}
        }
        if !operands.is_empty() {
            // Writing into a string cannot fail.
            let _ = write!(out, " {}", operands.join(", "));
        }
        out
    }
}

/// The kinds of accesses that a fence orders: four bits.
fn accesses(bits: i32) -> String {
    let kinds = [(8, 'i'), (4, 'o'), (2, 'r'), (1, 'w')];
    let set: String = kinds.iter().filter(|(bit, _)| bits & bit != 0).map(|&(_, kind)| kind).collect();
    if set.is_empty() { "0".to_owned() } else { set }
}
