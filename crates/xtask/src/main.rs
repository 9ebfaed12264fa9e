//! Test lanes, benchmarks and generated files: `cargo xtask --help`.
fn main() {}
