//! The semantics of winddown.
