//! Variables as they are written: files of them, and texts that refer to them.

mod file;
mod template;

pub use file::{ParseError, parse};
pub use template::{Template, TemplateError};

#[cfg(test)]
mod tests;
