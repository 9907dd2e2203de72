//! The instruction table.
//!
//! Sources: opcodes, formats and effects from Gray Paper 0.7.2, A.5; the 0.8 numbering and the costs from the 0.8 line,
//! A.5, A.9 and A.10.

use crate::cost::Discount::*;
use crate::cost::{BRANCH, Cost, LOAD, MOVE, STORE, alu, alu2, div, mul, op};
use crate::meaning::Meaning::*;
use crate::{Format, Meaning, Profile};
use pvm_ops::BinaryOp::*;
use pvm_ops::Cond::*;
use pvm_ops::Size::{B1, B2, B4, B8};
use pvm_ops::UnaryOp::*;
use pvm_ops::Width::{W32, W64};
use pvm_ops::{LoadKind, Size};

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The instruction.
    pub opcode: Opcode,
    /// Its name in assembly.
    pub mnemonic: &'static str,
    /// How its operands are encoded.
    pub format: Format,
    /// What it does.
    pub meaning: Meaning,
    /// What it costs in the pipeline gas model.
    pub cost: Cost,
    bytes: [u8; 3],
}

/// The opcode byte of an instruction that a profile does not have. No profile uses the byte itself.
const NO: u8 = 255;

const fn load(size: Size, signed: bool) -> LoadKind {
    LoadKind { size, signed }
}

const U8: LoadKind = load(B1, false);
const I8: LoadKind = load(B1, true);
const U16: LoadKind = load(B2, false);
const I16: LoadKind = load(B2, true);
const U32: LoadKind = load(B4, false);
const I32: LoadKind = load(B4, true);
const U64: LoadKind = load(B8, false);

macro_rules! instructions {
    ($($v07:tt $draft:tt $v08:tt $name:ident $mnemonic:literal $format:ident $meaning:expr, $cost:expr;)*) => {
        /// The instructions, in the order of the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[allow(missing_docs)] // each is described by its row
        pub enum Opcode { $($name),* }

        /// The table, indexed by [`Opcode`].
        pub const SPECS: &[Spec] = &[$(Spec {
            opcode: Opcode::$name, mnemonic: $mnemonic, format: Format::$format, meaning: $meaning, cost: $cost,
            bytes: [$v07, $draft, $v08],
        }),*];
    };
}

#[rustfmt::skip]
instructions! {
//  0.7 draft 0.8 name               mnemonic                 format        meaning                        cost
      0   0   0  Trap                 "trap"                   None          Trap, op(2, 1);
      1   1   1  Fallthrough          "fallthrough"            None          Fallthrough, op(2, 1);
     NO   3   2  Unlikely             "unlikely"               None          Nop, op(40, 1);
     10  10  10  Ecalli               "ecalli"                 Imm           HostCall, alu(100, 4);
     20  20  20  LoadImm64            "load_imm_64"            RegImm64      LoadImm, op(1, 2);
     30  30  30  StoreImmU8           "store_imm_u8"           ImmImm        Store(B1), STORE;
     31  31  31  StoreImmU16          "store_imm_u16"          ImmImm        Store(B2), STORE;
     32  32  32  StoreImmU32          "store_imm_u32"          ImmImm        Store(B4), STORE;
     33  33  33  StoreImmU64          "store_imm_u64"          ImmImm        Store(B8), STORE;
     40  40  40  Jump                 "jump"                   Offset        Jump, op(15, 1);
     50  50  50  JumpInd              "jump_ind"               RegImm        JumpIndirect, op(22, 1);
     51  51  51  LoadImm              "load_imm"               RegImm        LoadImm, op(1, 1);
     52  52  52  LoadU8               "load_u8"                RegImm        Load(U8), LOAD;
     53  53  53  LoadI8               "load_i8"                RegImm        Load(I8), LOAD;
     54  54  54  LoadU16              "load_u16"               RegImm        Load(U16), LOAD;
     55  55  55  LoadI16              "load_i16"               RegImm        Load(I16), LOAD;
     56  56  56  LoadU32              "load_u32"               RegImm        Load(U32), LOAD;
     57  57  57  LoadI32              "load_i32"               RegImm        Load(I32), LOAD;
     58  58  58  LoadU64              "load_u64"               RegImm        Load(U64), LOAD;
     59  59  59  StoreU8              "store_u8"               RegImm        Store(B1), STORE;
     60  60  60  StoreU16             "store_u16"              RegImm        Store(B2), STORE;
     61  61  61  StoreU32             "store_u32"              RegImm        Store(B4), STORE;
     62  62  62  StoreU64             "store_u64"              RegImm        Store(B8), STORE;
     70  70  70  StoreImmIndU8        "store_imm_ind_u8"       RegImmImm     Store(B1), STORE;
     71  71  71  StoreImmIndU16       "store_imm_ind_u16"      RegImmImm     Store(B2), STORE;
     72  72  72  StoreImmIndU32       "store_imm_ind_u32"      RegImmImm     Store(B4), STORE;
     73  73  73  StoreImmIndU64       "store_imm_ind_u64"      RegImmImm     Store(B8), STORE;
     80  80  80  LoadImmJump          "load_imm_jump"          RegImmOffset  Jump, op(15, 1);
     81  81  81  BranchEqImm          "branch_eq_imm"          RegImmOffset  Branch(Eq), BRANCH;
     82  82  82  BranchNeImm          "branch_ne_imm"          RegImmOffset  Branch(Ne), BRANCH;
     83  83  83  BranchLtUImm         "branch_lt_u_imm"        RegImmOffset  Branch(LtU), BRANCH;
     84  84  84  BranchLeUImm         "branch_le_u_imm"        RegImmOffset  Branch(LeU), BRANCH;
     85  85  85  BranchGeUImm         "branch_ge_u_imm"        RegImmOffset  Branch(GeU), BRANCH;
     86  86  86  BranchGtUImm         "branch_gt_u_imm"        RegImmOffset  Branch(GtU), BRANCH;
     87  87  87  BranchLtSImm         "branch_lt_s_imm"        RegImmOffset  Branch(LtS), BRANCH;
     88  88  88  BranchLeSImm         "branch_le_s_imm"        RegImmOffset  Branch(LeS), BRANCH;
     89  89  89  BranchGeSImm         "branch_ge_s_imm"        RegImmOffset  Branch(GeS), BRANCH;
     90  90  90  BranchGtSImm         "branch_gt_s_imm"        RegImmOffset  Branch(GtS), BRANCH;
    100 100 100  MoveReg              "move_reg"               RegReg        Unary(Move, W64), MOVE;
    101 101  NO  Sbrk                 "sbrk"                   RegReg        Sbrk, alu(100, 4);
    102 102 101  CountSetBits64       "count_set_bits_64"      RegReg        Unary(CountOnes, W64), alu(1, 1);
    103 103 102  CountSetBits32       "count_set_bits_32"      RegReg        Unary(CountOnes, W32), alu(1, 1);
    104 104 103  LeadingZeroBits64    "leading_zero_bits_64"   RegReg        Unary(LeadingZeros, W64), alu(1, 1);
    105 105 104  LeadingZeroBits32    "leading_zero_bits_32"   RegReg        Unary(LeadingZeros, W32), alu(1, 1);
    106 106 105  TrailingZeroBits64   "trailing_zero_bits_64"  RegReg        Unary(TrailingZeros, W64), alu2(2, 1);
    107 107 106  TrailingZeroBits32   "trailing_zero_bits_32"  RegReg        Unary(TrailingZeros, W32), alu2(2, 1);
    108 108 107  SignExtend8          "sign_extend_8"          RegReg        Unary(SignExtend8, W64), alu(1, 1);
    109 109 108  SignExtend16         "sign_extend_16"         RegReg        Unary(SignExtend16, W64), alu(1, 1);
    110 110 109  ZeroExtend16         "zero_extend_16"         RegReg        Unary(ZeroExtend16, W64), alu(1, 1);
    111 111 110  ReverseBytes         "reverse_bytes"          RegReg        Unary(ReverseBytes, W64), alu(1, 1).unless(DstIsSrc);
    120 120 120  StoreIndU8           "store_ind_u8"           RegRegImm     Store(B1), STORE;
    121 121 121  StoreIndU16          "store_ind_u16"          RegRegImm     Store(B2), STORE;
    122 122 122  StoreIndU32          "store_ind_u32"          RegRegImm     Store(B4), STORE;
    123 123 123  StoreIndU64          "store_ind_u64"          RegRegImm     Store(B8), STORE;
    124 124 124  LoadIndU8            "load_ind_u8"            RegRegImm     Load(U8), LOAD;
    125 125 125  LoadIndI8            "load_ind_i8"            RegRegImm     Load(I8), LOAD;
    126 126 126  LoadIndU16           "load_ind_u16"           RegRegImm     Load(U16), LOAD;
    127 127 127  LoadIndI16           "load_ind_i16"           RegRegImm     Load(I16), LOAD;
    128 128 128  LoadIndU32           "load_ind_u32"           RegRegImm     Load(U32), LOAD;
    129 129 129  LoadIndI32           "load_ind_i32"           RegRegImm     Load(I32), LOAD;
    130 130 130  LoadIndU64           "load_ind_u64"           RegRegImm     Load(U64), LOAD;
    131 131 131  AddImm32             "add_imm_32"             RegRegImm     Binary(Add, W32), alu(2, 2).unless(DstIsSrc);
    132 132 132  AndImm               "and_imm"                RegRegImm     Binary(And, W64), alu(1, 1).unless(DstIsSrc);
    133 133 133  XorImm               "xor_imm"                RegRegImm     Binary(Xor, W64), alu(1, 1).unless(DstIsSrc);
    134 134 134  OrImm                "or_imm"                 RegRegImm     Binary(Or, W64), alu(1, 1).unless(DstIsSrc);
    135 135 135  MulImm32             "mul_imm_32"             RegRegImm     Binary(Mul, W32), mul(4, 2).unless(DstIsSrc);
    136 136 136  SetLtUImm            "set_lt_u_imm"           RegRegImm     Binary(SetLtU, W64), alu(3, 3);
    137 137 137  SetLtSImm            "set_lt_s_imm"           RegRegImm     Binary(SetLtS, W64), alu(3, 3);
    138 138 138  ShloLImm32           "shlo_l_imm_32"          RegRegImm     Binary(Shl, W32), alu(2, 2).unless(DstIsSrc);
    139 139 139  ShloRImm32           "shlo_r_imm_32"          RegRegImm     Binary(ShrU, W32), alu(2, 2).unless(DstIsSrc);
    140 140 140  SharRImm32           "shar_r_imm_32"          RegRegImm     Binary(ShrS, W32), alu(2, 2).unless(DstIsSrc);
    141 141 141  NegAddImm32          "neg_add_imm_32"         RegRegImm     BinarySwapped(Sub, W32), alu(3, 4);
    142 142 142  SetGtUImm            "set_gt_u_imm"           RegRegImm     BinarySwapped(SetLtU, W64), alu(3, 3);
    143 143 143  SetGtSImm            "set_gt_s_imm"           RegRegImm     BinarySwapped(SetLtS, W64), alu(3, 3);
    144 144 144  ShloLImmAlt32        "shlo_l_imm_alt_32"      RegRegImm     BinarySwapped(Shl, W32), alu(2, 4);
    145 145 145  ShloRImmAlt32        "shlo_r_imm_alt_32"      RegRegImm     BinarySwapped(ShrU, W32), alu(2, 4);
    146 146 146  SharRImmAlt32        "shar_r_imm_alt_32"      RegRegImm     BinarySwapped(ShrS, W32), alu(2, 4);
    147 147 147  CmovIzImm            "cmov_iz_imm"            RegRegImm     MoveIfZero, alu(2, 3);
    148 148 148  CmovNzImm            "cmov_nz_imm"            RegRegImm     MoveIfNotZero, alu(2, 3);
    149 149 149  AddImm64             "add_imm_64"             RegRegImm     Binary(Add, W64), alu(1, 1).unless(DstIsSrc);
    150 150 150  MulImm64             "mul_imm_64"             RegRegImm     Binary(Mul, W64), mul(3, 1).unless(DstIsSrc);
    151 151 151  ShloLImm64           "shlo_l_imm_64"          RegRegImm     Binary(Shl, W64), alu(1, 1).unless(DstIsSrc);
    152 152 152  ShloRImm64           "shlo_r_imm_64"          RegRegImm     Binary(ShrU, W64), alu(1, 1).unless(DstIsSrc);
    153 153 153  SharRImm64           "shar_r_imm_64"          RegRegImm     Binary(ShrS, W64), alu(1, 1).unless(DstIsSrc);
    154 154 154  NegAddImm64          "neg_add_imm_64"         RegRegImm     BinarySwapped(Sub, W64), alu(2, 3);
    155 155 155  ShloLImmAlt64        "shlo_l_imm_alt_64"      RegRegImm     BinarySwapped(Shl, W64), alu(1, 3);
    156 156 156  ShloRImmAlt64        "shlo_r_imm_alt_64"      RegRegImm     BinarySwapped(ShrU, W64), alu(1, 3);
    157 157 157  SharRImmAlt64        "shar_r_imm_alt_64"      RegRegImm     BinarySwapped(ShrS, W64), alu(1, 3);
    158 158 158  RotR64Imm            "rot_r_64_imm"           RegRegImm     Binary(RotR, W64), alu(1, 1).unless(DstIsSrc);
    159 159 159  RotR64ImmAlt         "rot_r_64_imm_alt"       RegRegImm     BinarySwapped(RotR, W64), alu(1, 3);
    160 160 160  RotR32Imm            "rot_r_32_imm"           RegRegImm     Binary(RotR, W32), alu(2, 2).unless(DstIsSrc);
    161 161 161  RotR32ImmAlt         "rot_r_32_imm_alt"       RegRegImm     BinarySwapped(RotR, W32), alu(2, 4);
    170 170 170  BranchEq             "branch_eq"              RegRegOffset  Branch(Eq), BRANCH;
    171 171 171  BranchNe             "branch_ne"              RegRegOffset  Branch(Ne), BRANCH;
    172 172 172  BranchLtU            "branch_lt_u"            RegRegOffset  Branch(LtU), BRANCH;
    173 173 173  BranchLtS            "branch_lt_s"            RegRegOffset  Branch(LtS), BRANCH;
    174 174 174  BranchGeU            "branch_ge_u"            RegRegOffset  Branch(GeU), BRANCH;
    175 175 175  BranchGeS            "branch_ge_s"            RegRegOffset  Branch(GeS), BRANCH;
    180 180 180  LoadImmJumpInd       "load_imm_jump_ind"      RegRegImmImm  JumpIndirect, op(22, 1);
    190 190 190  Add32                "add_32"                 RegRegReg     Binary(Add, W32), alu(2, 2).unless(DstIsEither);
    191 191 191  Sub32                "sub_32"                 RegRegReg     Binary(Sub, W32), alu(2, 2).unless(DstIsEither);
    192 192 192  Mul32                "mul_32"                 RegRegReg     Binary(Mul, W32), mul(4, 2).unless(DstIsEither);
    193 193 193  DivU32               "div_u_32"               RegRegReg     Binary(DivU, W32), div(60, 4);
    194 194 194  DivS32               "div_s_32"               RegRegReg     Binary(DivS, W32), div(60, 4);
    195 195 195  RemU32               "rem_u_32"               RegRegReg     Binary(RemU, W32), div(60, 4);
    196 196 196  RemS32               "rem_s_32"               RegRegReg     Binary(RemS, W32), div(60, 4);
    197 197 197  ShloL32              "shlo_l_32"              RegRegReg     Binary(Shl, W32), alu(2, 3).unless(DstIsShifted);
    198 198 198  ShloR32              "shlo_r_32"              RegRegReg     Binary(ShrU, W32), alu(2, 3).unless(DstIsShifted);
    199 199 199  SharR32              "shar_r_32"              RegRegReg     Binary(ShrS, W32), alu(2, 3).unless(DstIsShifted);
    200 200 200  Add64                "add_64"                 RegRegReg     Binary(Add, W64), alu(1, 1).unless(DstIsEither);
    201 201 201  Sub64                "sub_64"                 RegRegReg     Binary(Sub, W64), alu(1, 1).unless(DstIsEither);
    202 202 202  Mul64                "mul_64"                 RegRegReg     Binary(Mul, W64), mul(3, 1).unless(DstIsEither);
    203 203 203  DivU64               "div_u_64"               RegRegReg     Binary(DivU, W64), div(60, 4);
    204 204 204  DivS64               "div_s_64"               RegRegReg     Binary(DivS, W64), div(60, 4);
    205 205 205  RemU64               "rem_u_64"               RegRegReg     Binary(RemU, W64), div(60, 4);
    206 206 206  RemS64               "rem_s_64"               RegRegReg     Binary(RemS, W64), div(60, 4);
    207 207 207  ShloL64              "shlo_l_64"              RegRegReg     Binary(Shl, W64), alu(1, 2).unless(DstIsShifted);
    208 208 208  ShloR64              "shlo_r_64"              RegRegReg     Binary(ShrU, W64), alu(1, 2).unless(DstIsShifted);
    209 209 209  SharR64              "shar_r_64"              RegRegReg     Binary(ShrS, W64), alu(1, 2).unless(DstIsShifted);
    210 210 210  And                  "and"                    RegRegReg     Binary(And, W64), alu(1, 1).unless(DstIsEither);
    211 211 211  Xor                  "xor"                    RegRegReg     Binary(Xor, W64), alu(1, 1).unless(DstIsEither);
    212 212 212  Or                   "or"                     RegRegReg     Binary(Or, W64), alu(1, 1).unless(DstIsEither);
    213 213 213  MulUpperSS           "mul_upper_s_s"          RegRegReg     Binary(MulHighSS, W64), mul(4, 4);
    214 214 214  MulUpperUU           "mul_upper_u_u"          RegRegReg     Binary(MulHighUU, W64), mul(4, 4);
    215 215 215  MulUpperSU           "mul_upper_s_u"          RegRegReg     Binary(MulHighSU, W64), mul(6, 4);
    216 216 216  SetLtU               "set_lt_u"               RegRegReg     Binary(SetLtU, W64), alu(3, 3);
    217 217 217  SetLtS               "set_lt_s"               RegRegReg     Binary(SetLtS, W64), alu(3, 3);
    218 218 218  CmovIz               "cmov_iz"                RegRegReg     MoveIfZero, alu(2, 2);
    219 219 219  CmovNz               "cmov_nz"                RegRegReg     MoveIfNotZero, alu(2, 2);
    220 220 220  RotL64               "rot_l_64"               RegRegReg     Binary(RotL, W64), alu(1, 2).unless(DstIsShifted);
    221 221 221  RotL32               "rot_l_32"               RegRegReg     Binary(RotL, W32), alu(2, 3).unless(DstIsShifted);
    222 222 222  RotR64               "rot_r_64"               RegRegReg     Binary(RotR, W64), alu(1, 2).unless(DstIsShifted);
    223 223 223  RotR32               "rot_r_32"               RegRegReg     Binary(RotR, W32), alu(2, 3).unless(DstIsShifted);
    224 224 224  AndInv               "and_inv"                RegRegReg     Binary(AndInv, W64), alu(2, 3);
    225 225 225  OrInv                "or_inv"                 RegRegReg     Binary(OrInv, W64), alu(2, 3);
    226 226 226  Xnor                 "xnor"                   RegRegReg     Binary(Xnor, W64), alu(2, 2).unless(DstIsEither);
    227 227 227  Max                  "max"                    RegRegReg     Binary(MaxS, W64), alu(3, 2).unless(DstIsEither);
    228 228 228  MaxU                 "max_u"                  RegRegReg     Binary(MaxU, W64), alu(3, 2).unless(DstIsEither);
    229 229 229  Min                  "min"                    RegRegReg     Binary(MinS, W64), alu(3, 2).unless(DstIsEither);
    230 230 230  MinU                 "min_u"                  RegRegReg     Binary(MinU, W64), alu(3, 2).unless(DstIsEither);
}

impl Opcode {
    /// The row of this instruction.
    #[inline]
    pub const fn spec(self) -> &'static Spec {
        &SPECS[self as usize]
    }

    /// The opcode byte in `profile`, if the profile has the instruction.
    pub const fn byte(self, profile: Profile) -> Option<u8> {
        match self.spec().bytes[profile as usize] {
            NO => None,
            byte => Some(byte),
        }
    }

    /// The instruction of this opcode byte.
    #[inline]
    pub const fn from_byte(profile: Profile, byte: u8) -> Option<Opcode> {
        BY_BYTE[profile as usize][byte as usize]
    }

    /// The instruction of this mnemonic, whatever the profile.
    pub fn from_mnemonic(mnemonic: &str) -> Option<Opcode> {
        SPECS.iter().find(|spec| spec.mnemonic == mnemonic).map(|spec| spec.opcode)
    }
}

/// Opcode bytes to instructions, for each profile.
const BY_BYTE: [[Option<Opcode>; 256]; 3] = {
    let mut tables = [[None; 256]; 3];
    let mut row = 0;
    while row < SPECS.len() {
        assert!(SPECS[row].opcode as usize == row);
        let mut profile = 0;
        while profile < 3 {
            let byte = SPECS[row].bytes[profile];
            if byte != NO {
                assert!(tables[profile][byte as usize].is_none(), "two instructions share an opcode byte");
                tables[profile][byte as usize] = Some(SPECS[row].opcode);
            }
            profile += 1;
        }
        row += 1;
    }
    tables
};

#[cfg(test)]
mod tests {
    use super::*;

    fn count(profile: Profile) -> usize {
        SPECS.iter().filter(|spec| spec.opcode.byte(profile).is_some()).count()
    }

    #[test]
    fn each_profile_has_all_its_instructions() {
        assert_eq!(count(Profile::V0_7), 139);
        assert_eq!(count(Profile::Draft), 140);
        assert_eq!(count(Profile::V0_8), 139);
    }

    #[test]
    fn profiles_differ_where_the_papers_do() {
        let byte = |opcode: Opcode| Profile::ALL.map(|profile| opcode.byte(profile));
        assert_eq!(byte(Opcode::Unlikely), [None, Some(3), Some(2)]);
        assert_eq!(byte(Opcode::Sbrk), [Some(101), Some(101), None]);
        assert_eq!(byte(Opcode::CountSetBits64), [Some(102), Some(102), Some(101)]);
        assert_eq!(byte(Opcode::ReverseBytes), [Some(111), Some(111), Some(110)]);
        assert_eq!(byte(Opcode::Add64), [Some(200); 3]);
    }
}
