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

mod gas;
mod instruction;
mod jumps;

use crate::blocks::{BlockId, Ending, instructions};
use crate::checkpoints;
use crate::groups::Groups;
use crate::{Blocks, Exit, Mark, Region};
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{self, AbiParam, BlockArg, InstBuilder, MemFlagsData, Signature, Value};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use pvm_clif::GuestMemory;
use pvm_gas::GasModel;
use pvm_ops::{GuestCode, Inst, Link, Operand, Reg};
use pvm_vm::{Context, FaultDetection};

/// What compiled code meters.
#[derive(Clone, Copy, Debug)]
pub struct Metering {
    /// The gas model.
    pub model: GasModel,
    /// Whether executed instructions are counted.
    pub count_instructions: bool,
}

/// The signature of a compiled region: a pointer to the [`Context`] and the number of an entry in, an [`Exit`] out.
pub fn signature(call_conv: CallConv) -> Signature {
    let mut signature = Signature::new(call_conv);
    signature.params.extend([AbiParam::new(I64), AbiParam::new(I64)]);
    signature.returns.push(AbiParam::new(I64));
    signature
}

/// Writes the IR of `region` into `func`, which has the right signature and is empty.
///
/// `faults` says how refused accesses are detected. `cost` is what entering a block charges: nothing for the continuation of a block that is paid whole.
#[allow(clippy::too_many_arguments)] // one per question that a region leaves open
pub fn translate<C: GuestCode>(
    func: &mut ir::Function,
    builder_context: &mut FunctionBuilderContext,
    frontend_config: TargetFrontendConfig,
    code: &C,
    blocks: &Blocks,
    region: &Region,
    metering: Metering,
    faults: FaultDetection,
    cost: impl Fn(BlockId) -> u32,
) {
    let bounds = checkpoints::place(region, blocks, &cost);
    let mut builder = FunctionBuilder::new(func, builder_context);
    let mut translator = Translator::start(&mut builder, code, blocks, region, metering, faults);
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
    faults: FaultDetection,
    /// How many accesses have been written that the host watches over.
    accesses: u32,
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
        faults: FaultDetection,
    ) -> Self {
        builder.set_srcloc(Mark::Other.to_source_loc());
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
        let memory = GuestMemory::new(builder, bytes, rights, faults == FaultDetection::Signals);

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
            faults,
            accesses: 0,
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
            let paid = self.metering.model.charges_blocks();
            self.go_to(self.code.fetch(last).next, if paid { Exit::EnterPaid } else { Exit::Enter });
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
}
