//! What a fence costs: what is forgotten and compiled anew is in proportion to the pages that were written, not to the program.

use pvm_ops::Reg;
use pvm_program::Executable;
use pvm_runtime::{CompileStats, Config, Engine, Exit, Instance, Jit, Module, Options};
use pvm_rv32::{Instruction, SPECS};

const BASE: u32 = 0x1_0000;
/// Functions, one in each page.
const FUNCTIONS: u32 = 0x1_1000;
const PAGE: usize = 0x1000;
/// Instructions of a function.
const LEN: usize = 31;
/// How often the first function changes.
const FENCES: usize = 20;
/// Of changing code no more than this is compiled together (`pvm_frontend`'s `explore`).
const MOST_CHANGING: u64 = 64;
/// Of other code no more than this is: twice the limit that is set, as the program is small.
const REGION: u64 = 100;
/// So many regions may have the same block (`pvm_runtime`'s `source`).
const SHARING: u64 = 4;

fn op(mnemonic: &str, rd: u8, rs1: u8, rs2: u8, imm: i32) -> u32 {
    let spec = SPECS.iter().find(|spec| spec.mnemonic == mnemonic).expect("a name in the table");
    let [rd, rs1, rs2] = [rd, rs1, rs2].map(Reg::wrapping);
    Instruction { spec, rd, rs1, rs2, imm }.encode().expect("operands that fit")
}

/// Calls all functions; stops; changes the first one, fences and calls it; stops; and so on.
fn program(pages: usize) -> Vec<u8> {
    let main = [
        op("lui", 8, 0, 0, FUNCTIONS as i32),
        // round:
        op("addi", 9, 8, 0, 0),
        op("addi", 18, 0, 0, pages as i32),
        op("lui", 5, 0, 0, PAGE as i32),
        // loop:
        op("jalr", 1, 9, 0, 0),
        op("add", 9, 9, 5, 0),
        op("addi", 18, 18, 0, -1),
        op("bne", 0, 18, 0, -12),
        op("ecall", 0, 0, 0, 0),
        // One more in the immediate of the first instruction.
        op("lw", 6, 8, 0, 0),
        op("lui", 7, 0, 0, 0x10_0000),
        op("add", 6, 6, 7, 0),
        op("sw", 0, 8, 6, 0),
        op("fence.i", 0, 0, 0, 0),
        op("jalr", 1, 8, 0, 0),
        op("ecall", 0, 0, 0, 0),
        op("jal", 0, 0, 0, -60),
    ];
    let mut function = [op("addi", 10, 10, 0, 1); LEN];
    function[LEN - 1] = op("jalr", 0, 1, 0, 0);
    let in_page = |words: &[u32]| {
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.resize(PAGE, 0);
        bytes
    };
    let functions = (0..pages).flat_map(|_| in_page(&function));
    in_page(&main).into_iter().chain(functions).collect()
}

/// What there is to be done: instructions compiled, regions forgotten.
fn work(before: CompileStats, after: CompileStats) -> [u64; 2] {
    [after.instructions - before.instructions, after.evicted - before.evicted]
}

/// What each fence costs, and all of the rounds after the first.
fn costs(pages: usize) -> (Vec<[u64; 2]>, [u64; 2]) {
    let config =
        Config { jit: Jit::Cranelift, jit_threshold: 0, region_limit: REGION as usize / 2, ..Config::default() };
    let engine = Engine::new(&config).expect("there is a compiler");
    let executable = Executable::flat(&program(pages), BASE).expect("it fits");
    let module = Module::from_executable(&engine, executable, Options::default()).expect("it is not metered");
    let mut guest = Instance::new(&module, &[]).expect("there is memory");
    let (mut fences, mut sum) = (Vec::new(), 0);
    let mut first = None;
    for round in 0..FENCES as u64 {
        let each = (LEN - 1) as u64;
        assert_eq!(guest.run(), Exit::Ecall);
        sum += pages as u64 * each + round;
        assert_eq!(guest.all_registers()[10], sum, "round {round}");
        let before = guest.compile_stats();
        first.get_or_insert(before);
        assert_eq!(guest.run(), Exit::Ecall);
        sum += each + round + 1;
        assert_eq!(guest.all_registers()[10], sum, "round {round}");
        fences.push(work(before, guest.compile_stats()));
    }
    (fences, work(first.expect("a round"), guest.compile_stats()))
}

#[test]
fn a_fence_costs_what_was_written() {
    for pages in [8, 240] {
        let (fences, all) = costs(pages);
        let ([first, _], later) = (fences[0], &fences[1..]);
        // The caller, which was compiled together with the function as long as that had not changed, from several places on.
        assert!(first <= SHARING * REGION, "{pages} pages: {fences:?}");
        // Code that changes again and again is compiled ever more rarely.
        let is_small = |[compiled, forgotten]: &[u64; 2]| *compiled <= MOST_CHANGING && *forgotten <= 1;
        assert!(later.iter().all(is_small), "{pages} pages: {fences:?}");
        let [compiled, forgotten] = [0, 1].map(|at| later.iter().map(|costs| costs[at]).sum::<u64>());
        assert!(compiled >= LEN as u64 && forgotten > 1, "it is compiled and forgotten at all: {fences:?}");
        // The functions that do not change are not compiled again, not even once.
        assert!(all[0] < 20 * REGION, "{pages} pages: {all:?}");
    }
}
