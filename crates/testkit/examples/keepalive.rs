//! Runs until its standard input is closed.
//!
//! Wine stops all services when the last ordinary program has ended; this is that program while
//! tests run. Whoever holds the other end of its input ends it, however that one dies.

fn main() -> std::io::Result<()> {
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).map(|_| ())
}
