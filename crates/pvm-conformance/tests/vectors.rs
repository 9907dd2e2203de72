//! Vectors: what is read and what is refused.

use pvm_conformance::vector::{Assertion, Chunk, GasVector, Pages, Problem, Status, Step, Vector, VectorFile};

/// A vector with all fields; tests change them one at a time.
const VECTOR: &str = r#"{
    "name": "sample",
    "initial-regs": [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 18446744073709551615],
    "initial-pc": 3,
    "initial-page-map": [{"address": 131072, "length": 8192, "is-writable": true}],
    "initial-memory": [{"address": 131072, "contents": [1, 2, 255]}],
    "initial-gas": 10000,
    "program": [0, 0, 1, 0, 1],
    "expected-status": "page-fault",
    "expected-regs": [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    "expected-pc": 4,
    "expected-memory": [{"address": 4294967295, "contents": [9]}],
    "expected-gas": 9998,
    "expected-page-fault-address": 135168
}"#;

const GAS_VECTOR: &str = r#"{
    "name": "steps", "initial-pc": 2, "initial-gas": 50, "program": [0, 0, 0],
    "steps": [
        {"kind": "map", "address": 4294963200, "length": 4096, "is_writable": false},
        {"kind": "write", "address": 4294963200, "contents": []},
        {"kind": "set-reg", "reg": 12, "value": 5},
        {"kind": "run"},
        {"kind": "assert", "status": "trap", "gas": 1, "pc": 2, "regs": [0,0,0,0,0,0,0,0,0,0,0,0,5],
         "memory": [{"address": 65536, "contents": [1]}], "page_fault_address": null}
    ],
    "block-gas-costs": {"0": 2, "17": 4294967295}
}"#;

fn vector_error(from: &str, to: &str) -> (String, Problem) {
    assert!(VECTOR.contains(from));
    let error = Vector::parse(VECTOR.replacen(from, to, 1).as_bytes()).unwrap_err();
    (error.path, error.problem)
}

fn gas_error(from: &str, to: &str) -> (String, Problem) {
    assert!(GAS_VECTOR.contains(from));
    let error = GasVector::parse(GAS_VECTOR.replacen(from, to, 1).as_bytes()).unwrap_err();
    (error.path, error.problem)
}

fn at(path: &str, problem: Problem) -> (String, Problem) {
    (path.to_string(), problem)
}

fn json(path: &str, message: &str) -> (String, Problem) {
    at(path, Problem::Json(message.to_string()))
}

#[test]
fn a_vector_is_read() {
    let vector = Vector::parse(VECTOR.as_bytes()).unwrap();
    assert_eq!((vector.name.as_str(), vector.pc, vector.gas), ("sample", 3, 10000));
    assert_eq!((vector.registers[0], vector.registers[12]), (1, u64::MAX));
    assert_eq!(vector.program, [0, 0, 1, 0, 1]);
    assert_eq!(vector.pages, [Pages { address: 131072, length: 8192, writable: true }]);
    assert_eq!(vector.memory, [Chunk { address: 131072, contents: vec![1, 2, 255] }]);
    let expected = &vector.expected;
    assert_eq!((expected.status, expected.page_fault_address), (Status::PageFault, Some(135168)));
    assert_eq!((expected.pc, expected.gas, expected.registers[0]), (4, 9998, 2));
    assert_eq!(expected.memory, [Chunk { address: u32::MAX, contents: vec![9] }]);
    assert_eq!(VectorFile::parse(VECTOR.as_bytes()), Ok(VectorFile::Pvm(vector)));
}

#[test]
fn a_gas_vector_is_read() {
    let vector = GasVector::parse(GAS_VECTOR.as_bytes()).unwrap();
    assert_eq!((vector.pc, vector.gas), (2, Some(50)));
    assert_eq!(vector.block_gas_costs.into_iter().collect::<Vec<_>>(), [(0, 2), (17, u32::MAX)]);
    let mut registers = [0; 13];
    registers[12] = 5;
    let assertion = Assertion {
        status: Status::Panic,
        page_fault_address: None,
        gas: Some(1),
        pc: Some(2),
        registers: Some(registers),
        memory: vec![Chunk { address: 65536, contents: vec![1] }],
    };
    let steps = [
        Step::Map(Pages { address: 4294963200, length: 4096, writable: false }),
        Step::Write(Chunk { address: 4294963200, contents: vec![] }),
        Step::SetRegister { register: 12, value: 5 },
        Step::Run,
        Step::Assert(assertion),
    ];
    assert_eq!(vector.steps, steps);
}

#[test]
fn absent_fields_mean_nothing_is_there() {
    let costs = br#"{"name": "costs only", "program": [], "block-gas-costs": {"0": 2}}"#;
    let Ok(VectorFile::Gas(vector)) = VectorFile::parse(costs) else { panic!("a gas vector") };
    assert_eq!((vector.gas, vector.pc, vector.steps.len(), vector.registers), (None, 0, 0, [0; 13]));
    let regs = "[0,0,0,0,0,0,0,0,0,0,0,0,0]";
    let short = format!(
        r#"{{"program": [], "initial-gas": 1, "expected-status": "halt", "expected-regs": {regs}, "expected-pc": 0,
            "expected-gas": 0}}"#
    );
    let vector = Vector::parse(short.as_bytes()).unwrap();
    assert_eq!((vector.name.as_str(), vector.pc, vector.pages.len(), vector.expected.memory.len()), ("", 0, 0, 0));
}

#[test]
fn statuses_have_names() {
    for status in ["halt", "panic", "page-fault", "out-of-gas", "host-call"] {
        assert_eq!(Status::from_name(status).unwrap().to_string(), status);
    }
    assert_eq!(Status::from_name("trap"), Some(Status::Panic));
    let unknown = at("expected-status", Problem::Status("Halt".into()));
    assert_eq!(vector_error("\"page-fault\"", "\"Halt\""), unknown);
}

#[test]
fn errors_name_the_field() {
    assert_eq!(vector_error("\"program\"", "\"programme\""), at("program", Problem::Missing));
    assert_eq!(vector_error("\"initial-pc\"", "\"initial-sp\""), at("initial-sp", Problem::Unknown));
    assert_eq!(vector_error("\"name\"", "\"initial-gas\""), at("initial-gas", Problem::Twice));
    assert_eq!(vector_error("\"length\": 8192, ", ""), at("initial-page-map[0].length", Problem::Missing));
    assert_eq!(vector_error("10000", "\"10000\""), json("initial-gas", "invalid type: string \"10000\", expected u64"));
    assert_eq!(
        vector_error("[1, 2, 255]", "[1, 2, 256]"),
        json("initial-memory[0].contents", "invalid value: integer `256`, expected u8")
    );
    assert_eq!(
        vector_error("[2, 0, ", "[2, "),
        json("expected-regs", "invalid length 12, expected an array of length 13")
    );
    assert_eq!(
        vector_error("[{\"address\": 131072, \"contents\"", "[5, {\"address\": 131072, \"contents\""),
        json("initial-memory[0]", "invalid type: integer `5`, expected an object")
    );
    assert!(vector_error("9998", "-1").0 == "expected-gas" && vector_error("9998", "1.5").0 == "expected-gas");
    assert!(vector_error("9998", "18446744073709551616").0 == "expected-gas");
    assert!(vector_error("\"expected-pc\": 4,", "\"expected-pc\": 4294967296,").0 == "expected-pc");
    let error = Vector::parse(br#"{"program": 5}"#).unwrap_err();
    assert_eq!(error.to_string(), "program: invalid type: integer `5`, expected a sequence");
}

#[test]
fn memory_must_be_where_memory_is() {
    let range = |address, length| Problem::Range { address, length };
    assert_eq!(vector_error("[9]", "[9, 9]"), at("expected-memory[0].address", range(u32::MAX, 2)));
    let whole = vector_error("8192", "4294836225");
    assert_eq!(whole, at("initial-page-map[0].address", range(131072, 4294836225)));
    assert_eq!(vector_error("8192", "18446744073709551615").0, "initial-page-map[0].address");
    let pages = |address, length| at("initial-page-map[0].length", Problem::Pages { address, length });
    assert_eq!(vector_error("8192", "8191"), pages(131072, 8191));
    assert_eq!(vector_error("131072", "131073"), pages(131073, 8192));
}

#[test]
fn steps_must_be_known() {
    assert_eq!(gas_error("\"run\"", "\"resume\""), at("steps[3].kind", Problem::StepKind("resume".into())));
    assert_eq!(gas_error("\"kind\": \"run\"", ""), at("steps[3].kind", Problem::Missing));
    assert_eq!(gas_error("\"reg\": 12", "\"reg\": 13"), at("steps[2].reg", Problem::Register(13)));
    assert_eq!(gas_error("\"reg\": 12", "\"reg\": 300"), at("steps[2].reg", Problem::Register(300)));
    assert_eq!(gas_error("\"run\"", "\"run\", \"gas\": 5"), at("steps[3].gas", Problem::Unknown));
    assert_eq!(gas_error("[1]}]", "[1, true]}]").0, "steps[4].memory[0].contents");
    assert_eq!(gas_error("\"initial-gas\": 50,", ""), at("initial-gas", Problem::Missing));
    assert_eq!(gas_error("\"17\"", "\"seventeen\"").0, "block-gas-costs");
    assert_eq!(gas_error("\"17\"", "\"4294967296\"").0, "block-gas-costs");
}

#[test]
fn what_is_not_json_is_refused() {
    for bytes in [&b""[..], b"[]", b"5", b"null", b"{", b"\xff{}", b"{\"name\": \"\xff\"}", b"{} {}", b"{}"] {
        assert!(VectorFile::parse(bytes).is_err(), "{bytes:?}");
    }
    let deep = "{\"program\": ".to_string() + &"[".repeat(100_000);
    assert!(VectorFile::parse(deep.as_bytes()).is_err());
    let deep = deep + &"]".repeat(100_000) + ", \"steps\": []}";
    assert!(VectorFile::parse(deep.as_bytes()).is_err());
}

#[test]
fn damage_never_panics() {
    for text in [VECTOR, GAS_VECTOR] {
        for length in 0..text.len() {
            assert!(VectorFile::parse(&text.as_bytes()[..length]).is_err());
            for byte in [0, b'"', b'9', b'-', b'}', 0xff] {
                let mut bytes = text.as_bytes().to_vec();
                bytes[length] = byte;
                let _ = VectorFile::parse(&bytes);
            }
        }
    }
}
