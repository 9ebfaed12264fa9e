//! Supervise any program.
