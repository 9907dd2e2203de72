//! `pvmrun test`.

mod common;

use common::{Folder, echo, gas_vector, pvmrun, pvmrun_with, trace, vector};

#[test]
fn folders_are_tested_recursively() {
    let folder = Folder::new("test_folders");
    folder.write("all/b/vector.json", vector().to_string());
    folder.write("all/a/deep/gas.json", gas_vector().to_string());
    folder.write("all/a/run.trace", trace(&folder));
    let all = folder.path("all");
    for options in [&[][..], &["--jit=off"], &["--jit-threshold", "0"], &["--timeout", "10s"]] {
        if cfg!(not(feature = "cranelift")) && options.contains(&"--jit-threshold") {
            continue;
        }
        let done = pvmrun(&[&["test"], options, &[&all]].concat());
        assert_eq!((done.code, done.out.as_str()), (0, "3 passed, 0 failed\n"), "{options:?}");
    }
    let json = pvmrun(&["test", "--json", "--stats", &all]).json();
    assert_eq!((&json["passed"], &json["failed"], &json["failures"]), (&3.into(), &0.into(), &serde_json::json!([])));
    assert!(json["stats"]["instructions_interpreted"].as_u64().unwrap() > 0);
    assert_eq!(pvmrun_with(&["test", "-"], vector().to_string().as_bytes()).out, "1 passed, 0 failed\n");
}

#[test]
fn each_expectation_of_a_vector_counts() {
    let folder = Folder::new("test_vector");
    for (field, value, difference) in [
        ("expected-status", "halt".into(), "status: expected halt, found panic"),
        ("expected-pc", 1.into(), "pc: expected 1, found"),
        ("expected-gas", 94.into(), "gas: expected 94, found 93"),
        ("expected-regs", serde_json::json!([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]), "r12: expected 0x5, found 0x0"),
        ("expected-memory", serde_json::json!([]), "memory at 0x20010: expected 0x00, found 0x01"),
        ("initial-gas", 99.into(), "gas: expected 93, found 92"),
        ("unheard-of", 0.into(), "unheard-of: unknown field"),
    ] {
        let mut vector = vector();
        vector[field] = value;
        let path = folder.write("changed.json", vector.to_string());
        let done = pvmrun(&["test", &path]);
        assert_eq!(done.code, 1);
        let lines: Vec<&str> = done.out.lines().collect();
        assert!(
            matches!(lines[..], [line, "0 passed, 1 failed"] if line.contains(&path) && line.contains(difference)),
            "{done:?}"
        );
        let json = pvmrun(&["test", "--json", &path]).json();
        assert!(json["failures"][0]["difference"].as_str().unwrap().contains(difference), "{json}");
    }
    let mut costs = gas_vector();
    costs["block-gas-costs"]["0"] = 3.into();
    let done = pvmrun(&["test", &folder.write("costs.json", costs.to_string())]);
    assert!(done.out.contains("cost of the block at 0: expected 3, found 2"), "{done:?}");
}

#[test]
fn each_record_of_a_trace_counts() {
    let folder = Folder::new("test_trace");
    let text = trace(&folder);
    for (from, to, difference) in [
        ("ecalli=0 ", "ecalli=1 ", "host call 1, id: expected 1, found 0"),
        ("-> 0x6869", "-> 0x6868", "host call 0, memory at 0x10001: expected 0x68, found 0x69"),
        ("HALT", "OOG", "end: expected out-of-gas, found halt"),
        ("setreg r07 <- 0x3ca", "setreg r07 <- 0x3cb", "host call 2, r4: expected"),
        ("len=2 <- 0xabcd", "len=2 <- 0xabce", ""),
    ] {
        assert!(text.contains(from), "{from} in {text}");
        let done = pvmrun(&["test", &folder.write("changed.trace", text.replace(from, to))]);
        match difference {
            // The program does not look at its arguments.
            "" => assert_eq!(done.code, 0),
            difference => assert!(done.code == 1 && done.out.contains(difference), "{done:?}"),
        }
    }
    let cut = &text[..text.find("HALT").unwrap()];
    let done = pvmrun(&["test", &folder.write("cut.trace", cut)]);
    assert!(done.out.contains("the trace has no end"), "{done:?}");
}

#[test]
fn what_is_no_test_is_a_failure() {
    let folder = Folder::new("test_unknown");
    folder.write("all/README.md", "# Hello\n");
    folder.write("all/.hidden", "");
    folder.write("all/echo.jam", echo());
    folder.write("all/vector.json", vector().to_string());
    let done = pvmrun(&["test", &folder.path("all")]);
    assert_eq!(done.code, 1);
    assert_eq!(done.out.lines().count(), 4);
    assert!(done.out.ends_with("\n1 passed, 3 failed\n"), "{done:?}");
    assert!(done.out.contains("a jam program is no test") && done.out.contains("the file is empty"), "{done:?}");
    let done = pvmrun(&["test", &folder.path("missing")]);
    assert_eq!((done.code, done.out.as_str()), (1, ""));
    std::fs::create_dir_all(folder.path("empty")).unwrap();
    let done = pvmrun(&["test", &folder.path("empty")]);
    assert_eq!((done.code, done.out.as_str()), (1, "0 passed, 0 failed\n"));
    assert_eq!(pvmrun(&["test"]).code, 2);
}

#[test]
fn skip_lists_name_cases_and_reasons() {
    let folder = Folder::new("test_skip");
    folder.write("all/README.md", "# Hello\n");
    folder.write("all/vector.json", vector().to_string());
    let all = folder.path("all");
    let list = folder.write("list", "# these are no tests\nall/README.md   only text\n");
    let done = pvmrun(&["test", "--skip-list", &list, &all]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains("README.md: only text\n") && done.out.ends_with("1 passed, 0 failed, 1 skipped\n"));
    let json = pvmrun(&["test", "--json", "--skip-list", &list, &all]).json();
    assert_eq!((&json["skipped"], &json["skips"][0]["reason"]), (&1.into(), &"only text".into()));
    let list = folder.write("list", "README.md only text\nEADME.md no such file\n");
    let done = pvmrun(&["test", "--skip-list", &list, &all]);
    assert_eq!(done.code, 1);
    assert!(done.out.ends_with("1 passed, 0 failed, 1 skipped\n"), "{done:?}");
    assert!(done.err.contains("line 2: `EADME.md` matches no case"), "{done:?}");
    let done = pvmrun(&["test", "--skip-list", &folder.write("list", "README.md\n"), &all]);
    assert!(done.code == 1 && done.err.contains("line 1: `README.md` has no reason"), "{done:?}");
}

#[cfg(unix)]
#[test]
fn links_that_lead_back_are_noticed() {
    let folder = Folder::new("test_links");
    folder.write("all/vector.json", vector().to_string());
    std::os::unix::fs::symlink(".", folder.path("all/again")).unwrap();
    let done = pvmrun(&["test", &folder.path("all")]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("leads back"), "{done:?}");
}

#[test]
fn traces_of_containers_have_their_opcodes() {
    let folder = Folder::new("test_container");
    let source = ".format polkavm\n.profile 0.8\n.isa 3\n.section 1\n.hex 0810a000\n.export \"main\", main\n.text\n\
                  trap\nmain: load_imm r7, 1\necalli 3\ncount_set_bits_64 r8, r7\njump_ind r0, 0\n";
    let program = folder.write("p.polkavm", common::asm(source));
    let path = folder.path("trace");
    for isa in ["--isa=0.7", "--isa=0.8"] {
        assert_eq!(pvmrun(&["--entry=main", isa, "--trace", &path, &program]).code, 0);
        assert_eq!(pvmrun(&["test", isa, &path]).out, "1 passed, 0 failed\n", "{isa}");
    }
    // Without a word from anybody, what the file says.
    assert_eq!(pvmrun(&["test", &path]).code, 0);
}
