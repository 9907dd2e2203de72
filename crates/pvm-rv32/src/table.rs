//! The instruction table.
//!
//! Where rows overlap, the first one that matches and whose operands are allowed is the instruction; so those with more
//! fixed bits come first.

use crate::format::*;
use crate::meaning::Meaning::*;
use crate::meaning::Source::{Immediate as Imm, Register as Reg};
use crate::{Format, Meaning};
use pvm_ops::AtomicOp::{Binary as Amo, Swap};
use pvm_ops::BinaryOp::*;
use pvm_ops::Cond::*;
use pvm_ops::ControlOp::{Clear, Set, Write};
use pvm_ops::Size::{B1, B2, B4};
use pvm_ops::{LoadKind, Size};

/// The part of the architecture that an instruction belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extension {
    /// The base.
    I,
    /// Multiplication and division.
    M,
    /// Atomic instructions.
    A,
    /// Instructions of 16 bits.
    C,
    /// Control registers.
    Zicsr,
    /// Instruction-fetch fence.
    Zifencei,
    /// Machine mode (volume II).
    Machine,
}

/// An operand that must not be zero: the instruction is reserved, or another one, if it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // named like the operands
pub enum NonZero {
    None,
    Rd,
    Rs1,
    Rs2,
    Imm,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Its name in assembly.
    pub mnemonic: &'static str,
    /// The bits that are fixed.
    pub mask: u32,
    /// What they are.
    pub value: u32,
    /// Where the operands are.
    pub format: Format,
    /// What it does.
    pub meaning: Meaning,
    /// What it belongs to.
    pub extension: Extension,
    /// The operand that must not be zero.
    pub non_zero: NonZero,
}

impl Spec {
    /// Its length in bytes: instructions whose two lowest bits are ones have four (volume I, 1.5).
    pub const fn bytes(&self) -> u32 {
        if self.value & 3 == 3 { 4 } else { 2 }
    }
}

const fn row(mnemonic: &'static str, mask: u32, value: u32, format: Format, meaning: Meaning, of: Extension) -> Spec {
    Spec { mnemonic, mask, value, format, meaning, extension: of, non_zero: NonZero::None }
}

const fn non_zero(operand: NonZero, row: Spec) -> Spec {
    Spec { non_zero: operand, ..row }
}

const fn load(size: Size, signed: bool) -> Meaning {
    Load(LoadKind { size, signed })
}

use Extension::{A, C, I as Base, M, Machine, Zicsr, Zifencei};

/// The table.
#[rustfmt::skip]
pub const SPECS: &[Spec] = &[
    row("lui",       0x0000_007f, 0x0000_0037, U,     LoadUpper,                 Base),
    row("auipc",     0x0000_007f, 0x0000_0017, U,     AddUpper,                  Base),
    row("jal",       0x0000_007f, 0x0000_006f, J,     Jump,                      Base),
    row("jalr",      0x0000_707f, 0x0000_0067, I,     JumpRegister,              Base),
    row("beq",       0x0000_707f, 0x0000_0063, B,     Branch(Eq),                Base),
    row("bne",       0x0000_707f, 0x0000_1063, B,     Branch(Ne),                Base),
    row("blt",       0x0000_707f, 0x0000_4063, B,     Branch(LtS),               Base),
    row("bge",       0x0000_707f, 0x0000_5063, B,     Branch(GeS),               Base),
    row("bltu",      0x0000_707f, 0x0000_6063, B,     Branch(LtU),               Base),
    row("bgeu",      0x0000_707f, 0x0000_7063, B,     Branch(GeU),               Base),
    row("lb",        0x0000_707f, 0x0000_0003, I,     load(B1, true),            Base),
    row("lh",        0x0000_707f, 0x0000_1003, I,     load(B2, true),            Base),
    row("lw",        0x0000_707f, 0x0000_2003, I,     load(B4, true),            Base),
    row("lbu",       0x0000_707f, 0x0000_4003, I,     load(B1, false),           Base),
    row("lhu",       0x0000_707f, 0x0000_5003, I,     load(B2, false),           Base),
    row("sb",        0x0000_707f, 0x0000_0023, S,     Store(B1),                 Base),
    row("sh",        0x0000_707f, 0x0000_1023, S,     Store(B2),                 Base),
    row("sw",        0x0000_707f, 0x0000_2023, S,     Store(B4),                 Base),
    row("addi",      0x0000_707f, 0x0000_0013, I,     Binary(Add, Imm),          Base),
    row("slti",      0x0000_707f, 0x0000_2013, I,     Binary(SetLtS, Imm),       Base),
    row("sltiu",     0x0000_707f, 0x0000_3013, I,     Binary(SetLtU, Imm),       Base),
    row("xori",      0x0000_707f, 0x0000_4013, I,     Binary(Xor, Imm),          Base),
    row("ori",       0x0000_707f, 0x0000_6013, I,     Binary(Or, Imm),           Base),
    row("andi",      0x0000_707f, 0x0000_7013, I,     Binary(And, Imm),          Base),
    row("slli",      0xfe00_707f, 0x0000_1013, SHIFT, Binary(Shl, Imm),          Base),
    row("srli",      0xfe00_707f, 0x0000_5013, SHIFT, Binary(ShrU, Imm),         Base),
    row("srai",      0xfe00_707f, 0x4000_5013, SHIFT, Binary(ShrS, Imm),         Base),
    row("add",       0xfe00_707f, 0x0000_0033, R,     Binary(Add, Reg),          Base),
    row("sub",       0xfe00_707f, 0x4000_0033, R,     Binary(Sub, Reg),          Base),
    row("sll",       0xfe00_707f, 0x0000_1033, R,     Binary(Shl, Reg),          Base),
    row("slt",       0xfe00_707f, 0x0000_2033, R,     Binary(SetLtS, Reg),       Base),
    row("sltu",      0xfe00_707f, 0x0000_3033, R,     Binary(SetLtU, Reg),       Base),
    row("xor",       0xfe00_707f, 0x0000_4033, R,     Binary(Xor, Reg),          Base),
    row("srl",       0xfe00_707f, 0x0000_5033, R,     Binary(ShrU, Reg),         Base),
    row("sra",       0xfe00_707f, 0x4000_5033, R,     Binary(ShrS, Reg),         Base),
    row("or",        0xfe00_707f, 0x0000_6033, R,     Binary(Or, Reg),           Base),
    row("and",       0xfe00_707f, 0x0000_7033, R,     Binary(And, Reg),          Base),
    row("fence",     0x0000_707f, 0x0000_000f, FENCE, Fence,                     Base),
    row("ecall",     0xffff_ffff, 0x0000_0073, NONE,  EnvironmentCall,           Base),
    row("ebreak",    0xffff_ffff, 0x0010_0073, NONE,  Breakpoint,                Base),

    row("fence.i",   0x0000_707f, 0x0000_100f, FENCE, CodeFence,                 Zifencei),

    row("csrrw",     0x0000_707f, 0x0000_1073, CSR,   Control(Write, Reg),       Zicsr),
    row("csrrs",     0x0000_707f, 0x0000_2073, CSR,   Control(Set, Reg),         Zicsr),
    row("csrrc",     0x0000_707f, 0x0000_3073, CSR,   Control(Clear, Reg),       Zicsr),
    row("csrrwi",    0x0000_707f, 0x0000_5073, CSR,   Control(Write, Imm),       Zicsr),
    row("csrrsi",    0x0000_707f, 0x0000_6073, CSR,   Control(Set, Imm),         Zicsr),
    row("csrrci",    0x0000_707f, 0x0000_7073, CSR,   Control(Clear, Imm),       Zicsr),

    row("mret",      0xffff_ffff, 0x3020_0073, NONE,  TrapReturn,                Machine),
    row("wfi",       0xffff_ffff, 0x1050_0073, NONE,  Wait,                      Machine),

    row("mul",       0xfe00_707f, 0x0200_0033, R,     Binary(Mul, Reg),          M),
    row("mulh",      0xfe00_707f, 0x0200_1033, R,     Binary(MulHighSS, Reg),    M),
    row("mulhsu",    0xfe00_707f, 0x0200_2033, R,     Binary(MulHighSU, Reg),    M),
    row("mulhu",     0xfe00_707f, 0x0200_3033, R,     Binary(MulHighUU, Reg),    M),
    row("div",       0xfe00_707f, 0x0200_4033, R,     Binary(DivS, Reg),         M),
    row("divu",      0xfe00_707f, 0x0200_5033, R,     Binary(DivU, Reg),         M),
    row("rem",       0xfe00_707f, 0x0200_6033, R,     Binary(RemS, Reg),         M),
    row("remu",      0xfe00_707f, 0x0200_7033, R,     Binary(RemU, Reg),         M),

    row("lr.w",      0xf9f0_707f, 0x1000_202f, LR,    LoadReserved,              A),
    row("sc.w",      0xf800_707f, 0x1800_202f, AMO,   StoreConditional,          A),
    row("amoswap.w", 0xf800_707f, 0x0800_202f, AMO,   Atomic(Swap),              A),
    row("amoadd.w",  0xf800_707f, 0x0000_202f, AMO,   Atomic(Amo(Add)),          A),
    row("amoxor.w",  0xf800_707f, 0x2000_202f, AMO,   Atomic(Amo(Xor)),          A),
    row("amoand.w",  0xf800_707f, 0x6000_202f, AMO,   Atomic(Amo(And)),          A),
    row("amoor.w",   0xf800_707f, 0x4000_202f, AMO,   Atomic(Amo(Or)),           A),
    row("amomin.w",  0xf800_707f, 0x8000_202f, AMO,   Atomic(Amo(MinS)),         A),
    row("amomax.w",  0xf800_707f, 0xa000_202f, AMO,   Atomic(Amo(MaxS)),         A),
    row("amominu.w", 0xf800_707f, 0xc000_202f, AMO,   Atomic(Amo(MinU)),         A),
    row("amomaxu.w", 0xf800_707f, 0xe000_202f, AMO,   Atomic(Amo(MaxU)),         A),

    non_zero(NonZero::Imm,
    row("c.addi4spn", 0xe003, 0x0000, CIW,          Binary(Add, Imm),  C)),
    row("c.lw",       0xe003, 0x4000, CL,           load(B4, true),    C),
    row("c.sw",       0xe003, 0xc000, CS,           Store(B4),         C),
    row("c.addi",     0xe003, 0x0001, CI,           Binary(Add, Imm),  C),
    row("c.jal",      0xe003, 0x2001, CJ_LINK,      Jump,              C),
    row("c.li",       0xe003, 0x4001, CI_LOAD_IMM,  Binary(Add, Imm),  C),
    non_zero(NonZero::Imm,
    row("c.addi16sp", 0xef83, 0x6101, CI_SP,        Binary(Add, Imm),  C)),
    non_zero(NonZero::Imm,
    row("c.lui",      0xe003, 0x6001, CI_UPPER,     LoadUpper,         C)),
    row("c.srli",     0xfc03, 0x8001, CB_SHIFT,     Binary(ShrU, Imm), C),
    row("c.srai",     0xfc03, 0x8401, CB_SHIFT,     Binary(ShrS, Imm), C),
    row("c.andi",     0xec03, 0x8801, CB_IMM,       Binary(And, Imm),  C),
    row("c.sub",      0xfc63, 0x8c01, CA,           Binary(Sub, Reg),  C),
    row("c.xor",      0xfc63, 0x8c21, CA,           Binary(Xor, Reg),  C),
    row("c.or",       0xfc63, 0x8c41, CA,           Binary(Or, Reg),   C),
    row("c.and",      0xfc63, 0x8c61, CA,           Binary(And, Reg),  C),
    row("c.j",        0xe003, 0xa001, CJ,           Jump,              C),
    row("c.beqz",     0xe003, 0xc001, CB,           Branch(Eq),        C),
    row("c.bnez",     0xe003, 0xe001, CB,           Branch(Ne),        C),
    row("c.slli",     0xf003, 0x0002, CI_SHIFT,     Binary(Shl, Imm),  C),
    non_zero(NonZero::Rd,
    row("c.lwsp",     0xe003, 0x4002, CI_LOAD,      load(B4, true),    C)),
    non_zero(NonZero::Rs1,
    row("c.jr",       0xf07f, 0x8002, CR_JUMP,      JumpRegister,      C)),
    non_zero(NonZero::Rs2,
    row("c.mv",       0xf003, 0x8002, CR_MOVE,      Binary(Add, Reg),  C)),
    row("c.ebreak",   0xffff, 0x9002, NONE,         Breakpoint,        C),
    row("c.jalr",     0xf07f, 0x9002, CR_JUMP_LINK, JumpRegister,      C),
    row("c.add",      0xf003, 0x9002, CR,           Binary(Add, Reg),  C),
    row("c.swsp",     0xe003, 0xc002, CSS,          Store(B4),         C),
];
