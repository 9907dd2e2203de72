//! What sources mean, and what is said of wrong ones.

use pvm_asm::assemble;
use pvm_isa::Profile;
use pvm_program::{Format, Metadata, Program};

mod support;
use support::Random;

fn program(source: &str) -> Program {
    Program::parse(&assemble(source).unwrap_or_else(|error| panic!("{error}"))).unwrap()
}

fn code(source: &str) -> Vec<u8> {
    program(&format!(".format raw\n{source}")).blob.code
}

fn error(source: &str) -> String {
    assemble(source).unwrap_err().to_string()
}

#[test]
fn operands_go_where_the_table_says() {
    assert_eq!(code("add_64 r9, r7, r8"), [200, 0x87, 9]);
    assert_eq!(code("add_imm_64 a0, a1, -1"), [149, 0x87, 0xff]);
    assert_eq!(code("move_reg r7, r8"), [100, 0x87]);
    assert_eq!(code("load_u8 r7, [0x20000]"), [52, 7, 0, 0, 2]);
    assert_eq!(code("load_ind_u64 r7, [sp + 2*8]"), [130, 0x17, 16]);
    assert_eq!(code("store_ind_u8 r7, [r8 - 1 + 3]"), [120, 0x87, 2]);
    assert_eq!(code("store_ind_u8 r7, [r8]"), [120, 0x87]);
    assert_eq!(code("store_imm_u8 [5], 'a'"), [30, 1, 5, 97]);
    assert_eq!(code("store_imm_ind_u32 [r7 + 8], 5"), [72, 0x17, 8, 5]);
    assert_eq!(code("load_imm r7, 0xffffffffffffffff"), [51, 7, 0xff]);
    assert_eq!(code("load_u8 r7, [0xffffffff]"), [52, 7, 0xff]);
    assert_eq!(code("load_imm_64 r7, -2"), [20, 7, 0xfe, 255, 255, 255, 255, 255, 255, 255]);
    assert_eq!(code("load_imm_jump_ind r0, r7, 1, 2"), [180, 0x70, 1, 1, 2]);
}

#[test]
fn a_call_gets_its_return_address_from_the_jump_table() {
    let source = ".format raw\nload_imm_jump ra, @back, f\nback: trap\nf: jump_ind ra, 0\n.jump_entry f, back";
    let blob = program(source).blob;
    assert_eq!(blob.jump_entries().collect::<Vec<_>>(), [5, 4]);
    assert_eq!(blob.code, [80, 0x10, 4, 5, 0, 50, 0]);
    let blob = program(".format raw\nx: load_imm a0, @y + 0 * @x\ny: load_imm a0, @y").blob;
    assert_eq!(blob.jump_entries().collect::<Vec<_>>(), [3, 0]);
    assert_eq!(blob.code, [51, 7, 2, 51, 7, 2]);
}

#[test]
fn data_labels_are_guest_addresses() {
    let program = program(
        ".rwdata\nw: .u32 r + 1, @go\n.text\ngo: load_imm a0, w\nload_imm a1, r\n.rodata\n.zero 3\n.align 4\nr: .hex 0a0B",
    );
    let standard = program.standard().unwrap();
    assert_eq!(standard.ro_data, [0, 0, 0, 0, 10, 11]);
    assert_eq!(standard.rw_data, [5, 0, 1, 0, 2, 0, 0, 0]);
    assert_eq!(standard.blob.code, [51, 7, 0, 0, 3, 51, 8, 4, 0, 1]);
}

#[test]
fn jumps_are_as_short_as_they_can_be() {
    let near = format!(".format raw\njump end\n{}end: trap", "fallthrough\n".repeat(125));
    assert_eq!(program(&near).blob.code[..3], [40, 127, 1]);
    let far = format!(".format raw\njump end\n{}end: trap", "fallthrough\n".repeat(126));
    assert_eq!(program(&far).blob.code[..4], [40, 129, 0, 1]);
    assert_eq!(code(".jump_wide next\nnext: trap"), [40, 5, 0, 0, 0, 0]);
    assert_eq!(code("here: jump here"), [40]);
}

#[test]
fn containers_are_as_asked() {
    let jam = program(".info \"fib\", \"0.1.0\", \"MIT\", \"me\"\n.stack 4096\n.heap_pages 2\ntrap");
    assert_eq!((jam.format, jam.standard().unwrap().stack_size), (Format::Jam, 4096));
    assert_eq!(Metadata::parse(&jam.metadata.unwrap()).unwrap().authors, ["me"]);
    let polkavm = program(
        ".format polkavm\n.profile 0.8\n.stack 64\n.export main, f\n.rodata\n.ascii \"x\"\n.text\ntrap\nf: unlikely",
    );
    assert_eq!((polkavm.profile, polkavm.exports[0].pc), (Some(Profile::V0_8), 1));
    assert_eq!(polkavm.image.segments.len(), 2);
}

#[test]
fn messages_say_where_and_what() {
    for (source, message) in [
        ("trap\n  add_65 r1, r2, r3", "line 2, column 3: there is no instruction `add_65`"),
        ("add_64 r1, r13, r3", "line 1, column 12: expected a register (r0 to r12), found `r13`"),
        ("add_64 r1 r2, r3", "line 1, column 11: expected `,`, found `r2`"),
        ("trap 5", "line 1, column 6: expected the end of the line, found `5`"),
        ("jump nowhere", "line 1, column 6: `nowhere` is not defined"),
        ("a: trap\na: trap", "line 2, column 1: `a` is already defined in line 1"),
        ("load_imm r7, 0x80000000", "line 1, column 14: 2147483648 does not fit an immediate of 32 bits"),
        ("load_u8 r7, 5", "line 1, column 13: expected `[` and an address, found `5`"),
        (".profile 0.8\nsbrk r1, r2", "line 2, column 1: `sbrk` does not exist in profile 0.8"),
        ("load_imm r7, 12x", "line 1, column 14: `12x` is not a number"),
        (".u8 1", "line 1, column 1: this belongs into .rodata or .rwdata"),
        (".rodata\ntrap", "line 2, column 1: this belongs into .text"),
        (".format raw\n.stack 4", "line 2, column 1: `.stack` has no meaning in a program of the format raw"),
        (".rodata\nx: .zero x", "line 2, column 10: the value must be known here"),
        (".metadata \"abc", "line 1, column 11: the quote is not closed"),
        (".metadata abc", "line 1, column 11: `abc` is not a row of bytes"),
        ("sp: trap", "line 1, column 1: `sp` names a register"),
        (".rodata\nx: .u32 @x", "line 2, column 1: `@x` needs a label in .text"),
        (".frob", "line 1, column 1: there is no directive `.frob`"),
        ("trap é", "line 1, column 6: the character 'é' means nothing here"),
        (".rodata\n.zero 0xffffffffffff", "line 2, column 7: more than"),
        (".stack 0x1000000", "line 1, column 1: the program is not valid: stack size"),
        (".rodata\n.u8 256", "line 2, column 5: 256 does not fit the data (-128 to 255)"),
    ] {
        let found = error(source);
        assert!(found.starts_with(message), "{source:?}\n{found}\n{message}");
    }
}

#[test]
fn expressions_without_end_are_refused() {
    assert!(error(&format!("load_imm r7, {}1", "(".repeat(100_000))).contains("nested"));
    assert!(error(&format!("load_imm r7, {}1", "-".repeat(100_000))).contains("nested"));
    assert!(error(&format!("load_imm r7, 1{}", "*0xffffffff".repeat(100_000))).contains("too large"));
    assert_eq!(code(&format!("load_imm r7, 1{}", "+1".repeat(100_000))), [51, 7, 0xa1, 0x86, 1]);
    let doubling: String = (0..200).map(|n| format!(".equ k{}, k{n} + k{n}\n", n + 1)).collect();
    assert!(error(&format!(".equ k0, 1\n{doubling}")).contains("too large"));
}

#[test]
fn circular_constants_and_lengths_end() {
    // The longer the instruction, the smaller the number, the shorter the instruction.
    let _ = assemble(".format raw\na: load_imm r7, 129 - 2 * (b - a)\nb: trap");
    assert!(error(".equ a, b\n.equ b, a\nload_imm r7, a").contains("`b` must be defined above"));
    assert!(error(".equ a, a").contains("`a` must be defined above"));
    assert_eq!(code(".equ a, b + 1\nload_imm r7, a\nb: trap"), [51, 7, 4, 0]);
}

const WORDS: &[&str] = &[
    "trap",
    "jump",
    "add_64",
    "load_imm",
    "load_u8",
    "store_imm_ind_u8",
    "branch_eq_imm",
    "load_imm_jump",
    "r0",
    "sp",
    "a",
    "b",
    "@a",
    "a:",
    "b:",
    ".text",
    ".rodata",
    ".rwdata",
    ".section",
    ".equ",
    ".u8",
    ".u32",
    ".zero",
    ".align",
    ".hex",
    ".inst",
    ".bytes",
    ".jump_table",
    ".jump_entry",
    ".jump_bytes",
    ".jump_wide",
    ".format",
    "raw",
    "polkavm",
    "jam",
    ".metadata",
    ".stack",
    ".export",
    ".isa",
    ",",
    ",",
    "[",
    "]",
    "(",
    ")",
    "+",
    "-",
    "*",
    "0",
    "1",
    "127",
    "0xffffffff",
    "\"x\"",
    "'a'",
    "\n",
    "\n",
    "\n",
    "#",
    "6",
    "\\",
];

#[test]
fn no_source_makes_the_assembler_panic() {
    let mut random = Random(77);
    for _ in 0..40_000 {
        let words = random.below(25);
        let source: Vec<&str> = (0..words).map(|_| WORDS[random.below(WORDS.len() as u64) as usize]).collect();
        let _ = assemble(&source.join(" "));
    }
    let sample = ".format raw\n.jump_table 2\n.jump_entry a, 5\na: add_64 r1, r2, r3 # x\n.rodata\n.u8 1, 'x'\n\
                  .text\nb: branch_eq_imm r1, 5, a\nload_ind_u8 r1, [r2 - 5]\n.inst 0x33, 5\n.metadata \"a\\x00\" 0011\n";
    for _ in 0..40_000 {
        let mut bytes = sample.as_bytes().to_vec();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(3) {
                0 => bytes[at] = random.next() as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b" \n,[]:@#\"'9xr.-"[random.below(15) as usize]),
            }
        }
        let _ = assemble(&String::from_utf8_lossy(&bytes));
    }
}
