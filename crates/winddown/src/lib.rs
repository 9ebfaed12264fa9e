//! Make every stop request reach your program.
