//! The Cranelift IR of a region.
//!
//! ```text
//! start:   load the registers that the region uses, and the gas; br_table over the entries
//! entry:   compare gas  -> block
//! block:   [compare gas]  its instructions  [subtract what is pending]  its terminator
//! cold:    subtract what is pending, but for what was not executed  -> funnel(exit and pc)
//! funnel:  store the registers that the region writes, gas, pc; return the exit
//! ```
//!
//! Every way out leads through a funnel, one for each set of parked registers, so that an exit costs two constants and a jump.

mod ahead;
mod atomic;
mod bulk;
mod bytes;
mod carries;
mod direct;
mod fold;
mod gas;
mod hammock;
mod host_call;
mod instruction;
mod jumps;
mod parts;
mod products;
mod quotients;
mod registers;
mod rounds;
mod vectors;
mod words;

use crate::blocks::{BlockId, Ending, instructions};
use crate::checkpoints::{self, Checkpoint};
use crate::graph::Graph;
use crate::groups::{self, Groups};
use crate::loops::Loops;
use crate::parking::{Parking, Passage};
use crate::proven::Proven;
use crate::returns::{self, Calls};
use crate::{Blocks, Exit, Mark, Region};
use ahead::Accesses;
use bytes::Read;
use carries::Sum;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{
    self, AbiParam, BlockArg, InstBuilder, MemFlagsData, Signature, StackSlotData, StackSlotKind, Value,
};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use instruction::LANDING_BIT;
use jumps::Jump;
use products::{Low, Product};
use pvm_clif::{GuestMemory, HOST, Host};
use pvm_gas::GasModel;
use pvm_ops::{GuestCode, Inst, Link, Reg, Width};
use pvm_vm::{Context, FaultDetection};
use quotients::Quotient;
use registers::Known;
use rounds::AtOnce;
use std::collections::{BTreeMap, BTreeSet};
use words::Words;

/// What compiled code meters.
#[derive(Clone, Copy, Debug)]
pub struct Metering {
    /// The gas model.
    pub model: GasModel,
    /// Whether executed instructions are counted.
    pub count_instructions: bool,
}

/// How refused accesses are detected.
#[derive(Clone, Copy, Debug)]
pub struct Faults<'a> {
    /// By what.
    pub detection: FaultDetection,
    /// Numbers of accesses ([`Mark`]) that are checked although the host watches.
    pub checked: &'a BTreeSet<u32>,
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
/// `cost` is what entering a block charges: nothing for the continuation of a block that is paid whole.
///
/// Returns how many accesses have a number ([`Mark::Access`]).
#[allow(clippy::too_many_arguments)] // one per question that a region leaves open
pub fn translate<C: GuestCode>(
    func: &mut ir::Function,
    builder_context: &mut FunctionBuilderContext,
    frontend_config: TargetFrontendConfig,
    code: &C,
    blocks: &Blocks,
    region: &Region,
    metering: Metering,
    faults: Faults<'_>,
    cost: impl Fn(BlockId) -> u32,
) -> u32 {
    let ends_dynamically = |id| {
        let last = instructions(code, blocks.get(id)).last();
        matches!(last, Some((_, Inst::JumpIndirect { .. })))
    };
    let graph = Graph::new(code, region, blocks);
    let checkpoints = checkpoints::place(&graph, blocks, ends_dynamically, &cost);
    let mut builder = FunctionBuilder::new(func, builder_context);
    let mut translator = Translator::start(&mut builder, code, blocks, &graph, checkpoints, metering, faults);
    for (position, &id) in graph.blocks.iter().enumerate() {
        translator.block(position, id, cost(id));
    }
    let accesses = translator.accesses;
    translator.finish();
    builder.finalize(frontend_config);
    accesses
}

struct Translator<'a, 'b, C> {
    builder: &'a mut FunctionBuilder<'b>,
    code: &'a C,
    blocks: &'a Blocks,
    region: &'a Region,
    graph: &'a Graph<'a>,
    metering: Metering,
    faults: Faults<'a>,
    /// How many accesses have been written that the host watches over.
    accesses: u32,
    /// The address of the context where the region is entered; elsewhere there is `context_here`.
    context: Value,
    memory: GuestMemory,
    registers: [Option<Variable>; 32],
    /// Whether registers have 32 bits.
    is_narrow: bool,
    /// Registers that the region writes.
    written: u32,
    gas: Variable,
    /// What has been spent and is not deducted from `gas` yet.
    pending: i64,
    instructions: Variable,
    /// The IR block of each block of the region.
    bodies: Vec<ir::Block>,
    parking: Parking,
    loops: Loops,
    /// What happens to the gas at each block of the region.
    checkpoints: Vec<Checkpoint>,
    /// What is proven to be accessible where each block begins.
    places: Vec<Proven>,
    /// What is proven behind what has been translated.
    proven: Proven,
    /// The position of the block that is being translated.
    position: usize,
    /// Where it goes to when it leads to itself.
    round: ir::Block,
    /// Registers that rounds of a loop written one after the other do not compute each.
    stepped: u32,
    /// The registers that are parked in it.
    parked: u32,
    /// Those that the instruction that is being translated puts where they are parked. Guests of 32 bits have many, and write
    /// most of them anew before anybody looks there: only what a block writes last is put there.
    parking_now: u32,
    /// What has been stored before a branch, for both of its ways.
    passed: u32,
    /// The zone of the block.
    zone: u32,
    /// Where parked registers are, unless that is the context.
    slots: Vec<Value>,
    /// Where the address of the context is on the stack, unless registers are parked in the context.
    kept_context: Option<Value>,
    /// What addresses of accesses with landings are tested for, one value for all of them: more would take memory and time.
    landing_bit: Value,
    /// What is known of registers in this block.
    known: [Known; 32],
    /// What host calls lead to, if there are any.
    behind_calls: Option<host_call::BehindCalls>,
    /// What exits lead to, by the registers that are parked there and the zone.
    funnels: BTreeMap<(u32, u32), ir::Block>,
    /// Blocks on the way to others, not filled yet.
    ways: Vec<Way>,
    /// Blocks that leave, not filled yet.
    ways_out: Vec<WayOut>,
    /// What is known of calls and returns.
    calls: Calls,
    shared_dispatch: Option<SharedDispatch>,
}

/// Where dynamic jumps go by the jump table, made when the first of them needs it and filled at the end. As much is pending
/// at all of them.
#[derive(Clone, Copy)]
struct SharedDispatch {
    /// Takes the address, and the program counter of the jump unless that is known.
    block: ir::Block,
    /// The program counter, if it is the same of all of them.
    pc: Option<u32>,
    pending: i64,
}

/// A block on the way to another.
struct Way {
    block: ir::Block,
    /// What is deducted from the gas.
    spent: i64,
    passage: Passage,
    /// Whether it leads out of a loop of one block that is written several times, and not from the last copy.
    is_early: bool,
    to: End,
}

/// Where a way ends.
enum End {
    Inside(ir::Block),
    /// At a program counter.
    Outside(u32),
}

/// A block that leaves.
struct WayOut {
    block: ir::Block,
    exit: Exit,
    pc: u32,
    /// What has been spent and is not deducted from the gas.
    pending: i64,
    parked: u32,
    zone: u32,
}

/// Where a block goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Where its last instruction says.
    Anywhere,
    /// In a loop that is written several times, if it leads to itself: here.
    Copy(ir::Block),
    /// It leads to itself for certain, and is written once more.
    Certain,
}

/// The block that is being translated.
struct Current {
    id: BlockId,
    next: Next,
    insts: Vec<(u32, Inst)>,
    accesses: Accesses,
    groups: Groups,
    /// The address of each group, once checked.
    addresses: Vec<Option<Value>>,
    /// Products of which both halves are wanted, or were.
    products: Vec<Product>,
    /// Low halves of products of registers of 32 bits that were made by themselves.
    lows: Vec<Low>,
    /// Quotients of registers of 32 bits.
    quotients: Vec<Quotient>,
    /// Sums of registers of 32 bits.
    sums: Vec<Sum>,
    /// Words of memory that are known.
    words: Words,
    /// Words that are read byte by byte.
    read: Read,
    /// The last store, and the landing that it has.
    store_landing: Option<(usize, ir::Block)>,
}

impl Current {
    /// `proven` is what is so in front of the first instruction, and becomes what is so behind the last, and whether there may be looks
    /// ahead; without it nothing is proven.
    fn new(id: BlockId, insts: Vec<(u32, Inst)>, next: Next, proven: Option<(&mut Proven, bool)>) -> Current {
        let plain: Vec<Inst> = insts.iter().map(|&(_, inst)| inst).collect();
        let groups = Groups::new(&plain);
        let (accesses, read) = match proven {
            Some((proven, has_looks)) => {
                let read = Read::new(&insts);
                (Accesses::new(&plain, &groups, &read, proven, has_looks), read)
            }
            None => (Accesses::unproven(&plain), Read::default()),
        };
        let addresses = vec![None; groups.groups.len()];
        let (products, lows, quotients, sums) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let words = Words::default();
        Current {
            id,
            next,
            insts,
            accesses,
            groups,
            addresses,
            products,
            lows,
            quotients,
            sums,
            words,
            read,
            store_landing: None,
        }
    }
}

/// Accesses to the context, and to where registers are parked.
fn context_flags() -> MemFlagsData {
    MemFlagsData::new().with_trap_code(Some(HOST)).with_aligned()
}

impl<'a, 'b, C: GuestCode> Translator<'a, 'b, C> {
    fn start(
        builder: &'a mut FunctionBuilder<'b>,
        code: &'a C,
        blocks: &'a Blocks,
        graph: &'a Graph<'a>,
        checkpoints: Vec<Checkpoint>,
        metering: Metering,
        faults: Faults<'a>,
    ) -> Self {
        let region = graph.region;
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
            registers[reg.index()] = Some(builder.declare_var(I64));
        }
        let gas = builder.declare_var(I64);
        let instructions = builder.declare_var(I64);
        let fixed = context_flags().with_readonly();
        let is_checked = faults.detection == FaultDetection::Checks || !faults.checked.is_empty();
        let host = is_checked.then(|| Host {
            bytes: builder.ins().load(I64, fixed, context, Context::MEMORY),
            rights: builder.ins().load(I64, fixed, context, Context::RIGHTS),
        });
        let memory = GuestMemory::new(builder, host);
        let taken = u32::from(metering.model != GasModel::None);
        let loops = Loops::find(graph.region, blocks, &graph.successors);
        let parking = Parking::new(code, blocks, graph, &loops, taken);

        let slots_len = if parking.is_in_context() { 0 } else { 8 * parking.anywhere().count_ones() };
        let slots = StackSlotData::new(StackSlotKind::ExplicitSlot, slots_len, 3);
        let slots = builder.create_sized_stack_slot(slots);
        let slots = (0..slots_len as i32).step_by(8).map(|at| builder.ins().stack_addr(I64, slots, at)).collect();
        let kept_context = (!parking.is_in_context()).then(|| {
            let slot = builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 8, 3));
            let at = builder.ins().stack_addr(I64, slot, 0);
            builder.ins().store(context_flags(), context, at, 0);
            at
        });
        let landing_bit = builder.ins().iconst(I64, LANDING_BIT);
        let bodies: Vec<_> = graph.blocks.iter().map(|_| builder.create_block()).collect();
        let mut translator = Translator {
            builder,
            code,
            blocks,
            region,
            graph,
            metering,
            faults,
            accesses: 0,
            context,
            memory,
            registers,
            is_narrow: code.width() == Width::W32,
            written,
            gas,
            pending: 0,
            instructions,
            bodies,
            parking,
            loops,
            checkpoints,
            places: Proven::places(code, blocks, graph),
            proven: Proven::default(),
            position: 0,
            round: entry,
            stepped: 0,
            parked: 0,
            parking_now: 0,
            passed: 0,
            zone: 0,
            slots,
            kept_context,
            landing_bit,
            known: [Known::default(); 32],
            behind_calls: None,
            funnels: BTreeMap::new(),
            ways: Vec::new(),
            ways_out: Vec::new(),
            calls: returns::guess(code, blocks, region),
            shared_dispatch: None,
        };
        translator.enter(number);
        translator
    }

    /// Loads the guest's state and goes to the entry of this number.
    fn enter(&mut self, number: Value) {
        // In a crowded region each way in loads values of its own: as with exits, common ones would make long ranges.
        let is_crowded = self.parking.is_crowded();
        match is_crowded {
            true if self.parking.is_in_context() => {}
            true => self.park_all(),
            false => self.load_all(0),
        }
        self.load_counters();
        let number = self.builder.ins().ireduce(I32, number);
        let ways_in: Vec<_> = self.region.entries.iter().map(|_| self.builder.create_block()).collect();
        // Whoever passes the number takes it from the region, so the default is as good as any.
        self.branch_by_table(number, ways_in[0], &ways_in);
        let short = self.builder.create_block();
        self.builder.set_cold_block(short);
        self.builder.append_block_param(short, I64);
        for (&way_in, &id) in ways_in.iter().zip(&self.region.entries) {
            self.builder.set_cold_block(way_in);
            self.builder.seal_block(way_in);
            self.builder.switch_to_block(way_in);
            self.builder.set_srcloc(Mark::WayIn.to_source_loc());
            let position = self.region.position(id).expect("entries are members");
            self.check_proven(id, position, short);
            self.check_stored(id, self.checkpoints[position].bound, short);
            self.add(self.gas, self.checkpoints[position].pending as i64);
            if is_crowded {
                self.load_all(self.parking.parked(position));
            }
            self.builder.ins().jump(self.bodies[position], &[]);
        }
        self.builder.set_srcloc(Mark::Other.to_source_loc());
        // The context is as it was.
        self.builder.seal_block(short);
        self.builder.switch_to_block(short);
        let left = self.builder.block_params(short)[0];
        self.leave(left);
    }

    /// Loads the variables of what is counted from the context.
    fn load_counters(&mut self) {
        if self.metering.model != GasModel::None {
            self.def_loaded(self.gas, Context::GAS);
        }
        if self.metering.count_instructions {
            self.def_loaded(self.instructions, Context::INSTRUCTIONS);
        }
    }

    /// Loads the variables of all registers but these from the context, and puts them where they are parked unless the region
    /// is crowded.
    fn load_all(&mut self, but: u32) {
        for reg in Reg::ALL.into_iter().filter(|reg| but & reg.bit() == 0) {
            let Some(variable) = self.registers[reg.index()] else { continue };
            let value = self.register_in_context(reg);
            self.builder.def_var(variable, value);
            if !self.parking.is_crowded() && self.parking.anywhere() & reg.bit() != 0 {
                self.park(reg, value);
            }
        }
    }

    /// Puts all registers that are parked in any block where they are parked, from the context.
    fn park_all(&mut self) {
        let parked = self.parking.anywhere();
        for reg in Reg::ALL.into_iter().filter(|reg| parked & reg.bit() != 0) {
            let value = self.register_in_context(reg);
            self.park(reg, value);
        }
    }

    /// Loads a variable from the context.
    fn def_loaded(&mut self, variable: Variable, offset: i32) {
        let value = self.builder.ins().load(I64, context_flags(), self.context, offset);
        self.builder.def_var(variable, value);
    }

    fn finish(mut self) {
        for WayOut { block, exit, pc, pending, parked, zone } in std::mem::take(&mut self.ways_out) {
            self.builder.switch_to_block(block);
            self.known = [Known::default(); 32];
            self.pending = pending;
            self.parked = parked;
            self.zone = zone;
            self.exit(exit, pc);
        }
        if let Some(SharedDispatch { block, pc, pending }) = self.shared_dispatch {
            self.builder.switch_to_block(block);
            let params = self.builder.block_params(block);
            let (address, jump) = (params[0], pc.map_or_else(|| Jump::Any(params[1]), Jump::At));
            self.pending = pending;
            self.parked = self.parking.behind_jumps();
            self.zone = 0;
            self.known = [Known::default(); 32];
            self.dispatch(address, jump);
        }
        for ((parked, _), funnel) in std::mem::take(&mut self.funnels) {
            self.leave_by(funnel, parked);
        }
        self.fill_behind_calls();
        self.builder.seal_all_blocks();
    }

    /// The address of the context in the present block, read from the stack. Exits want it, many times each: were it the same value
    /// everywhere, the register allocator would keep that in a register throughout, and something that loops want on the stack.
    fn context_here(&mut self) -> Value {
        match self.kept_context {
            Some(at) => self.builder.ins().load(I64, context_flags(), at, 0),
            None => self.context,
        }
    }

    /// Writes what wants the address of the context more than once.
    fn with_context<T>(&mut self, write: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.context;
        self.context = self.context_here();
        let result = write(self);
        self.context = before;
        result
    }

    /// Fills a funnel, where these registers are parked.
    fn leave_by(&mut self, funnel: ir::Block, parked: u32) {
        self.builder.switch_to_block(funnel);
        let left = self.builder.block_params(funnel)[0];
        self.with_context(|this| {
            this.store_state(parked);
            this.leave(left);
        });
    }

    /// Stores the registers that the region writes, of which these are parked, and what is counted in the context.
    fn store_state(&mut self, parked: u32) {
        self.store_registers(self.written, parked);
        self.store_counters();
    }

    /// Stores these registers in the context, of which some are parked.
    fn store_registers(&mut self, set: u32, parked: u32) {
        // What is parked there is there.
        let set = if self.parking.is_in_context() { set & !parked } else { set };
        for reg in Reg::ALL.into_iter().filter(|reg| set & reg.bit() != 0) {
            let value = match parked & reg.bit() == 0 {
                true => self.builder.use_var(self.variable(reg)),
                false => self.parked_value(reg),
            };
            self.put_into_context(reg, value);
        }
    }

    fn store_counters(&mut self) {
        let mut state = vec![];
        if self.metering.model != GasModel::None {
            state.push((self.gas, Context::GAS));
        }
        if self.metering.count_instructions {
            state.push((self.instructions, Context::INSTRUCTIONS));
        }
        for (variable, offset) in state {
            let value = self.builder.use_var(variable);
            self.builder.ins().store(context_flags(), value, self.context, offset);
        }
    }

    /// Returns as [`Exit::at`] says, with everything else in the context as it is.
    fn leave(&mut self, left: Value) {
        let pc = self.builder.ins().ushr_imm_u(left, i64::from(Exit::BITS));
        self.builder.ins().istore32(context_flags(), pc, self.context, Context::PC);
        let exit = self.builder.ins().band_imm_u(left, (1 << Exit::BITS) - 1);
        self.builder.ins().return_(&[exit]);
    }

    fn block(&mut self, position: usize, id: BlockId, cost: u32) {
        let block = *self.blocks.get(id);
        let insts: Vec<_> = instructions(self.code, &block).collect();
        self.builder.set_srcloc(Mark::Other.to_source_loc());
        self.position = position;
        self.parked = self.parking.parked(position);
        self.zone = self.parking.zone(position);
        self.known = [Known::default(); 32];
        self.proven = self.places[position].clone();
        let checkpoint = self.checkpoints[position];
        self.pending = checkpoint.pending as i64;
        let is_loop = self.blocks.is_loop(id);
        let bulk = if is_loop { bulk::find(&insts, block.start, self.code.width()) } else { None };
        let plan = if is_loop && bulk.is_none() { self.plan_vectors(&block, &insts) } else { None };
        let at_once;
        (self.round, at_once) = match (&bulk, &plan) {
            (Some(bulk), _) => (self.move_in_bulk(&block, cost, bulk), AtOnce::Function),
            (None, Some(plan)) => (self.in_vectors(id, cost, &insts, plan), AtOnce::Vectors),
            (None, None) => (self.bodies[position], AtOnce::Nothing),
        };
        self.builder.switch_to_block(self.round);
        self.builder.set_srcloc(Mark::Other.to_source_loc());
        if is_loop {
            return self.rounds(id, &insts, cost, at_once);
        }
        if checkpoint.compares {
            self.checkpoint(&block, checkpoint.pending + checkpoint.bound);
        }
        self.pending += i64::from(cost);
        self.instructions(id, &insts, Next::Anywhere);
    }

    /// Writes the instructions of a block.
    fn instructions(&mut self, id: BlockId, insts: &[(u32, Inst)], next: Next) {
        let block = *self.blocks.get(id);
        if self.metering.count_instructions {
            self.add(self.instructions, i64::from(block.len));
        }
        // Where registers are parked, there are more values than registers.
        let has_looks = self.faults.detection == FaultDetection::Signals && self.parked != 0;
        let proven = (!self.is_narrow).then_some((&mut self.proven, has_looks));
        let mut current = Current::new(id, insts.to_vec(), next, proven);
        let written = if next == Next::Certain { insts.len() - 1 } else { insts.len() };
        for (index, parking_now) in self.parking_at(&current).into_iter().enumerate().take(written) {
            self.parking_now = parking_now;
            self.instruction(&mut current, index);
        }
        if block.ending == Ending::Cut {
            self.extend_variables();
            self.settle(&current);
            let (last, _) = current.insts[current.insts.len() - 1];
            let paid = self.metering.model.charges_blocks();
            self.go_to(self.code.fetch(last).next, if paid { Exit::EnterPaid } else { Exit::Enter });
        }
    }

    /// What each instruction of a block puts where it is parked.
    fn parking_at(&self, current: &Current) -> Vec<u32> {
        if !self.is_narrow {
            return parking_at_exits(current);
        }
        let mut lasting = match current.next {
            Next::Anywhere => self.parking.lasting(self.position),
            // What the loop leads to stores it.
            Next::Copy(_) | Next::Certain => 0,
        };
        let mut at = vec![0; current.insts.len()];
        for (now, (_, inst)) in at.iter_mut().zip(&current.insts).rev() {
            let writes = inst.registers().writes;
            *now = writes & lasting;
            lasting &= !writes;
        }
        at
    }

    fn link(&mut self, link: Option<Link>) {
        if let Some(Link { dst, value }) = link {
            let value = self.constant(i64::from(value));
            self.write(dst, value);
            // The block ends here.
            self.extend_variables();
        }
    }

    /// Takes a cold way that ends in an exit if `condition` is not zero, else goes on.
    ///
    /// Cranelift puts the first way of a branch last in the order in which it allocates registers: so cold code lies
    /// outside of loops, and does not count as often run.
    fn leave_if(&mut self, condition: Value, cold: impl FnOnce(&mut Self)) {
        let cold_block = self.builder.create_block();
        let go_on = self.builder.create_block();
        self.builder.set_cold_block(cold_block);
        if self.is_cold() {
            self.builder.set_cold_block(go_on);
        }
        self.builder.ins().brif(condition, cold_block, &[], go_on, &[]);
        self.builder.seal_block(cold_block);
        self.builder.seal_block(go_on);
        self.builder.switch_to_block(cold_block);
        cold(self);
        self.builder.switch_to_block(go_on);
    }

    /// Whether what is written now is cold.
    fn is_cold(&self) -> bool {
        self.builder.current_block().is_some_and(|block| self.builder.func.layout.is_cold(block))
    }

    fn exit(&mut self, exit: Exit, pc: u32) {
        self.exit_by(|this| this.builder.ins().iconst(I64, exit.at(pc)));
    }

    fn exit_to(&mut self, exit: Exit, pc: Value) {
        self.exit_by(|this| {
            let pc = this.builder.ins().uextend(I64, pc);
            let pc = this.builder.ins().ishl_imm_u(pc, i64::from(Exit::BITS));
            if exit.code() == 0 { pc } else { this.builder.ins().bor_imm_u(pc, exit.code()) }
        });
    }

    /// Leaves as [`Exit::at`] says.
    fn exit_by(&mut self, left: impl FnOnce(&mut Self) -> Value) {
        self.add(self.gas, -self.pending);
        // Only here: what comes after goes on with what it knows.
        let known = self.known;
        self.make_parts();
        self.extend_all();
        self.known = known;
        let left = left(self);
        let funnel = *self.funnels.entry((self.parked, self.zone)).or_insert_with(|| {
            let funnel = self.builder.create_block();
            self.builder.set_cold_block(funnel);
            self.builder.append_block_param(funnel, I64);
            funnel
        });
        self.builder.ins().jump(funnel, &[BlockArg::Value(left)]);
    }
}

/// What each instruction of a block puts where it is parked, of a guest of 64 bits: what an exit or the next block finds
/// nowhere else. At an exit in front of a value's last use it is at hand.
fn parking_at_exits(current: &Current) -> Vec<u32> {
    let mut at = vec![0; current.insts.len()];
    let (mut wanted, mut at_hand) = (u32::MAX, 0);
    for ((now, (_, inst)), is_proven) in at.iter_mut().zip(&current.insts).zip(&current.accesses.proven).rev() {
        let sets = inst.registers();
        *now = sets.writes & wanted;
        wanted &= !sets.writes;
        at_hand = at_hand & !sets.writes | sets.reads;
        wanted |= match inst {
            Inst::Nop | Inst::LoadImm { .. } | Inst::Unary { .. } | Inst::Binary { .. } | Inst::CondMove { .. } => 0,
            _ if *is_proven => 0,
            _ if groups::access(inst).is_some() => !at_hand,
            _ => u32::MAX,
        };
    }
    at
}
