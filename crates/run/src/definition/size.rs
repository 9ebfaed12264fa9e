//! Sizes as people write them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::text::quantity;

/// A number of bytes as text: `50MiB`, `10MB`, `512B`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SizeText(pub(super) u64);

/// The units, the largest first.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

fn parse(text: &str) -> Result<u64, String> {
    let trimmed = text.trim();
    let split = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(trimmed.len());
    let (number, unit) = (&trimmed[..split], trimmed[split..].trim_start());
    let parsed: f64 = number.parse().map_err(|_| {
        format!("`{text}` has no number: write a number and a unit, such as 50MiB, 10MB or 512B")
    })?;
    if unit.is_empty() && parsed != 0.0 {
        return Err(format!(
            "`{text}` has no unit: write {number}MiB, or use B, kB, KiB, MB, MiB, GB, GiB, TB or TiB"
        ));
    }
    // As `KB` and `mb` are written elsewhere.
    let known = UNITS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit));
    let factor = match known {
        _ if unit.is_empty() => 1,
        Some((_, factor)) => *factor,
        None => {
            return Err(format!(
                "`{unit}` in `{text}` is no unit of size: use B, kB, KiB, MB, MiB, GB, GiB, TB or TiB"
            ));
        }
    };
    let bytes = match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(factor),
        Err(_) => {
            let bytes = parsed * factor as f64;
            (bytes < i64::MAX as f64).then_some(bytes as u64)
        }
    };
    bytes
        .filter(|bytes| i64::try_from(*bytes).is_ok())
        .ok_or_else(|| format!("`{text}` is larger than any disk"))
}

impl fmt::Display for SizeText {
    /// Exactly, in the largest unit that gives a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let divides = |(_, factor): &&(&str, u64)| self.0 > 0 && self.0 % factor == 0;
        let (unit, factor) = UNITS.iter().find(divides).unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

impl<'de> Deserialize<'de> for SizeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        quantity(deserializer, "MiB", parse).map(Self)
    }
}

impl Serialize for SizeText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for SizeText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "a number and B, kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024)",
            "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*([kKmMgGtT][iI]?)?[bB]\s*$|^\s*0\s*$"
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_unit_is_read() {
        for (text, bytes) in [
            ("0", 0),
            ("512B", 512),
            ("1kB", 1_000),
            ("1KB", 1_000),
            ("4KiB", 4_096),
            ("1.5 MB", 1_500_000),
            ("50MiB", 50 << 20),
            ("2GB", 2_000_000_000),
            ("1gib", 1 << 30),
            ("1TB", 1_000_000_000_000),
            ("1TiB", 1 << 40),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn bad_text_names_the_remedy() {
        for (text, says) in [
            ("", "number"),
            ("MB", "number"),
            ("-1MB", "number"),
            ("50", "50MiB"),
            ("5 floppies", "floppies"),
            ("5M", "`M`"),
            ("99999999TiB", "disk"),
            ("9999999.5TiB", "disk"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bytes in prop_oneof![0..=i64::MAX as u64, (0..1u64 << 20).prop_map(|n| n * 1024)]) {
            prop_assert_eq!(parse(&SizeText(bytes).to_string()), Ok(bytes));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = parse(&text);
        }
    }
}
