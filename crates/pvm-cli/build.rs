//! Has the linker pack the addresses in `pvmrun` that the loader has to adjust.
//!
//! There are some 25,000, and as a table they are 0.6 MB of the file that each process reads, and has in memory from then on; packed,
//! they are 6 KB. The C library understands that from glibc 2.36 on. Where it is older, or not asked, nothing is packed.

use std::env::var;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name, value| var(name).is_ok_and(|its| its == value);
    let is_native = var("HOST").is_ok() && var("HOST") == var("TARGET");
    if is_native && is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") && understands_packed() {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Whether the C library of this host does.
fn understands_packed() -> bool {
    let Ok(output) = Command::new("getconf").arg("GNU_LIBC_VERSION").output() else { return false };
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.trim().strip_prefix("glibc ").and_then(|version| version.split_once('.'));
    version
        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)))
        .is_some_and(|version: (u32, u32)| version >= (2, 36))
}
