//! What a forked child failed at before its program ran, and how it tells its parent.

use std::io;

use rustix::io::Errno;

use super::SpawnOptions;
use super::image::Image;
use crate::Error;

/// What the child was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Tree,
    Descriptors,
    Group,
    Setting,
    DieWithParent,
    Directory,
    Exec,
}

const STEPS: [Step; 7] = [
    Step::Tree,
    Step::Descriptors,
    Step::Group,
    Step::Setting,
    Step::DieWithParent,
    Step::Directory,
    Step::Exec,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) step: Step,
    /// Which of the settings, for that step.
    pub(super) setting: u8,
    pub(super) errno: Errno,
}

impl Failure {
    pub(super) fn at(step: Step) -> impl FnOnce(Errno) -> Self {
        move |errno| Self {
            step,
            setting: 0,
            errno,
        }
    }

    pub(super) fn to_bytes(self) -> [u8; 6] {
        let [a, b, c, d] = self.errno.raw_os_error().to_ne_bytes();
        [self.step as u8, self.setting, a, b, c, d]
    }

    /// `None` where the child said nothing: it became its program.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [step, setting, errno @ ..] = <[u8; 6]>::try_from(bytes).ok()?;
        Some(Self {
            step: *STEPS.get(usize::from(step))?,
            setting,
            errno: Errno::from_raw_os_error(i32::from_ne_bytes(errno)),
        })
    }

    pub(super) fn explain(self, options: &SpawnOptions, image: &Image<'_>) -> Error {
        let program = options.program.to_string_lossy().into_owned();
        let source = io::Error::from(self.errno);
        let what = match self.step {
            Step::Setting => return image.settings[usize::from(self.setting)].failed(source),
            Step::Exec if self.errno == Errno::AGAIN => {
                return Error::Setting {
                    what: format!("run {program}"),
                    source,
                    remedy: Some("its user has as many processes as RLIMIT_NPROC allows"),
                };
            }
            // The file was there: what is missing is its interpreter.
            Step::Exec => return Error::NotExecutable { program, source },
            Step::Directory => {
                return Error::Directory {
                    program,
                    directory: options.directory.clone().unwrap_or_default(),
                    source,
                };
            }
            Step::Tree => format!("moving {program} into its cgroup"),
            Step::Descriptors => format!("passing descriptors to {program}"),
            Step::Group => format!("making a session or group for {program}"),
            Step::DieWithParent => format!("tying {program} to this process"),
        };
        Error::os(what, source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_whole() {
        for step in STEPS {
            let failure = Failure {
                step,
                setting: 7,
                errno: Errno::PERM,
            };
            assert_eq!(Failure::from_bytes(&failure.to_bytes()), Some(failure));
        }
        assert_eq!(Failure::from_bytes(&[]), None);
    }
}
