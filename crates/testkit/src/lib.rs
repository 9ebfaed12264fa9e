//! Test how a program stops.
