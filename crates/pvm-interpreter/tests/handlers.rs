//! Instructions that are done together do what they do one by one, wherever a window, a burst of gas, or the gas itself
//! ends between them. Runs that count instructions do them one by one, so they serve as the reference.

use pvm_gas::GasModel;
use pvm_interpreter::{Cells, Hotness, Stop};
use pvm_ops::*;

/// Instructions of one byte each, and a jump table.
struct Program {
    insts: Vec<Inst>,
    jump_table: Vec<u32>,
    jump_count: u64,
}

impl Program {
    fn end(&self) -> u32 {
        self.insts.len() as u32
    }
}

impl GuestCode for Program {
    fn fetch(&self, pc: u32) -> Fetched {
        Fetched { inst: self.insts.get(pc as usize).copied().unwrap_or(Inst::Trap), next: pc.saturating_add(1) }
    }

    fn is_block_start(&self, pc: u32) -> bool {
        pc < self.end() && (pc == 0 || self.insts[pc as usize - 1].ends_block())
    }

    fn dynamic_jumps(&self) -> DynamicJumps<'_> {
        DynamicJumps::Table { entries: &self.jump_table, count: self.jump_count }
    }

    fn width(&self) -> Width {
        Width::W64
    }
}

fn program(insts: Vec<Inst>) -> Program {
    Program { insts, jump_table: Vec::new(), jump_count: 0 }
}

fn cells(program: &Program, model: GasModel) -> Cells {
    // Any price does for the pipeline model; a low one lets many instructions follow one another in a burst.
    Cells::new(program, 0..program.end(), model, |_| 1, Reg::R31)
}

/// Two pages, of which the second can only be read.
struct TwoPages {
    bytes: Vec<u8>,
}

impl TwoPages {
    fn new() -> TwoPages {
        TwoPages { bytes: vec![7; 2 * PAGE_SIZE as usize] }
    }

    fn range(address: u32, len: usize, limit: u32) -> Result<std::ops::Range<usize>, MemoryFault> {
        let fault = (address..=address.saturating_add(len as u32 - 1)).find(|&byte| byte >= limit);
        fault.map_or(Ok(address as usize..address as usize + len), |address| Err(MemoryFault { address }))
    }
}

impl Memory for TwoPages {
    fn load<const N: usize>(&self, address: u32) -> Result<[u8; N], MemoryFault> {
        Ok(self.bytes[Self::range(address, N, 2 * PAGE_SIZE)?].try_into().unwrap())
    }

    fn store<const N: usize>(&mut self, address: u32, bytes: [u8; N]) -> Result<(), MemoryFault> {
        self.bytes[Self::range(address, N, PAGE_SIZE)?].copy_from_slice(&bytes);
        Ok(())
    }

    // Every other address is out of the ordinary.
    fn load_plain<const N: usize>(&self, address: u32) -> Option<[u8; N]> {
        if address % 16 < 8 { self.load(address).ok() } else { None }
    }

    fn store_plain<const N: usize>(&mut self, address: u32, bytes: [u8; N]) -> bool {
        address % 16 < 8 && self.store(address, bytes).is_ok()
    }

    fn sbrk(&mut self, size: u64) -> u64 {
        size
    }
}

fn add_imm(dst: Reg, lhs: Reg, imm: i32) -> Inst {
    Inst::Binary { op: BinaryOp::Add, width: Width::W64, dst, lhs: Operand::Reg(lhs), rhs: Operand::Imm(imm) }
}

#[test]
fn gas_ends_at_every_instruction_of_a_long_block() {
    const LEN: u32 = 3000;
    let mut insts = vec![add_imm(Reg::R1, Reg::R1, 1); LEN as usize];
    insts.push(Inst::Trap);
    let program = program(insts);
    let cells = cells(&program, GasModel::Instruction);
    for gas in 0..=LEN + 2 {
        let mut state = State { gas: u64::from(gas), ..State::default() };
        let stop = cells.run::<_, false>(&mut state, &mut TwoPages::new(), None);
        let done = gas.min(LEN);
        assert_eq!((state.pc, state.registers[1]), (done, u64::from(done)));
        match gas {
            0..=LEN => assert_eq!((stop, state.gas), (Stop::OutOfGas, 0)),
            _ => assert_eq!((stop, state.gas), (Stop::Panic, u64::from(gas - LEN - 1))),
        }
    }
}

/// A generator of numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(limit)) as u32
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u32) as usize]
    }

    fn reg(&mut self) -> Reg {
        Reg::wrapping(self.below(6) as u8)
    }

    fn width(&mut self) -> Width {
        self.of(&[Width::W32, Width::W64, Width::W64])
    }

    fn operand(&mut self) -> Operand {
        if self.below(2) == 0 { Operand::Reg(self.reg()) } else { Operand::Imm(self.below(70) as i32 - 3) }
    }

    /// Somewhere in or about the pages; register 12 holds zero.
    fn address(&mut self) -> Address {
        let reg = self.reg();
        let base = self.of(&[None, Some(Reg::R12), Some(Reg::R12), Some(reg)]);
        Address { base, offset: self.below(PAGE_SIZE + 300) as i32 }
    }

    fn step(&mut self) -> Inst {
        let size = self.of(&[Size::B1, Size::B2, Size::B4, Size::B8]);
        match self.below(10) {
            0 => Inst::Load {
                kind: LoadKind { size, signed: self.below(2) == 0 },
                dst: self.reg(),
                address: self.address(),
            },
            1 => Inst::Store { size, value: self.operand(), address: self.address() },
            2 => Inst::LoadImm { dst: self.reg(), value: u64::from(self.below(9000)) },
            3 => Inst::Unary { op: UnaryOp::Move, width: Width::W64, dst: self.reg(), src: self.reg() },
            4 => self.of(&[Inst::Nop, Inst::HostCall { id: 3 }, Inst::Nop, Inst::Nop]),
            5 => Inst::CondMove { if_zero: true, dst: self.reg(), value: self.operand(), test: self.reg() },
            _ => {
                let op = self.of(&BinaryOp::ALL);
                let op = self.of(&[op, BinaryOp::Add, BinaryOp::Shl, BinaryOp::Xor, BinaryOp::Sub]);
                Inst::Binary {
                    op,
                    width: self.width(),
                    dst: self.reg(),
                    lhs: Operand::Reg(self.reg()),
                    rhs: self.operand(),
                }
            }
        }
    }

    fn end(&mut self, starts: &[u32]) -> Inst {
        let target = Target::Block(self.of(starts));
        match self.below(8) {
            0 => Inst::Fallthrough,
            1 => Inst::Jump { link: None, target },
            2 => Inst::JumpIndirect { link: None, base: Reg::R12, offset: 2 + 2 * self.below(5) as i32 },
            _ => Inst::Branch { cond: self.of(&Cond::ALL), lhs: self.reg(), rhs: self.operand(), target },
        }
    }

    /// Blocks of a few steps each.
    fn program(&mut self) -> Program {
        let lens: Vec<u32> = (0..20).map(|_| self.below(9)).collect();
        let starts: Vec<u32> = lens.iter().scan(0, |at, len| Some(std::mem::replace(at, *at + len + 1))).collect();
        let mut insts = Vec::new();
        for len in lens {
            insts.extend((0..len).map(|_| self.step()));
            insts.push(self.end(&starts));
        }
        Program { insts, jump_table: starts[..4].to_vec(), jump_count: 5 }
    }
}

/// Everything that can be observed of a run that is resumed `legs` times.
fn play<const COUNTING: bool>(cells: &Cells, model: GasModel, gas: u64, legs: usize) -> Vec<(Stop, State, Vec<u8>)> {
    let mut memory = TwoPages::new();
    let mut hotness = Hotness::new(cells, 4);
    let mut state = State { gas, ..State::default() };
    let mut stops = Vec::new();
    for _ in 0..legs {
        let stop = cells.run::<_, COUNTING>(&mut state, &mut memory, Some(&mut hotness));
        stops.push((stop, State { instructions: 0, ..state.clone() }, memory.bytes.clone()));
        match stop {
            Stop::OutOfGas => state.gas += 1 + gas / 8,
            Stop::HostCall { .. } => {
                state.pc += 1;
                state.paid = model.charges_blocks();
            }
            Stop::Fault(fault) => state.registers.iter_mut().for_each(|reg| *reg ^= u64::from(fault.address)),
            Stop::Hot => {}
            Stop::Halt | Stop::Panic => break,
            Stop::System | Stop::Unknown => unreachable!("no instruction here does that"),
        }
    }
    stops
}

#[test]
fn together_is_as_one_by_one() {
    let mut numbers = Numbers(1);
    let mut legs = 0;
    for _ in 0..400 {
        let program = numbers.program();
        for model in GasModel::ALL {
            let cells = cells(&program, model);
            for gas in [0, 1, 2, 3, 5, 8, 13, 40, 200, 5000] {
                let found = play::<false>(&cells, model, gas, 12);
                assert_eq!(found, play::<true>(&cells, model, gas, 12), "{model}, {gas}: {:?}", program.insts);
                legs += found.len();
            }
        }
    }
    assert!(legs > 50_000, "runs get somewhere: {legs} legs");
}

#[test]
fn a_table_longer_than_all_addresses_has_no_entry_at_0() {
    let jump = |offset| vec![Inst::Nop, Inst::Fallthrough, Inst::JumpIndirect { link: None, base: Reg::R1, offset }];
    for (offset, gas, expected) in [
        (0, 9, (Stop::Panic, 2, 6)),
        (1, 9, (Stop::Panic, 2, 6)),
        // Round and round, until there is no gas.
        (2, 9, (Stop::OutOfGas, 0, 0)),
        (-2, 9, (Stop::OutOfGas, 0, 0)),
        (HALT_ADDRESS as i32, 9, (Stop::Halt, 2, 6)),
    ] {
        let program = Program { insts: jump(offset), jump_table: Vec::new(), jump_count: u64::MAX };
        let mut state = State { gas, ..State::default() };
        let stop = cells(&program, GasModel::Instruction).run::<_, false>(&mut state, &mut TwoPages::new(), None);
        assert_eq!((stop, state.pc, state.gas), expected, "{offset}");
    }
}
