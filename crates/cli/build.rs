//! Links libgcc into the command on Linux.
//!
//! The standard library asks for the shared libgcc_s, to unwind after a panic. To load it takes 0.1 ms of every start: it is mapped,
//! and asks the processor for its features. The same code is in the archive libgcc_eh, which every gcc has.

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |what: &str| env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if target("OS") != "linux" || target("ENV") != "gnu" {
        return;
    }
    let directory = env::var("OUT_DIR").expect("cargo names a directory");
    let script = Path::new(&directory).join("libgcc_s.so");
    fs::write(script, "INPUT(-l:libgcc_eh.a)\n").expect("the directory can be written to");
    println!("cargo:rustc-link-search=native={directory}");
}
