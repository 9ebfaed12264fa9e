//! The operating-system half of winddown.
