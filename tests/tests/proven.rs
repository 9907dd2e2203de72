//! Accesses that need no check, as others have been made before, are refused all the same where things have changed since: other
//! registers, other rights, a run that is stopped and goes on in a loop.

mod common;

use common::{MODELS, engines};
use pvm_asm::assemble;
use pvm_runtime::{Access, Config, Engine, Exit, GasModel, Instance, Module, OptLevel, Options};

const PAGE: u64 = 4096;
const FIRST: u64 = 0x20000;
const PAGES: [Access; 5] = [Access::ReadWrite, Access::Read, Access::ReadWrite, Access::ReadWrite, Access::None];

/// They access memory off r1, or at addresses in the first two pages; loops count down from r3.
const PROGRAMS: [&str; 16] = [
    // A function with a frame.
    "store_ind_u64 r5, [r1 + 264]\n store_ind_u64 r3, [r1]\n fallthrough
     round: load_ind_u64 r6, [r1 + 8]\n add_64 r6, r6, r5\n store_ind_u64 r6, [r1 + 16]\n load_ind_u8 r7, [r1 + 271]\n store_ind_u32 r7, [r1 + 100]\n add_imm_64 r3, r3, -1\n branch_ne_imm r3, 0, round",
    // A loop that nothing of the region leads to but itself.
    "round: store_ind_u64 r5, [r1 + 40]\n load_ind_u64 r6, [r1 + 40]\n add_64 r5, r5, r6\n store_ind_u16 r5, [r1 + 44]\n branch_eq_imm r6, 7, out\n load_ind_u64 r7, [r1]\n add_imm_64 r3, r3, -1\n branch_ne_imm r3, 0, round\n out:",
    // What may be read may not be written.
    "load_ind_u64 r6, [r1]\n load_ind_u64 r6, [r1 + 64]\n fallthrough
     round: load_ind_u32 r6, [r1 + 8]\n add_imm_64 r3, r3, -1\n store_ind_u8 r6, [r1 + 9]\n store_ind_u8 r6, [r1 + 10]\n branch_ne_imm r3, 0, round",
    // A pointer that moves, and another one that has been made of it.
    "load_ind_u64 r6, [r1]\n move_reg r2, r1\n fallthrough
     round: store_ind_u64 r3, [r1 + 16]\n add_imm_64 r1, r1, 8\n load_ind_u64 r6, [r1 + 8]\n load_ind_u64 r7, [r2]\n add_imm_32 r8, r1, -4\n load_ind_u8 r9, [r8 + 12]\n add_imm_64 r3, r3, -1\n branch_ne_imm r3, 0, round",
    // Addresses without a register.
    "store_u64 r5, [0x20008]\n load_u64 r6, [0x21000]\n fallthrough
     round: load_u32 r6, [0x2000c]\n store_u8 r6, [0x20009]\n load_u16 r7, [0x21006]\n store_u16 r7, [0x2000e]\n add_imm_64 r3, r3, -1\n branch_ne_imm r3, 0, round",
    // The same place several times, as often as it takes for accesses of a block to prove each other; one that is never accessible first.
    "round: store_u16 r5, [0x1196]\n store_u16 r5, [0x1196]\n store_u16 r5, [0x1196]\n store_u16 r5, [0x1196]\n add_imm_64 r3, r3, -1\n branch_ne_imm r3, 0, round",
    "round: store_ind_u32 r5, [r1]\n store_ind_u32 r5, [r1]\n load_ind_u32 r6, [r1]\n store_ind_u32 r6, [r1]\n add_imm_64 r3, r3, -1\n branch_ne_imm r3, 0, round",
    // Stores that the next one overwrites: optimisations leave the last, which the first is to have proven.
    "store_ind_u32 r5, [r1]\n store_ind_u32 r6, [r1]\n store_ind_u32 r7, [r1]\n store_ind_u32 r8, [r1]\n fallthrough",
    // On one of two ways only.
    "branch_lt_u_imm r3, 4, less\n store_ind_u64 r5, [r1]\n store_ind_u64 r5, [r1 + 32]\n jump round\n less: load_ind_u64 r5, [r1 + 8]\n fallthrough
     round: load_ind_u64 r6, [r1 + 8]\n store_ind_u64 r6, [r1 + 8]\n store_ind_u64 r6, [r1 + 16]\n add_imm_64 r3, r3, -1\n branch_ne_imm r3, 0, round",
    // A host call in between, and more heap.
    "round: store_ind_u64 r5, [r1]\n store_ind_u64 r6, [r1 + 24]\n ecalli 5\n load_ind_u64 r6, [r1 + 8]\n store_ind_u64 r6, [r1 + 8]\n add_imm_64 r3, r3, -1\n branch_ne_imm r3, 0, round",
    "round: store_ind_u64 r5, [r1]\n sbrk r8, r9\n load_ind_u64 r6, [r1]\n add_imm_64 r3, r3, -1\n branch_ne_imm r3, 0, round",
    // Many loads with something in between, of which those that reach furthest are looked at first: above, below, on both sides. The
    // address is not known to stay, and so many registers are used that some are parked.
    "round: load_ind_i16 r6, [r1]\n add_64 r0, r0, r6\n load_ind_u8 r7, [r1 + 8]\n add_64 r2, r2, r7\n load_ind_u32 r8, [r1 + 20]\n xor r4, r4, r8
     load_ind_u64 r10, [r1 + 30]\n store_ind_u32 r10, [r1 + 36]\n load_ind_u16 r11, [r1 + 41]\n add_64 r12, r12, r11\n load_ind_u8 r6, [r1 + 255]
     add_64 r5, r5, r6\n add_64 r1, r1, r9\n add_imm_64 r3, r3, -1\n branch_ne_imm r3, 0, round",
    "round: load_ind_i16 r6, [r1 + 255]\n add_64 r0, r0, r6\n load_ind_u8 r7, [r1 + 41]\n add_64 r2, r2, r7\n load_ind_u32 r8, [r1 + 20]\n xor r4, r4, r8
     load_ind_u64 r10, [r1 + 8]\n add_64 r11, r11, r10\n load_ind_u64 r10, [r1]\n add_64 r12, r12, r10\n add_64 r5, r5, r6
     add_64 r1, r1, r9\n add_imm_64 r3, r3, -1\n branch_ne_imm r3, 0, round",
    "round: load_ind_i16 r6, [r1 + 100]\n add_64 r0, r0, r6\n load_ind_u8 r7, [r1 + 41]\n add_64 r2, r2, r7\n load_ind_u8 r8, [r1]\n xor r4, r4, r8
     load_ind_u64 r10, [r1 + 263]\n add_64 r11, r11, r10\n load_ind_u64 r10, [r1 + 8]\n add_64 r12, r12, r10\n store_ind_u8 r5, [r1 + 270]\n add_64 r5, r5, r6
     add_64 r1, r1, r9\n add_imm_64 r3, r3, -1\n branch_ne_imm r3, 0, round",
    // The register is another one in some rounds.
    "store_ind_u64 r5, [r1]\n fallthrough
     round: store_ind_u64 r5, [r1]\n and_imm r7, r3, 1\n cmov_nz r1, r2, r7\n load_ind_u64 r6, [r1]\n store_ind_u64 r6, [r1]\n add_imm_64 r3, r3, -1\n branch_ne_imm r3, 0, round",
    // A loop in a loop; the inner one leaves the pointer as it is, the outer one does not.
    "outer: store_ind_u64 r5, [r1]\n load_imm r8, 3\n fallthrough
     round: load_ind_u64 r6, [r1]\n store_ind_u64 r6, [r1 + 4]\n store_ind_u64 r5, [r1 + 4]\n add_imm_64 r8, r8, -1\n branch_ne_imm r8, 0, round\n add_imm_64 r1, r1, 8\n add_imm_64 r3, r3, -1\n branch_ne_imm r3, 0, outer",
];

/// What the embedder does at the first stops.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Nothing,
    /// Sets r1.
    Moves(u64),
    /// Takes rights away from the first pages.
    Protects(Access),
}

/// What is seen at a stop, and all of memory at the last.
type Stop = (Exit, u32, Vec<u64>, u64);

fn run(module: &Module, registers: [u64; 2], gas: u64, deed: Deed) -> (Vec<Stop>, Vec<u8>) {
    let mut instance = Instance::new(module, &[]).unwrap();
    let memory = instance.memory_mut();
    let len = (PAGES.len() as u64 - 1) * PAGE;
    let mut bytes: Vec<u8> = (0..len).map(|at| (at * 7 + at / 251) as u8).collect();
    memory.map(FIRST as u32, len, Access::ReadWrite).unwrap();
    memory.write(FIRST as u32, &bytes).unwrap();
    for (at, access) in (0..).zip(PAGES) {
        memory.protect((FIRST + at * PAGE) as u32, PAGE, access).unwrap();
    }
    instance.registers_mut()[1..4].copy_from_slice(&[registers[0], FIRST + 2 * PAGE, registers[1]]);
    instance.registers_mut()[5] = 0xa5b6_c7d8_e9fa_0b1c;
    instance.set_gas(gas);
    let mut stops = Vec::new();
    for at in 0..8 {
        let exit = instance.run();
        stops.push((exit, instance.pc(), instance.registers().to_vec(), instance.gas()));
        match exit {
            Exit::OutOfGas => instance.set_gas(gas + 3 * at),
            Exit::HostCall { .. } => {}
            _ => break,
        }
        match deed {
            Deed::Nothing => {}
            Deed::Moves(to) => instance.registers_mut()[1] = to,
            Deed::Protects(access) => instance.memory_mut().protect(FIRST as u32, 2 * PAGE, access).unwrap(),
        }
    }
    instance.memory_mut().protect(FIRST as u32, len, Access::ReadWrite).unwrap();
    instance.memory().read(FIRST as u32, &mut bytes).unwrap();
    (stops, bytes)
}

fn assert_alike(program: &str, model: GasModel, gases: impl Iterator<Item = u64> + Clone, deeds: &[Deed]) {
    let code = assemble(&format!(".format raw\n {program}\n add_imm_64 r9, r9, 1\n trap")).unwrap();
    // Cranelift's own optimisations take out one of two accesses.
    let speed = Config { jit_threshold: 0, opt_level: OptLevel::Speed, ..Config::default() };
    let engines = engines().into_iter().chain([Engine::new(&speed).unwrap()]);
    let options = Options { gas_model: Some(model), ..Options::default() };
    let modules: Vec<Module> = engines.map(|engine| Module::new(&engine, &code, options).unwrap()).collect();
    let edges = [FIRST, FIRST + PAGE, FIRST + 2 * PAGE, FIRST + 4 * PAGE, 0, 1 << 32];
    let places = edges.into_iter().flat_map(|edge| [0_u64, 8, 41, 270].map(|before| edge.wrapping_sub(before)));
    for r1 in places.chain([FIRST + 100]) {
        for (gas, &deed) in gases.clone().flat_map(|gas| deeds.iter().map(move |deed| (gas, deed))) {
            let expected = run(&modules[0], [r1, 6], gas, deed);
            for (module, how) in modules[1..].iter().zip(["best", "checks", "speed"]) {
                let found = run(module, [r1, 6], gas, deed);
                assert!(found == expected, "{program}: {how}, from {r1:#x}, gas {gas}, {model:?}, {deed:?}");
            }
        }
    }
}

#[test]
fn what_is_proven_is_refused_where_it_does_not_hold() {
    let moves = [FIRST + 8, FIRST + PAGE - 12, FIRST + PAGE + 60, FIRST + 4 * PAGE - 20, FIRST + 4 * PAGE, 0x1000];
    let deeds = moves.map(Deed::Moves).into_iter();
    let deeds: Vec<Deed> =
        deeds.chain([Deed::Nothing, Deed::Protects(Access::Read), Deed::Protects(Access::None)]).collect();
    for program in PROGRAMS {
        for model in MODELS {
            match model {
                GasModel::None => assert_alike(program, model, std::iter::once(1 << 30), &deeds),
                GasModel::Instruction => assert_alike(program, model, (1..40).step_by(3), &deeds),
                _ => assert_alike(program, model, (2..40).step_by(9), &deeds),
            }
        }
    }
}
