//! Where the output of a service goes, and how.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// What happens to the output of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// Where it goes.
    pub to: Destination,
    /// Copies it to winddown's own standard streams as well.
    pub forward: bool,
    /// How many bytes are kept in memory for each destination while it cannot be written. When there are more, the oldest are
    /// dropped, and a line in the log says how many.
    pub buffer: usize,
}

impl LogOptions {
    /// What is kept in memory unless somebody says otherwise: 4 MiB.
    pub const BUFFER: usize = 4 * 1024 * 1024;
    /// The least that can be kept: a few of the largest pieces that are handled as one.
    pub const LEAST_BUFFER: usize = 256 * 1024;

    /// To one file, as it is, and never rotated.
    #[must_use]
    pub fn to_file(file: impl Into<PathBuf>) -> Self {
        Self {
            to: Destination::Files(Box::new(Files {
                file: file.into(),
                errors_file: None,
                format: Format::Raw,
                rotation: Rotation::default(),
            })),
            ..Self::default()
        }
    }

    /// Whether winddown reads the output at all. If not, the program writes to winddown's own streams.
    #[must_use]
    pub fn captures(&self) -> bool {
        self.to != Destination::Inherit || self.forward
    }
}

impl Default for LogOptions {
    /// Winddown's own streams, not captured.
    fn default() -> Self {
        Self {
            to: Destination::Inherit,
            forward: false,
            buffer: Self::BUFFER,
        }
    }
}

/// Where the output of a service goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// To winddown's own standard streams: the program writes to them itself.
    #[default]
    Inherit,
    /// To files.
    Files(Box<Files>),
    /// An entry for each line, to where this system keeps them: the journal, or the event log of Windows.
    SystemLog,
}

impl Destination {
    /// What it should write to and cannot, since it is there and is no file.
    pub(crate) fn not_a_file(&self) -> Option<&Path> {
        let Self::Files(files) = self else {
            return None;
        };
        let is_else = |path: &&Path| path.metadata().is_ok_and(|metadata| !metadata.is_file());
        let paths = [Some(files.file.as_path()), files.errors_file.as_deref()];
        paths.into_iter().flatten().find(is_else)
    }
}

/// The files of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The file of standard output, and of standard error unless that has its own. Its directory is made if need be.
    pub file: PathBuf,
    /// The file of standard error.
    pub errors_file: Option<PathBuf>,
    /// How lines are written.
    pub format: Format,
    /// When a new file is begun, and what happens to the old ones.
    pub rotation: Rotation,
}

impl Files {
    /// Both streams in one file, as they come, without rotation by size or time.
    #[must_use]
    pub fn new(file: PathBuf) -> Self {
        Self {
            file,
            errors_file: None,
            format: Format::default(),
            rotation: Rotation::default(),
        }
    }
}

/// How output is written to a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Byte for byte as the program wrote it.
    #[default]
    Raw,
    /// A JSON object for each line: `time`, `service`, `stream`, `text`; `base64` with the exact bytes of a line that is no UTF-8;
    /// `partial` for a piece of a line that is continued in the next object of its stream.
    Json,
    /// `TIME STREAM F TEXT` for each line, `P` for a piece of one that is continued: the format of the Kubernetes container
    /// runtime interface, which log shippers read.
    Prefixed,
}

/// When a new file is begun, and what happens to the old ones.
///
/// An old file is named after the file and the time at which it was set aside, `orders.log.2026-11-23T120000.000Z`, so that the
/// names sort by time; `.gz` follows when it is compressed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Before a file grows beyond this many bytes. A line is never split for it, unless it is a mebibyte longer than this.
    pub size: Option<u64>,
    /// With the first output in a new period of this length. Periods are counted from 1970-01-01 00:00 UTC: `1d` begins at midnight UTC, `1h`
    /// with the hour.
    pub every: Option<Duration>,
    /// Keeps this many old files.
    pub keep: Option<usize>,
    /// Keeps old files this long.
    pub keep_for: Option<Duration>,
    /// Keeps this many bytes of old files, as they are on disk.
    pub keep_total: Option<u64>,
    /// Compresses old files (gzip).
    pub compress: bool,
}
