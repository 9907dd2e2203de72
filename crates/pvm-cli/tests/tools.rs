//! `pvmrun asm`, `disasm` and `info`, and what all verbs have in common.

mod common;

use common::{Folder, asm, countdown, echo, gas_vector, pvmrun, pvmrun_with, trace, vector};
use std::process::{Command, Stdio};

#[test]
fn programs_come_back_from_their_text() {
    let folder = Folder::new("tools_asm");
    for (name, bytes) in [("echo.jam", echo()), ("countdown.pvm", countdown())] {
        let program = folder.write(name, &bytes);
        let text = pvmrun(&["disasm", &program]);
        assert_eq!(text.code, 0);
        let source = folder.write("text.s", &text.out);
        let again = folder.path("again");
        assert_eq!(pvmrun(&["asm", &source, "-o", &again]).code, 0);
        assert_eq!(std::fs::read(&again).unwrap(), bytes);
        assert_eq!(pvmrun(&["asm", &source]).code, 0);
        let extension = name.split_once('.').unwrap().1;
        assert_eq!(std::fs::read(folder.path(&format!("text.{extension}"))).unwrap(), bytes);
    }
    assert_eq!(
        pvmrun(&["disasm", &folder.write("v.json", vector().to_string())]).out,
        pvmrun_with(&["disasm", "-"], &countdown()).out
    );
    assert!(pvmrun(&["disasm", &folder.write("g.json", gas_vector().to_string())]).out.contains(".profile draft"));
    assert!(pvmrun(&["disasm", &folder.write("t", trace(&folder))]).out.contains("ecalli 55"));
    let done = pvmrun_with(&["asm", "-"], b".format raw\ntrap\n");
    assert_eq!((done.code, done.out.as_bytes()), (0, &asm(".format raw\ntrap")[..]));
    let done = pvmrun_with(&["asm", "-"], b"nop r1\n");
    assert!(done.code == 1 && done.err.contains("standard input"), "{done:?}");
    assert_eq!(pvmrun(&["asm", &folder.write("own.jam", "trap\n")]).code, 1);
}

#[test]
fn info_shows_what_is_there() {
    let folder = Folder::new("tools_info");
    let program = folder.write("echo.jam", echo());
    let done = pvmrun(&["info", &program]);
    assert_eq!(done.code, 0);
    for text in ["jam", "echo", "0x00010000..0x00011000", "accumulate", "15 instructions, 1 basic blocks"] {
        let text = text.replace("15 instructions, 1 basic blocks", "16 instructions, 3 basic blocks");
        assert!(done.out.contains(&text), "{text}: {}", done.out);
    }
    let json = pvmrun(&["info", "--json", &program]).json();
    assert_eq!((&json["format"], &json["metadata"]["name"]), (&"jam".into(), &"echo".into()));
    assert_eq!((&json["instructions"], &json["memory"][0]["address"]), (&16.into(), &0x10000.into()));
    if cfg!(feature = "cranelift") {
        assert!(json["compiled"]["code_bytes"].as_u64().unwrap() > 0);
    }
    let json = pvmrun(&["info", "--json", "--jit=off", &program]).json();
    assert!(json.get("compiled").is_none());
    let named = asm(".format raw\n.metadata \"a\\x1b[31mb\"\ntrap\n");
    let done = pvmrun(&["info", &folder.write("named", named)]);
    assert!(done.out.contains("a\\u{1b}[31mb"), "{}", done.out);
    assert_eq!(pvmrun(&["info", "--json", &folder.write("v", vector().to_string())]).json()["kind"], "vector");
}

#[test]
fn help_teaches() {
    for (arguments, words) in [
        (&["--help"][..], &["run", "test", "disasm", "asm", "info", "Examples:", "Exit codes:", "113"][..]),
        (&["-h"], &["Examples:"]),
        (&["help", "run"], &["--jit", "--gas-model", "--entry", "--host", "--timeout", "--trace", "--stats", "10^15"]),
        (&["run", "--help"], &["Examples:", "r7", "115"]),
        (&["test", "--help"], &["--skip-list", "--jit-threshold", "Examples:"]),
        (&["info", "--help"], &["--json"]),
        (&["--version"], &[env!("CARGO_PKG_VERSION")]),
    ] {
        let done = pvmrun(arguments);
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{arguments:?}");
        assert!(words.iter().all(|word| done.out.contains(word)), "{arguments:?}: {}", done.out);
        assert!(!done.out.contains('\x1b'), "no colour in a pipe");
        assert!(!done.out.contains("precompile") && done.out.lines().all(|line| line.chars().count() <= 100));
    }
    let done = pvmrun(&[]);
    assert_eq!((done.code, done.out.as_str()), (2, ""));
    assert!(done.err.contains("Usage:"));
}

#[test]
fn a_file_may_be_called_like_a_verb() {
    let folder = Folder::new("tools_names");
    folder.write("test", echo());
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_pvmrun"))
            .args(arguments)
            .current_dir(folder.path(""))
            .stderr(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(run(&["run", "test", "05"]), "05\n");
    assert_eq!(run(&["./test", "05"]), "05\n");
    assert_eq!(run(&["--gas", "1000", "test", "05"]), "05\n");
}

#[test]
fn a_reader_may_go_away() {
    let folder = Folder::new("tools_pipe");
    let source = format!(".format raw\n{}trap\n", "add_64 r1, r2, r3\n".repeat(20_000));
    let program = folder.write("long", asm(&source));
    let mut child = Command::new(env!("CARGO_BIN_EXE_pvmrun"))
        .args(["disasm", &program])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}
