//! The section `[logs]`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::size::SizeText;
use super::text::DurationText;
use crate::logs::{Destination, Files, Format, LogOptions, Rotation};

/// Where the program's output goes. Without this section, to winddown's own streams.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawLogs", into = "RawLogs")]
#[schemars(with = "RawLogs")]
pub struct Logs(LogOptions);

impl Logs {
    /// The files that are named.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        let files = match &self.0.to {
            Destination::Files(files) => [Some(&files.file), files.errors_file.as_ref()],
            _ => [None, None],
        };
        files.into_iter().flatten().map(PathBuf::as_path)
    }

    /// The options, with relative paths taken from `directory`.
    pub(super) fn into_options(self, directory: Option<&Path>) -> LogOptions {
        let mut options = self.0;
        if let (Destination::Files(files), Some(directory)) = (&mut options.to, directory) {
            let paths = [Some(&mut files.file), files.errors_file.as_mut()];
            for path in paths.into_iter().flatten() {
                *path = directory.join(&*path);
            }
        }
        options
    }
}

/// Where the program's output goes, as it is written. Without this section, to winddown's own streams.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Logs")]
struct RawLogs {
    /// Where it goes; `file` when a file is named, else `inherit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<To>,
    /// The file of both streams, or of standard output alone where there is an `errors-file`. A relative path starts at `directory`. Where
    /// it is a symbolic link, a rotation renames the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    /// The file of standard error.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors_file: Option<PathBuf>,
    /// How lines are written to files [default: raw].
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<FormatText>,
    /// Copies the output to winddown's own streams as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    forward: Option<bool>,
    /// How much is kept in memory while a destination cannot be written [default: 4MiB]. Beyond it, the oldest is dropped, and a line
    /// in the log says how much.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "buffer"
    )]
    buffer: Option<SizeText>,
    /// When a new file is begun, and what happens to the old ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    rotate: Option<Rotate>,
}

/// Where output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "LogDestination")]
enum To {
    /// To winddown's own streams, which the program writes to itself.
    Inherit,
    /// To the file.
    File,
    /// To the journal, or the event log of Windows: an entry for each line.
    SystemLog,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "LogFormat")]
enum FormatText {
    /// Byte for byte as they are.
    Raw,
    /// A JSON object for each line.
    Json,
    /// `TIME STREAM F TEXT`, as the Kubernetes container runtime interface has it.
    Prefixed,
}

/// When a new file is begun, and what happens to the old ones.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "LogRotation")]
struct Rotate {
    /// Before a file grows beyond this size, at the end of a line.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "file_size"
    )]
    size: Option<SizeText>,
    /// With the first output in a new period of this length; `1d` begins at midnight UTC.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "period"
    )]
    every: Option<DurationText>,
    /// Keeps this many old files.
    #[serde(skip_serializing_if = "Option::is_none")]
    keep: Option<usize>,
    /// Keeps old files this long.
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_for: Option<DurationText>,
    /// Keeps this much of old files.
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_total: Option<SizeText>,
    /// Compresses old files (gzip).
    #[serde(skip_serializing_if = "Option::is_none")]
    compress: Option<bool>,
}

/// The smallest file that is worth a rotation, in bytes.
const LEAST_SIZE: u64 = 4 * 1024;
/// The most that may be kept in memory for one destination, in bytes.
const MOST_BUFFER: u64 = 1024 * 1024 * 1024;
/// The shortest period.
const LEAST_PERIOD: Duration = Duration::from_secs(60);

fn buffer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SizeText>, D::Error> {
    let range = LogOptions::LEAST_BUFFER as u64..=MOST_BUFFER;
    let size = SizeText::deserialize(deserializer)?;
    match range.contains(&size.0) {
        true => Ok(Some(size)),
        false => Err(serde::de::Error::custom(format!(
            "a buffer of {size} is out of range: use {} to {}",
            SizeText(*range.start()),
            SizeText(*range.end())
        ))),
    }
}

fn file_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SizeText>, D::Error> {
    let size = SizeText::deserialize(deserializer)?;
    match size.0 >= LEAST_SIZE {
        true => Ok(Some(size)),
        false => Err(serde::de::Error::custom(format!(
            "files of {size} are too small: use {} or more",
            SizeText(LEAST_SIZE)
        ))),
    }
}

fn period<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DurationText>, D::Error> {
    let every = DurationText::deserialize(deserializer)?;
    match every.0 >= LEAST_PERIOD && every.0.subsec_nanos() == 0 {
        true => Ok(Some(every)),
        false => Err(serde::de::Error::custom(
            "a period is a whole number of seconds, and 1m or more",
        )),
    }
}

impl TryFrom<RawLogs> for Logs {
    type Error = &'static str;

    fn try_from(raw: RawLogs) -> Result<Self, Self::Error> {
        let default_to = match raw.file {
            Some(_) => To::File,
            None => To::Inherit,
        };
        let to = match (raw.to.unwrap_or(default_to), raw.file) {
            (To::File, Some(file)) => Destination::Files(Box::new(Files {
                file,
                errors_file: raw.errors_file,
                format: raw.format.map_or(Format::Raw, Into::into),
                rotation: raw.rotate.unwrap_or_default().into(),
            })),
            (To::File, None) => return Err("`to = \"file\"` needs a `file`"),
            (_, Some(_)) => {
                return Err("`to` sends the output elsewhere than to `file`: drop one of them");
            }
            _ if raw.errors_file.is_some() || raw.format.is_some() || raw.rotate.is_some() => {
                return Err("`errors-file`, `format` and `rotate` are about a `file`: name one");
            }
            (To::Inherit, None) => Destination::Inherit,
            (To::SystemLog, None) => Destination::SystemLog,
        };
        let options = LogOptions {
            to,
            forward: raw.forward.unwrap_or(false),
            buffer: raw
                .buffer
                .and_then(|size| usize::try_from(size.0).ok())
                .unwrap_or(LogOptions::BUFFER),
        };
        match raw.buffer.is_some() && !options.captures() {
            true => {
                Err("nothing is captured that a `buffer` could hold: add `file`, `to` or `forward`")
            }
            false => Ok(Self(options)),
        }
    }
}

impl From<Logs> for RawLogs {
    fn from(Logs(options): Logs) -> Self {
        let mut raw = Self {
            forward: options.forward.then_some(true),
            buffer: (options.buffer != LogOptions::BUFFER)
                .then_some(SizeText(options.buffer as u64)),
            ..Self::default()
        };
        match options.to {
            Destination::Inherit => {}
            Destination::SystemLog => raw.to = Some(To::SystemLog),
            Destination::Files(files) => {
                let files = *files;
                raw.file = Some(files.file);
                raw.errors_file = files.errors_file;
                raw.format = (files.format != Format::Raw).then_some(files.format.into());
                raw.rotate = (files.rotation != Rotation::default()).then(|| files.rotation.into());
            }
        }
        raw
    }
}

impl From<FormatText> for Format {
    fn from(text: FormatText) -> Self {
        match text {
            FormatText::Raw => Self::Raw,
            FormatText::Json => Self::Json,
            FormatText::Prefixed => Self::Prefixed,
        }
    }
}

impl From<Format> for FormatText {
    fn from(format: Format) -> Self {
        match format {
            Format::Raw => Self::Raw,
            Format::Json => Self::Json,
            Format::Prefixed => Self::Prefixed,
        }
    }
}

impl From<Rotate> for Rotation {
    fn from(rotate: Rotate) -> Self {
        Self {
            size: rotate.size.map(|size| size.0),
            every: rotate.every.map(|every| every.0),
            keep: rotate.keep,
            keep_for: rotate.keep_for.map(|keep| keep.0),
            keep_total: rotate.keep_total.map(|keep| keep.0),
            compress: rotate.compress.unwrap_or(false),
        }
    }
}

impl From<Rotation> for Rotate {
    fn from(rotation: Rotation) -> Self {
        Self {
            size: rotation.size.map(SizeText),
            every: rotation.every.map(DurationText),
            keep: rotation.keep,
            keep_for: rotation.keep_for.map(DurationText),
            keep_total: rotation.keep_total.map(SizeText),
            compress: rotation.compress.then_some(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Definition;

    fn parse(logs: &str) -> Result<LogOptions, crate::DefinitionError> {
        let text = format!("command = [\"a\"]\ndirectory = \"/srv/a\"\n[logs]\n{logs}");
        let base = Path::new("/base");
        let definition = Definition::parse(&text, base)?;
        let written = toml::to_string(&definition).unwrap();
        assert_eq!(Definition::parse(&written, base).as_ref(), Ok(&definition));
        let mut options = definition.into_options(base, Duration::from_secs(1));
        Ok(options.services.remove(0).logs)
    }

    #[test]
    fn a_whole_section_is_read() {
        let options = parse(
            r#"
            file = "logs/a.log"
            errors-file = "/var/log/a.err"
            format = "json"
            forward = true
            buffer = "1MiB"
            rotate = { size = "50MiB", every = "1d", keep = 10, keep-for = "90d", keep-total = "1GB", compress = true }
            "#,
        );
        let expected = LogOptions {
            to: Destination::Files(Box::new(Files {
                file: "/srv/a/logs/a.log".into(),
                errors_file: Some("/var/log/a.err".into()),
                format: Format::Json,
                rotation: Rotation {
                    size: Some(50 * 1024 * 1024),
                    every: Some(Duration::from_secs(86_400)),
                    keep: Some(10),
                    keep_for: Some(Duration::from_secs(90 * 86_400)),
                    keep_total: Some(1_000_000_000),
                    compress: true,
                },
            })),
            forward: true,
            buffer: 1024 * 1024,
        };
        assert_eq!(options, Ok(expected));
    }

    #[test]
    fn a_section_of_one_line_is_enough() {
        for (logs, options) in [
            ("", LogOptions::default()),
            ("to = \"inherit\"", LogOptions::default()),
            ("file = \"/a.log\"", LogOptions::to_file("/a.log")),
            (
                "forward = true",
                LogOptions {
                    forward: true,
                    ..LogOptions::default()
                },
            ),
            (
                "to = \"system-log\"",
                LogOptions {
                    to: Destination::SystemLog,
                    ..LogOptions::default()
                },
            ),
        ] {
            assert_eq!(parse(logs), Ok(options), "{logs}");
        }
    }

    #[test]
    fn an_error_names_its_place_and_the_way_out() {
        for (logs, line, column, what) in [
            ("flie = \"a\"", 4, 1, "unknown field"),
            ("to = \"syslog\"", 4, 6, "unknown variant"),
            ("to = \"file\"", 3, 1, "needs a `file`"),
            ("to = \"inherit\"\nfile = \"a\"", 3, 1, "elsewhere"),
            ("rotate = { size = \"1MB\" }", 3, 1, "name one"),
            (
                "file = \"a\"\nerrors-file = \"a\"",
                5,
                1,
                "leave `errors-file` out",
            ),
            (
                "errors-file = \"/srv/a/b/../a\"\nfile = \"./a\"",
                4,
                1,
                "leave `errors-file` out",
            ),
            ("buffer = \"1MiB\"", 3, 1, "nothing is captured"),
            ("file = \"a\"\nbuffer = \"1kB\"", 5, 10, "256KiB to 1GiB"),
            ("file = \"a\"\nbuffer = 1000", 5, 10, "1000MiB"),
            ("file = \"a\"\nrotate = { size = \"50\" }", 5, 19, "50MiB"),
            (
                "file = \"a\"\nrotate = { size = \"50B\" }",
                5,
                19,
                "4KiB or more",
            ),
            (
                "file = \"a\"\nrotate = { every = \"1s\" }",
                5,
                20,
                "1m or more",
            ),
            ("file = \"a\"\nrotate = { keep = -1 }", 5, 19, "0 or more"),
            ("file = \"a\"\nrotate = { kep = 1 }", 5, 12, "unknown field"),
        ] {
            let error = parse(logs).unwrap_err();
            assert_eq!(
                (error.line, error.column),
                (line, column),
                "{logs}: {error:?}"
            );
            assert!(error.what.contains(what), "{logs}: {error:?}");
        }
    }
}
