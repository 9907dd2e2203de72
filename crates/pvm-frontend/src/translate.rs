//! The Cranelift IR of a region.
//!
//! ```text
//! entry:   load the registers that the region uses, and the gas; br_table over the entries
//! block:   [compare gas at checkpoints]  subtract its cost  its instructions  its terminator
//! cold:    pay back what was not executed                        -> funnel(exit, pc)
//! funnel:  store the registers that the region writes, gas, pc; return the exit
//! ```
//!
//! Every way out leads through the one funnel, so that an exit costs two constants and a jump.

use crate::blocks::{BlockId, Ending, instructions};
use crate::checkpoints;
use crate::groups::Groups;
use crate::{Blocks, Exit, Region};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I32, I64};
use cranelift_codegen::ir::{self, AbiParam, BlockArg, InstBuilder, JumpTableData, MemFlagsData, Signature, Value};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use pvm_clif::{GuestMemory, Rights, alu};
use pvm_gas::GasModel;
use pvm_ops::{Address, GuestCode, HALT_ADDRESS, Inst, Link, Operand, Reg, Target};
use pvm_vm::Context;

/// What compiled code meters.
#[derive(Clone, Copy, Debug)]
pub struct Metering {
    /// The gas model.
    pub model: GasModel,
    /// Whether executed instructions are counted.
    pub count_instructions: bool,
}

/// Up to how many entries a dynamic jump gets a branch table of its own; regions with more share one.
const OWN_TABLE_ENTRIES: usize = 16;

/// The signature of a compiled region: a pointer to the [`Context`] and the number of an entry in, an [`Exit`] out.
pub fn signature(call_conv: CallConv) -> Signature {
    let mut signature = Signature::new(call_conv);
    signature.params.extend([AbiParam::new(I64), AbiParam::new(I64)]);
    signature.returns.push(AbiParam::new(I64));
    signature
}

/// Writes the IR of `region` into `func`, which has the right signature and is empty.
///
/// `cost` is what entering a block charges: nothing for the continuation of a block that is paid whole.
#[allow(clippy::too_many_arguments)] // one per question that a region leaves open
pub fn translate<C: GuestCode>(
    func: &mut ir::Function,
    builder_context: &mut FunctionBuilderContext,
    frontend_config: TargetFrontendConfig,
    code: &C,
    blocks: &Blocks,
    region: &Region,
    metering: Metering,
    cost: impl Fn(BlockId) -> u32,
) {
    let bounds = checkpoints::place(region, blocks, &cost);
    let mut builder = FunctionBuilder::new(func, builder_context);
    let mut translator = Translator::start(&mut builder, code, blocks, region, metering);
    for (position, &id) in region.blocks.iter().enumerate() {
        translator.block(position, id, cost(id), bounds[position]);
    }
    translator.finish();
    builder.finalize(frontend_config);
}

struct Translator<'a, 'b, C> {
    builder: &'a mut FunctionBuilder<'b>,
    code: &'a C,
    blocks: &'a Blocks,
    region: &'a Region,
    metering: Metering,
    context: Value,
    memory: GuestMemory,
    registers: [Option<Variable>; 32],
    /// Registers that the region writes.
    written: u32,
    gas: Variable,
    instructions: Variable,
    /// The IR block of each block of the region.
    bodies: Vec<ir::Block>,
    funnel: ir::Block,
    /// Blocks that leave, not filled yet.
    ways_out: Vec<(ir::Block, Exit, u32)>,
    /// Takes the number of an entry; made when the first dynamic jump needs it, filled at the end.
    shared_dispatch: Option<ir::Block>,
}

/// The block that is being translated.
struct Current {
    insts: Vec<(u32, Inst)>,
    groups: Groups,
    /// The address of each group, once checked.
    addresses: Vec<Option<Value>>,
}

/// Accesses to the context.
fn context_flags() -> MemFlagsData {
    MemFlagsData::new().with_notrap().with_aligned()
}

impl<'a, 'b, C: GuestCode> Translator<'a, 'b, C> {
    fn start(
        builder: &'a mut FunctionBuilder<'b>,
        code: &'a C,
        blocks: &'a Blocks,
        region: &'a Region,
        metering: Metering,
    ) -> Self {
        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        builder.seal_block(entry);
        let context = builder.block_params(entry)[0];
        let number = builder.block_params(entry)[1];

        let (mut used, mut written) = (0, 0);
        for &id in &region.blocks {
            for (_, inst) in instructions(code, blocks.get(id)) {
                let sets = inst.registers();
                used |= sets.reads | sets.writes;
                written |= sets.writes;
            }
        }
        let mut registers = [None; 32];
        for reg in Reg::ALL.into_iter().filter(|reg| used & reg.bit() != 0) {
            let variable = builder.declare_var(I64);
            let offset = Context::offset_of_register(reg);
            let value = builder.ins().load(I64, context_flags(), context, offset);
            builder.def_var(variable, value);
            registers[reg.index()] = Some(variable);
        }
        let state = |builder: &mut FunctionBuilder<'_>, offset| {
            let variable = builder.declare_var(I64);
            let value = builder.ins().load(I64, context_flags(), context, offset);
            builder.def_var(variable, value);
            variable
        };
        let gas = state(builder, Context::GAS);
        let instructions = state(builder, Context::INSTRUCTIONS);
        let fixed = context_flags().with_readonly();
        let bytes = builder.ins().load(I64, fixed, context, Context::MEMORY);
        let rights = builder.ins().load(I64, fixed, context, Context::RIGHTS);
        let memory = GuestMemory::new(builder, bytes, rights);

        let bodies = region.blocks.iter().map(|_| builder.create_block()).collect();
        let funnel = builder.create_block();
        builder.append_block_param(funnel, I64);
        builder.append_block_param(funnel, I32);
        let mut translator = Translator {
            builder,
            code,
            blocks,
            region,
            metering,
            context,
            memory,
            registers,
            written,
            gas,
            instructions,
            bodies,
            funnel,
            ways_out: Vec::new(),
            shared_dispatch: None,
        };
        let number = translator.builder.ins().ireduce(I32, number);
        translator.branch_to_entry(number);
        translator
    }

    /// Goes to the entry of this number.
    fn branch_to_entry(&mut self, number: Value) {
        let bodies = self.region.entries.iter().map(|&id| {
            let position = self.region.position(id).expect("entries are members");
            self.bodies[position]
        });
        let bodies: Vec<_> = bodies.collect();
        let mut call = |body| self.builder.func.dfg.block_call(body, &[]);
        // Whoever passes the number takes it from the region, so the default is as good as any.
        let default = call(bodies[0]);
        let calls: Vec<_> = bodies.into_iter().map(call).collect();
        let table = self.builder.create_jump_table(JumpTableData::new(default, &calls));
        self.builder.ins().br_table(number, table);
    }

    fn finish(mut self) {
        for (block, exit, pc) in std::mem::take(&mut self.ways_out) {
            self.builder.switch_to_block(block);
            self.exit(exit, pc);
        }
        if let Some(block) = self.shared_dispatch {
            self.builder.switch_to_block(block);
            let number = self.builder.block_params(block)[0];
            self.branch_to_entry(number);
        }
        let Translator { builder, .. } = self;
        builder.switch_to_block(self.funnel);
        let (exit, pc) = (builder.block_params(self.funnel)[0], builder.block_params(self.funnel)[1]);
        for reg in Reg::ALL.into_iter().filter(|reg| self.written & reg.bit() != 0) {
            let variable = self.registers[reg.index()].expect("written registers are used");
            let value = builder.use_var(variable);
            builder.ins().store(context_flags(), value, self.context, Context::offset_of_register(reg));
        }
        if self.metering.model != GasModel::None {
            let gas = builder.use_var(self.gas);
            builder.ins().store(context_flags(), gas, self.context, Context::GAS);
        }
        if self.metering.count_instructions {
            let count = builder.use_var(self.instructions);
            builder.ins().store(context_flags(), count, self.context, Context::INSTRUCTIONS);
        }
        builder.ins().store(context_flags(), pc, self.context, Context::PC);
        builder.ins().return_(&[exit]);
        builder.seal_all_blocks();
    }

    fn block(&mut self, position: usize, id: BlockId, cost: u32, bound: Option<u64>) {
        let block = *self.blocks.get(id);
        self.builder.switch_to_block(self.bodies[position]);
        if let Some(bound) = bound {
            self.checkpoint(self.bodies[position], block.start, bound, block.is_continuation);
        }
        self.add(self.gas, -i64::from(cost));
        if self.metering.count_instructions {
            self.add(self.instructions, i64::from(block.len));
        }

        let insts: Vec<_> = instructions(self.code, &block).collect();
        let plain: Vec<Inst> = insts.iter().map(|&(_, inst)| inst).collect();
        let groups = Groups::new(&plain);
        let addresses = vec![None; groups.groups.len()];
        let mut current = Current { insts, groups, addresses };
        for index in 0..current.insts.len() {
            self.instruction(&mut current, index);
        }
        if block.ending == Ending::Cut {
            let (last, _) = current.insts[current.insts.len() - 1];
            let next = self.code.fetch(last).next;
            if self.metering.model.charges_blocks() && self.body(next).is_none() {
                self.exit(Exit::EnterPaid, next);
            } else {
                self.go_to(next);
            }
        }
    }

    /// Compares the gas with what is needed up to the next checkpoint, and looks whether the run is to stop: without gas
    /// at every checkpoint, else only when the slice is used up.
    fn checkpoint(&mut self, body: ir::Block, pc: u32, bound: u64, is_continuation: bool) {
        if self.metering.model == GasModel::None {
            let go_on = self.is_uninterrupted();
            self.unless(go_on, |this| this.exit(Exit::Interrupt, pc));
        } else if bound > 0 {
            let gas = self.builder.use_var(self.gas);
            let enough = self.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, gas, bound as i64);
            let paid = is_continuation && self.metering.model.charges_blocks();
            let exit = if paid { Exit::InterpretPaid } else { Exit::Interpret };
            self.unless(enough, |this| this.next_slice(body, exit, pc));
        }
    }

    /// Takes gas from the reserve and tries the checkpoint again, or leaves if there is none or the run is to stop. The
    /// interpreter tells which.
    fn next_slice(&mut self, body: ir::Block, exit: Exit, pc: u32) {
        let reserve = self.builder.ins().load(I64, context_flags(), self.context, Context::GAS_RESERVE);
        let slice = self.builder.ins().iconst(I64, Context::SLICE as i64);
        let slice = self.builder.ins().umin(reserve, slice);
        let zero = self.builder.ins().iconst(I64, 0);
        let go_on = self.is_uninterrupted();
        let slice = self.builder.ins().select(go_on, slice, zero);
        self.unless(slice, |this| this.exit(exit, pc));
        let reserve = self.builder.ins().isub(reserve, slice);
        self.builder.ins().store(context_flags(), reserve, self.context, Context::GAS_RESERVE);
        let gas = self.builder.use_var(self.gas);
        let gas = self.builder.ins().iadd(gas, slice);
        self.builder.def_var(self.gas, gas);
        self.builder.ins().jump(body, &[]);
    }

    /// Not zero unless the run is to stop.
    fn is_uninterrupted(&mut self) -> Value {
        let fixed = context_flags().with_readonly();
        let flag = self.builder.ins().load(I64, fixed, self.context, Context::INTERRUPT);
        let flag = self.builder.ins().load(I8, context_flags(), flag, 0);
        self.builder.ins().icmp_imm_s(IntCC::Equal, flag, 0)
    }

    fn add(&mut self, variable: Variable, amount: i64) {
        if amount != 0 {
            let value = self.builder.use_var(variable);
            let value = self.builder.ins().iadd_imm_s(value, amount);
            self.builder.def_var(variable, value);
        }
    }

    fn read(&mut self, reg: Reg) -> Value {
        let variable = self.registers[reg.index()].expect("the region's registers were collected");
        self.builder.use_var(variable)
    }

    fn write(&mut self, reg: Reg, value: Value) {
        let variable = self.registers[reg.index()].expect("the region's registers were collected");
        self.builder.def_var(variable, value);
    }

    fn operand(&mut self, operand: Operand) -> Value {
        match operand {
            Operand::Reg(reg) => self.read(reg),
            Operand::Imm(imm) => self.builder.ins().iconst(I64, i64::from(imm)),
        }
    }

    fn link(&mut self, link: Option<Link>) {
        if let Some(Link { dst, value }) = link {
            let value = self.builder.ins().iconst(I64, i64::from(value));
            self.write(dst, value);
        }
    }

    /// Goes on if `condition` is not zero, else takes a cold way that ends in an exit.
    fn unless(&mut self, condition: Value, cold: impl FnOnce(&mut Self)) {
        let cold_block = self.builder.create_block();
        let go_on = self.builder.create_block();
        self.builder.set_cold_block(cold_block);
        self.builder.ins().brif(condition, go_on, &[], cold_block, &[]);
        self.builder.seal_block(cold_block);
        self.builder.seal_block(go_on);
        self.builder.switch_to_block(cold_block);
        cold(self);
        self.builder.switch_to_block(go_on);
    }

    fn exit(&mut self, exit: Exit, pc: u32) {
        let pc = self.builder.ins().iconst(I32, i64::from(pc));
        self.exit_to(exit, pc);
    }

    fn exit_to(&mut self, exit: Exit, pc: Value) {
        let exit = self.builder.ins().iconst(I64, exit.code());
        self.builder.ins().jump(self.funnel, &[BlockArg::Value(exit), BlockArg::Value(pc)]);
    }

    /// Leaves to the interpreter before the instruction of this index: what was charged from there on is paid back, or
    /// stays paid where blocks are paid whole.
    fn interpret(&mut self, current: &Current, index: usize) {
        let rest = (current.insts.len() - index) as i64;
        if self.metering.model == GasModel::Instruction {
            self.add(self.gas, rest);
        }
        let exit = if self.metering.model.charges_blocks() { Exit::InterpretPaid } else { Exit::Interpret };
        if self.metering.count_instructions {
            self.add(self.instructions, -rest);
        }
        self.exit(exit, current.insts[index].0);
    }

    /// Goes to the block at `pc`, in the region or not.
    fn go_to(&mut self, pc: u32) {
        match self.body(pc) {
            Some(body) => {
                self.builder.ins().jump(body, &[]);
            }
            None => self.exit(Exit::Enter, pc),
        }
    }

    fn body(&self, pc: u32) -> Option<ir::Block> {
        let position = self.region.position(self.blocks.find(pc)?)?;
        Some(self.bodies[position])
    }

    /// An IR block that goes to the block at `pc`.
    fn way_to(&mut self, pc: u32) -> ir::Block {
        self.body(pc).unwrap_or_else(|| self.way_out(Exit::Enter, pc))
    }

    /// An IR block that leaves; it is filled at the end.
    fn way_out(&mut self, exit: Exit, pc: u32) -> ir::Block {
        let block = self.builder.create_block();
        self.builder.set_cold_block(block);
        self.ways_out.push((block, exit, pc));
        block
    }

    fn instruction(&mut self, current: &mut Current, index: usize) {
        let (pc, inst) = current.insts[index];
        match inst {
            Inst::Nop => {}
            Inst::LoadImm { dst, value } => {
                let value = self.builder.ins().iconst(I64, value as i64);
                self.write(dst, value);
            }
            Inst::Unary { op, width, dst, src } => {
                let src = self.read(src);
                let value = alu::unary(self.builder, op, width, src);
                self.write(dst, value);
            }
            Inst::Binary { op, width, dst, lhs, rhs } => {
                let (lhs, rhs) = (self.operand(lhs), self.operand(rhs));
                let value = alu::binary(self.builder, op, width, lhs, rhs);
                self.write(dst, value);
            }
            Inst::CondMove { if_zero, dst, value, test } => {
                let (test, value, old) = (self.read(test), self.operand(value), self.read(dst));
                let value = alu::conditional_move(self.builder, if_zero, test, value, old);
                self.write(dst, value);
            }
            Inst::Load { kind, dst, address } => {
                let (at, offset) = self.address(current, index, address);
                let value = self.memory.load(self.builder, kind, at, offset);
                self.write(dst, value);
            }
            Inst::Store { size, value, address } => {
                let (at, offset) = self.address(current, index, address);
                let value = self.operand(value);
                self.memory.store(self.builder, size, value, at, offset);
            }
            Inst::HostCall { .. } => self.exit(Exit::HostCall, pc),
            Inst::Sbrk { .. } => self.exit(Exit::Sbrk, pc),
            Inst::Trap => self.exit(Exit::Panic, pc),
            Inst::Fallthrough => self.go_to(self.code.fetch(pc).next),
            Inst::Jump { link, target } => {
                self.link(link);
                match target {
                    Target::Block(target) => self.go_to(target),
                    Target::Invalid => self.exit(Exit::Panic, pc),
                }
            }
            Inst::Branch { cond, lhs, rhs, target } => {
                let (lhs, rhs) = (self.read(lhs), self.operand(rhs));
                let condition = alu::condition(self.builder, cond, lhs, rhs);
                let next = self.code.fetch(pc).next;
                let not_taken = self.way_to(next);
                let taken = match target {
                    Target::Block(target) => self.way_to(target),
                    Target::Invalid => self.way_out(Exit::Panic, pc),
                };
                self.builder.ins().brif(condition, taken, &[], not_taken, &[]);
            }
            // A table whose entries take no bytes is not listed; the interpreter knows it.
            Inst::JumpIndirect { .. } if self.code.jump_count() > self.code.jump_table().len() as u64 => {
                self.interpret(current, index);
            }
            Inst::JumpIndirect { link, base, offset } => {
                let base = self.read(base);
                let address = self.memory.address(self.builder, Some(base), offset);
                self.link(link);
                self.jump_indirect(address, pc);
            }
        }
    }

    /// The address of an access of this instruction, as one that was checked and an offset behind it.
    fn address(&mut self, current: &mut Current, index: usize, address: Address) -> (Value, i32) {
        let id = current.groups.of[index].expect("every access is in a group");
        let group = current.groups.groups[id];
        let at = match current.addresses[id] {
            Some(at) => at,
            None => {
                let base = address.base.map(|reg| self.read(reg));
                let at = self.memory.address(self.builder, base, group.low as i32);
                let len = (group.high - group.low) as u32;
                let allowed = self.memory.check(self.builder, at, len, Rights(group.right));
                self.unless(allowed, |this| this.interpret(current, index));
                current.addresses[id] = Some(at);
                at
            }
        };
        // As in the group: relative to a register the offset is signed, else it is the address.
        let offset = if address.base.is_some() { i64::from(address.offset) } else { i64::from(address.offset as u32) };
        (at, (offset - group.low) as i32)
    }

    /// A dynamic jump (Gray Paper A.4). The code cache keeps two words for each entry of the jump table: where the
    /// target is in compiled code (number of the region plus one in the high half, number of the entry in the low one),
    /// and its program counter, all ones if it may not be jumped to.
    fn jump_indirect(&mut self, address: Value, pc: u32) {
        // Entry i has address 2 (i + 1). Rotated by one, odd addresses are large, and so is zero less one.
        let low = self.builder.ins().ireduce(I32, address);
        let rotated = self.builder.ins().rotr_imm_u(low, 1);
        let entry = self.builder.ins().iadd_imm_s(rotated, -1);
        let count = self.code.jump_table().len() as i64;
        let in_table = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, entry, count);
        // The address that halts is in no table of fewer than 2^31 entries.
        self.unless(in_table, |this| this.jump_outside_table(low, pc));

        let entry = self.builder.ins().uextend(I64, entry);
        let offset = self.builder.ins().ishl_imm_u(entry, 4);
        let fixed = context_flags().with_readonly();
        let words = self.builder.ins().load(I64, fixed, self.context, Context::JUMP_ENTRIES);
        let words = self.builder.ins().iadd(words, offset);
        let leave = self.builder.create_block();
        if self.region.entries.iter().any(|&id| self.blocks.get(id).is_jump_target) {
            let place = self.builder.ins().load(I64, context_flags(), words, 0);
            let region = self.builder.ins().ushr_imm_u(place, 32);
            let is_here = self.builder.ins().icmp_imm_u(IntCC::Equal, region, i64::from(self.region.id) + 1);
            let here = self.builder.create_block();
            self.builder.ins().brif(is_here, here, &[], leave, &[]);
            self.builder.seal_block(here);
            self.builder.switch_to_block(here);
            let number = self.builder.ins().ireduce(I32, place);
            self.dispatch(number);
        } else {
            self.builder.ins().jump(leave, &[]);
        }

        self.builder.seal_block(leave);
        self.builder.switch_to_block(leave);
        let target = self.builder.ins().load(I64, context_flags(), words, 8);
        let target = self.builder.ins().ireduce(I32, target);
        let is_valid = self.builder.ins().icmp_imm_s(IntCC::NotEqual, target, -1);
        self.unless(is_valid, |this| this.exit(Exit::Panic, pc));
        self.exit_to(Exit::Enter, target);
    }

    fn jump_outside_table(&mut self, address: Value, pc: u32) {
        let halts = self.builder.ins().icmp_imm_u(IntCC::Equal, address, i64::from(HALT_ADDRESS));
        self.unless(halts, |this| this.exit(Exit::Panic, pc));
        self.exit(Exit::Halt, pc);
    }

    fn dispatch(&mut self, number: Value) {
        if self.region.entries.len() <= OWN_TABLE_ENTRIES {
            self.branch_to_entry(number);
            return;
        }
        let shared = *self.shared_dispatch.get_or_insert_with(|| {
            let block = self.builder.create_block();
            self.builder.append_block_param(block, I32);
            block
        });
        self.builder.ins().jump(shared, &[BlockArg::Value(number)]);
    }
}
