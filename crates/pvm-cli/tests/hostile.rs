//! Inputs that mean harm: whatever they are, they get an error or a run, and never an internal one.

mod common;

use common::{Done, Folder, asm, countdown, echo, gas_vector, in_process, pvmrun, trace, vector};

/// What may come of running anything.
const ORDERLY: [i32; 6] = [0, 1, 111, 112, 113, 114];

fn polkavm() -> Vec<u8> {
    asm(
        ".format polkavm\n.isa 2\n.section 1\n.hex 0810a000\n.section 2\n.ascii \"hello\"\n.export \"main\", main\n.text\n\
         main: load_imm r7, 1\necalli 3\njump_ind r0, 0\n",
    )
}

/// A small input of each kind.
fn samples(folder: &Folder) -> Vec<(&'static str, Vec<u8>)> {
    let spi =
        asm(".format spi\n.stack 64\n.rodata\n.u8 1\n.text\nL: jump M\nM: load_imm r7, 4\nbranch_eq_imm r7, 4, L\n");
    vec![
        ("jam", echo()),
        ("spi", spi),
        ("raw", countdown()),
        ("raw with metadata", asm(".format raw\n.metadata \"me\"\nload_imm r7, 4\nstore_imm_u8 [0x20000], 4\ntrap\n")),
        ("polkavm", polkavm()),
        ("vector", vector().to_string().into_bytes()),
        ("gas vector", gas_vector().to_string().into_bytes()),
        ("trace", trace(folder).into_bytes()),
    ]
}

/// Runs an input with little gas. Traces have a gas of their own.
fn run(options: &[&str], bytes: &[u8]) -> Done {
    match in_process(&[options, &["--gas=2000", "-"]].concat(), bytes) {
        Done { code: 2, .. } => in_process(&[options, &["-"]].concat(), bytes),
        done => done,
    }
}

/// Gives an input to every verb.
fn give(bytes: &[u8], what: &dyn std::fmt::Display) {
    let tier = if cfg!(feature = "cranelift") { "--jit-threshold=0" } else { "--jit=off" };
    for options in [&["--jit=off"][..], &["--host=none", tier]] {
        let done = run(options, bytes);
        assert!(ORDERLY.contains(&done.code), "{what}: {done:?}");
        assert_eq!(done.code == 1, done.err.contains("error: "), "{what}: {done:?}");
    }
    for verb in ["test", "disasm"] {
        let done = in_process(&[verb, "-"], bytes);
        assert!(matches!(done.code, 0 | 1), "{what}: {verb}: {done:?}");
    }
}

#[test]
fn inputs_that_are_cut_off() {
    let folder = Folder::new("hostile_cut");
    for (kind, bytes) in samples(&folder) {
        assert!(ORDERLY.contains(&run(&["--host=none"], &bytes).code), "{kind}");
        for len in 0..bytes.len() {
            give(&bytes[..len], &format_args!("{kind} cut to {len}"));
        }
        give(&[&bytes[..], b"\0"].concat(), &format_args!("{kind} with a byte behind it"));
    }
}

#[test]
fn inputs_with_a_bit_flipped() {
    let folder = Folder::new("hostile_flip");
    for (kind, mut bytes) in samples(&folder) {
        // In text one bit of each byte is enough: most of them make it something else anyhow.
        let is_text = bytes.is_ascii() && bytes.len() > 200;
        for bit in 0..bytes.len() * 8 {
            if is_text && bit % 8 != bit / 8 % 8 {
                continue;
            }
            bytes[bit / 8] ^= 1 << (bit % 8);
            give(&bytes, &format_args!("{kind}, bit {bit} flipped"));
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn lengths_that_promise_too_much() {
    let huge = [&[0xff_u8; 9][..], &[0xf0, 0xff, 0xff, 0xff, 0xff], &[0xe0, 0xff, 0xff, 0xff], &[0x80, 0xff]];
    for number in huge {
        for before in [&[][..], &[0], &[0, 0], &[1, 4], b"\0\0\0\0\0\0\0\0\0\0\0", b"PVM\0\x02\x13\0\0\0\0\0\0\0\x01"] {
            for after in [&[][..], &[0; 8], &[0xff; 64]] {
                let bytes = [before, number, after].concat();
                give(&bytes, &format_args!("{bytes:x?}"));
            }
        }
    }
    // A container that asks for nearly all memory, and for more than there is.
    for sizes in
        ["e0ffffff e0ffffff e0ffffff", "f0fffeffff 00 00", "00 00 f0ffffffff", "f0ffffffff f0ffffffff f0ffffffff"]
    {
        let payload: Vec<u8> = sizes.split(' ').flat_map(hex).collect();
        let mut bytes = b"PVM\0\x02\0\0\0\0\0\0\0\0\x01".to_vec();
        bytes.push(payload.len() as u8);
        bytes.extend(&payload);
        bytes.extend([6, 5, 0, 0, 1, 0, 1, 0]);
        bytes[5] = bytes.len() as u8;
        give(&bytes, &sizes);
        assert_eq!(in_process(&["--max-memory=16M", "-"], &bytes).code, 1);
    }
}

fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn vectors_with_impossible_values() {
    let page =
        |address: u64, length: u64| serde_json::json!([{"address": address, "length": length, "is-writable": true}]);
    for (field, value) in [
        ("initial-page-map", page(0, 1 << 32)),
        ("initial-page-map", page(0xffff_f000, 8192)),
        ("initial-page-map", page(1, 4096)),
        ("initial-page-map", page(u64::MAX, u64::MAX)),
        ("initial-memory", serde_json::json!([{"address": 0x90000, "contents": [1]}])),
        ("initial-memory", serde_json::json!([{"address": 0xffff_ffff_u32, "contents": [1, 2]}])),
        ("initial-pc", u64::MAX.into()),
        ("initial-pc", u32::MAX.into()),
        ("initial-regs", serde_json::json!([1])),
        ("initial-gas", (-1).into()),
        ("program", serde_json::json!([256])),
        ("program", serde_json::json!(nested(100_000))),
    ] {
        let mut vector = vector();
        vector[field] = value;
        for arguments in [&["--max-memory=1M", "-"][..], &["test", "--max-memory=1M", "-"]] {
            let done = in_process(arguments, vector.to_string().as_bytes());
            assert!(ORDERLY.contains(&done.code), "{field}: {done:?}");
        }
    }
}

/// Text that looks like deeply nested JSON.
fn nested(depth: usize) -> String {
    "[".repeat(depth)
}

#[test]
fn garbage_of_all_kinds() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..300 {
        let mut bytes: Vec<u8> = (0..random() % 200).map(|_| random() as u8).collect();
        if round % 3 == 0 {
            bytes.splice(0..0, *b"PVM\0\x00");
        }
        give(&bytes, &format_args!("{bytes:x?}"));
    }
    for text in [
        "{\"program\": [0], \"expected-status\": [".to_owned() + &nested(100_000),
        "program 0x\nstart pc=0 gas=1\n".to_owned() + &"PANIC=".repeat(20_000),
        "memwrite 0x0 len=18446744073709551615 <- 0x00\n".repeat(3),
        "program 0x00\nstart pc=99999999999999999999 gas=1".to_owned(),
        "(module".to_owned(),
        "\u{7f}ELF".to_owned(),
        "\0asm\u{1}\0\0\0".to_owned(),
        "\u{feff}{}".to_owned(),
        " \n\t".to_owned(),
    ] {
        give(text.as_bytes(), &&text[..text.len().min(40)]);
    }
}

#[test]
fn formats_can_be_forced_on_anything() {
    let folder = Folder::new("hostile_format");
    for (kind, bytes) in samples(&folder) {
        for format in ["jam", "spi", "raw", "polkavm", "vector", "trace", "elf", "wasm", "wat"] {
            let done = run(&["--format", format, "--host=none"], &bytes);
            assert!(ORDERLY.contains(&done.code), "{kind} as {format}: {done:?}");
            let is_own = kind.replace("gas ", "").starts_with(format);
            assert_eq!(done.code == 1, !is_own, "{kind} as {format}: {done:?}");
        }
    }
    assert!(in_process(&["--format=elf", "-"], b"x").err.contains("not a valid RISC-V executable"));
}

/// The same through the real program, once for each kind of refusal: nothing is killed by a signal or panics.
#[test]
fn refusals_are_exit_code_1() {
    let folder = Folder::new("hostile_process");
    let cases = [
        folder.write("empty", ""),
        folder.path(""),
        folder.path("missing"),
        folder.write("garbage", [0xa5; 1000]),
        folder.write("elf", b"\x7fELF\x01\x01\x01"),
        folder.write("wasm", b"\0asm\x01\0\0\0"),
        folder.write("cut.jam", &echo()[..40]),
        folder.write("cut.polkavm", &polkavm()[..30]),
        folder.write("isa1.polkavm", b"PVM\0\x01"),
        folder.write("cut.json", &vector().to_string()[..100]),
    ];
    for path in &cases {
        for verb in ["run", "info", "disasm"] {
            let done = pvmrun(&[verb, path]);
            assert_eq!((done.code, done.out.as_str()), (1, ""), "{verb} {path}: {done:?}");
            assert!(done.err.starts_with("error: ") && done.err.contains(path.as_str()), "{verb} {path}: {done:?}");
        }
    }
}
