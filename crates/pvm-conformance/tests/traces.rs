//! Traces: what is read, what is refused, what comes back.

use pvm_conformance::trace::{EndKind, Problem, Record, State, Trace, TraceError, TraceWriter};
use std::borrow::Cow;

const SAMPLE: &str = "\
program 0x0500666f6f2a00ff
memwrite 0xfeff0000 len=3 <- 0x01ab03
memwrite 0xfeff0008 len=0 <- 0x
start pc=5 gas=18446744073709551615 r00=0xffff0000 r12=0xffffffffffffffff
ecalli=100 pc=17 gas=990 r01=0x1
memread 0x00010000 len=2 -> 0xbeef
memread 0xffffffff len=1 -> 0x00
memwrite 0x00020000 len=1 <- 0x07
setreg r07 <- 0x0
setreg r08 <- 0xfffffffffffffffe
setgas <- 980
ecalli=18446744073709551615 pc=30 gas=900
setgas <- 890
PANIC=2 pc=4294967295 gas=0 r09=0x80
";

fn parse(text: &str) -> Result<Trace, TraceError> {
    Trace::parse(text)
}

fn write(trace: &Trace) -> String {
    let mut writer = TraceWriter::new(Vec::new());
    writer.trace(trace).unwrap();
    writer.flush().unwrap();
    String::from_utf8(writer.into_inner()).unwrap()
}

fn error(text: &str) -> (usize, Problem) {
    let TraceError { line, problem } = parse(text).unwrap_err();
    (line, problem)
}

/// The error of a line that follows a prelude of two lines.
fn error_of(line: &str) -> Problem {
    let (at, problem) = error(&format!("program 0x00\nstart pc=0 gas=1\necalli=1 pc=0 gas=1\n{line}\n"));
    assert_eq!(at, 4);
    problem
}

#[test]
fn a_trace_is_read_and_comes_back() {
    let trace = parse(SAMPLE).unwrap();
    assert_eq!(trace.program, b"\x05\0foo*\0\xff");
    assert_eq!(trace.initial_memory, [(0xfeff_0000, vec![1, 0xab, 3]), (0xfeff_0008, vec![])]);
    let mut start = State { pc: 5, gas: u64::MAX, ..State::default() };
    (start.registers[0], start.registers[12]) = (0xffff_0000, u64::MAX);
    assert_eq!(trace.start, start);
    let [first, second] = &trace.calls[..] else { panic!("two calls") };
    assert_eq!((first.id, first.state.pc, first.state.gas, first.state.registers[1]), (100, 17, 990, 1));
    assert_eq!(first.reads, [(0x10000, vec![0xbe, 0xef]), (u32::MAX, vec![0])]);
    assert_eq!(first.writes, [(0x20000, vec![7])]);
    assert_eq!(first.set_registers, [(7, 0), (8, u64::MAX - 1)]);
    assert_eq!((first.gas_after, second.gas_after, second.id), (Some(980), Some(890), u64::MAX));
    let end = trace.end.as_ref().unwrap();
    assert_eq!(end.kind, EndKind::Panic { argument: "2".into() });
    assert_eq!((end.state.pc, end.state.registers[9]), (u32::MAX, 0x80));
    assert_eq!(write(&trace), SAMPLE);
    assert_eq!(Trace::parse_bytes(SAMPLE.as_bytes()), Ok(trace));
}

#[test]
fn other_text_is_ignored() {
    let mut noisy = String::from("a log of ours\n\nthe start of it\nprogram counter 7\nfoo comment start pc=1 gas=1\n");
    for line in SAMPLE.lines() {
        noisy += &format!("\u{1b}[32m12:00 [\u{fc}ber] {line} in 3 ms r = 5\r\n");
        noisy += "comment setgas <- nothing\nsetreg later\necalli took 5 ms\n";
    }
    assert_eq!(parse(&noisy), parse(SAMPLE));
}

#[test]
fn spelling_that_is_not_canonical_is_read() {
    let text = "program 0xAb\nstart pc=0x10 gas=0x20 r7=16 r02=0x00ff r01=0x0\nOOG pc=0 gas=0";
    let trace = parse(text).unwrap();
    assert_eq!((&trace.program[..], trace.start.pc, trace.start.gas), (&[0xab][..], 16, 32));
    assert_eq!(write(&trace), "program 0xab\nstart pc=16 gas=32 r02=0xff r07=0x10\nOOG pc=0 gas=0\n");
}

#[test]
fn a_trace_may_be_cut_off() {
    let mut calls = 0;
    for length in 0..SAMPLE.len() {
        if let Ok(trace) = parse(&SAMPLE[..length]) {
            calls = calls.max(trace.calls.len());
            // What was cut inside of the last record may be lost or shortened, never the rest.
            assert!(trace.program == b"\x05\0foo*\0\xff" && trace.initial_memory.len() == 2);
        }
    }
    assert_eq!(calls, 2);
    assert_eq!(parse("program 0x00\nstart pc=0 gas=1\necalli=1 pc=0 gas=1").unwrap().end, None);
}

#[test]
fn records_must_be_in_order() {
    let missing = |record| Problem::Missing { record };
    assert_eq!(error(""), (1, missing("program")));
    assert_eq!(error("nothing\nto see\n"), (2, missing("program")));
    assert_eq!(error("program 0x00\n"), (1, missing("start")));
    let misplaced = |record, place| Problem::Misplaced { record, place };
    assert_eq!(error("start pc=0 gas=1"), (1, misplaced("start", "before `program`")));
    assert_eq!(error("memwrite 0x0 len=0 <- 0x"), (1, misplaced("memwrite", "before `program`")));
    assert_eq!(error("program 0x\nprogram 0x"), (2, misplaced("program", "before `start`")));
    assert_eq!(error("program 0x\necalli=1 pc=0 gas=1"), (2, misplaced("ecalli", "before `start`")));
    let started = "program 0x\nstart pc=0 gas=1\n";
    let first = |line: &str| error(&format!("{started}{line}"));
    for (line, record) in [
        ("memread 0x0 len=0 -> 0x", "memread"),
        ("memwrite 0x0 len=0 <- 0x", "memwrite"),
        ("setreg r00 <- 0x1", "setreg"),
        ("setgas <- 1", "setgas"),
        ("start pc=0 gas=1", "start"),
    ] {
        assert_eq!(first(line), (3, misplaced(record, "before the first `ecalli`")));
        let ended = format!("{started}HALT pc=0 gas=0\n{line}");
        assert_eq!(error(&ended), (4, misplaced(record, "after the end")));
    }
    let actions = ["memread 0x0 len=0 -> 0x", "memwrite 0x0 len=0 <- 0x", "setreg r00 <- 0x1", "setgas <- 1"];
    for (at, earlier) in actions.iter().enumerate() {
        for (other, later) in actions.iter().enumerate() {
            let result = parse(&format!("{started}ecalli=1 pc=0 gas=1\n{later}\n{earlier}\n"));
            assert_eq!(result.is_ok(), other < at || (other == at && at < 3), "{later}, {earlier}");
        }
    }
    assert!(parse(&format!("{started}HALT pc=0 gas=0\nHALT pc=0 gas=0")).is_err());
}

#[test]
fn values_must_fit() {
    assert_eq!(error_of("setgas <- 18446744073709551616"), Problem::TooLarge { field: "gas", limit: u64::MAX });
    let huge = format!("setgas <- {}", "9".repeat(100_000));
    assert_eq!(error_of(&huge), Problem::TooLarge { field: "gas", limit: u64::MAX });
    assert_eq!(error_of("setgas <- 12ab"), Problem::NotANumber { field: "gas" });
    assert_eq!(error_of("setgas <- 0x"), Problem::NotANumber { field: "gas" });
    assert_eq!(error_of("setreg r13 <- 0x1"), Problem::TooLarge { field: "register", limit: 12 });
    let limit = u64::from(u32::MAX);
    assert_eq!(error_of("ecalli=1 pc=4294967296 gas=0"), Problem::TooLarge { field: "pc", limit });
    assert_eq!(error_of("memread 0x100000000 len=0 -> 0x"), Problem::TooLarge { field: "address", limit });
    assert_eq!(error_of("ecalli=1 pc=0 gas=0 r01=0x1 r01=0x2"), Problem::Twice { register: 1 });
    assert_eq!(error_of("ecalli=1 pc=0 gas=0 r01="), Problem::NotANumber { field: "register value" });
    assert_eq!(error_of("HALT pc=0 gas=0 r13=0x1"), Problem::TooLarge { field: "register", limit: 12 });
}

#[test]
fn bytes_must_be_what_the_record_says() {
    assert_eq!(error_of("memread 0x0 len=2 -> 0x01"), Problem::Length { stated: 2, found: 1 });
    assert_eq!(error_of("memwrite 0x0 len=0 <- 0x01"), Problem::Length { stated: 0, found: 1 });
    let stated = u64::MAX;
    assert_eq!(error_of(&format!("memwrite 0x0 len={stated} <- 0x01")), Problem::Length { stated, found: 1 });
    assert_eq!(error_of("memwrite 0x0 len=1 <- 0x012"), Problem::NotHex);
    assert_eq!(error_of("memwrite 0x0 len=1 <- 0x0g"), Problem::NotHex);
    assert_eq!(error_of("program 0xzz"), Problem::NotHex);
    let range = Problem::Range { address: u32::MAX, length: 2 };
    assert_eq!(error_of("memwrite 0xffffffff len=2 <- 0x0102"), range);
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let mut bytes = SAMPLE.as_bytes().to_vec();
    let at = SAMPLE.find("memread").unwrap();
    bytes[at] = 0xff;
    assert_eq!(Trace::parse_bytes(&bytes), Err(TraceError { line: 6, problem: Problem::NotUtf8 }));
    assert_eq!(TraceError { line: 6, problem: Problem::NotUtf8 }.to_string(), "line 6: not UTF-8");
}

#[test]
fn damage_never_panics() {
    for at in 0..SAMPLE.len() {
        for byte in [0, b' ', b'0', b'x', b'=', b'\n', 0x80, 0xff] {
            let mut bytes = SAMPLE.as_bytes().to_vec();
            bytes[at] = byte;
            let _ = Trace::parse_bytes(&bytes);
        }
    }
}

#[test]
fn lines_that_nearly_are_records_take_linear_time() {
    for piece in ["PANIC=", "comment", "memread 0x0 len=", "ecalli=1 pc=0 ", "program ", "setreg r"] {
        assert!(parse(&piece.repeat(300_000)).is_err(), "{piece}");
    }
}

#[test]
fn the_writer_takes_records_and_comments() {
    let mut writer = TraceWriter::new(Vec::new());
    writer.comment("made by a test\nin two lines").unwrap();
    writer.record(&Record::Program(Cow::Borrowed(&[1, 0xfe]))).unwrap();
    writer.record(&Record::SetReg { register: 7, value: 0 }).unwrap();
    let text = String::from_utf8(writer.into_inner()).unwrap();
    assert_eq!(text, "comment made by a test\ncomment in two lines\nprogram 0x01fe\nsetreg r07 <- 0x0\n");
}
