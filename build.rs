//! Link options of the daemon.
#![allow(clippy::disallowed_methods, reason = "cargo tells a build script what it needs in the environment")]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |key: &str| std::env::var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        // A megabyte of relocations, all of it read at every start and resident from then on, becomes thirty kilobytes.
        // glibc reads the packed form since 2.36; a linker that does not know the option ignores it.
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
