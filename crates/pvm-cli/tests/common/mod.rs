//! What the tests share: running the program, folders to work in, small inputs.
#![allow(dead_code)]

use pvm_cli::Io;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What came of a call.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Done {
    /// What is on standard output, as JSON.
    pub fn json(&self) -> serde_json::Value {
        assert_eq!(self.out.lines().count(), 1, "one object: {self:?}");
        serde_json::from_str(&self.out).unwrap()
    }
}

/// Runs the program in a process of its own.
pub fn pvmrun(arguments: &[&str]) -> Done {
    pvmrun_with(arguments, b"")
}

/// The same with something on standard input.
pub fn pvmrun_with(arguments: &[&str], input: &[u8]) -> Done {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pvmrun"))
        .args(arguments)
        .env_remove("PVMRUN_LOG")
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have ended without reading.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    Done {
        code: output.status.code().expect("it was not killed"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the program in this process.
pub fn in_process(arguments: &[&str], mut input: &[u8]) -> Done {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut io = Io {
        input: &mut input,
        out: &mut out,
        out_has_colour: false,
        err: &mut err,
        err_has_colour: false,
        err_is_terminal: false,
    };
    let arguments = ["pvmrun"].iter().chain(arguments).map(OsString::from);
    let code = i32::from(pvm_cli::pvmrun(arguments, &mut io));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Done { code, out: text(out), err: text(err) }
}

/// An empty folder for one test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(test: &str) -> Folder {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        self.path(name)
    }
}

/// Assembles.
pub fn asm(source: &str) -> Vec<u8> {
    pvm_asm::assemble(source).unwrap()
}

/// A service that logs, asks for its gas, makes a call that nobody knows, and returns its arguments.
pub fn echo() -> Vec<u8> {
    asm("
.info \"echo\", \"1.0\", \"MIT\", \"somebody\"
.stack 4096
.rodata
text:   .ascii \"hi \\x1b[31m\\nthere\"
.text
        jump_wide main
        trap
main:   move_reg r5, r7
        move_reg r6, r8
        load_imm r7, 1
        load_imm r8, 0
        load_imm r9, 0
        load_imm r10, text
        load_imm r11, 14
        ecalli 100
        ecalli 0
        move_reg r4, r7
        ecalli 55
        move_reg r7, r5
        move_reg r8, r6
        jump_ind r0, 0
"
    .replace("jump_wide main", ".jump_wide main")
    .as_str())
}

/// A raw program that counts r7 down to zero and then panics; it ends whatever r7 is, soon if it is 0.
pub fn countdown() -> Vec<u8> {
    asm(".format raw\nL: add_imm_64 r7, r7, -1\nbranch_gt_s_imm r7, 0, L\ntrap\n")
}

/// A vector: `countdown` from 3, with a page that it does not touch.
pub fn vector() -> serde_json::Value {
    serde_json::json!({
        "name": "countdown",
        "initial-regs": [0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0],
        "initial-pc": 0,
        "initial-page-map": [{"address": 0x20000, "length": 4096, "is-writable": true}],
        "initial-memory": [{"address": 0x20010, "contents": [1, 2, 3]}],
        "initial-gas": 100,
        "program": countdown(),
        "expected-status": "panic",
        "expected-regs": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        "expected-pc": countdown_trap(),
        "expected-memory": [{"address": 0x20010, "contents": [1, 2, 3]}],
        "expected-gas": 93
    })
}

/// Where the trap of `countdown` is.
fn countdown_trap() -> u32 {
    let program = pvm_program::Program::parse(&countdown()).unwrap();
    let last = program.blob.code.len() as u32 - 1;
    assert_eq!(program.blob.code[last as usize], 0);
    last
}

/// A gas vector of the same program.
pub fn gas_vector() -> serde_json::Value {
    serde_json::json!({
        "name": "costs",
        "program": asm(".format raw\ntrap"),
        "initial-regs": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        "initial-pc": 0,
        "initial-gas": 100,
        "initial-page-map": [],
        "initial-memory": [],
        "steps": [{"kind": "run"}, {"kind": "assert", "status": "panic", "gas": 98, "pc": 0}],
        "block-gas-costs": {"0": 2}
    })
}

/// The trace of a run of `echo`.
pub fn trace(folder: &Folder) -> String {
    let program = folder.write("traced.jam", echo());
    let path = folder.path("run.trace");
    assert_eq!(pvmrun(&["--gas", "1000", "--trace", &path, &program, "0xabcd"]).code, 0);
    std::fs::read_to_string(path).unwrap()
}
