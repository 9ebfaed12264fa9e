//! Which integration tests belong to which lane: the name of the test file says it.

use serde_json::Value;

use crate::command::Cmd;
use crate::error::Error;
use crate::session::Session;

/// Lanes whose tests are the files `tests/LANE_*.rs`. All other tests belong to the lane `unit`.
const OWN_FILES: [&str; 5] = ["linux", "loom", "pid1", "systemd", "windows"];

/// The names of the integration tests of `lane`, from every package. None at all is an error: a lane
/// that tests nothing shows nothing.
pub(crate) fn of_lane(lane: &str) -> Result<Vec<String>, Error> {
    let mut names = of_kind("test", "Cargo.toml")?;
    names.retain(|name| lane_of(name) == lane);
    if names.is_empty() {
        return Err(Error::Unusable(format!(
            "no test belongs to the lane {lane}"
        )));
    }
    Ok(names)
}

/// The names of the fuzz targets.
pub(crate) fn fuzzed() -> Result<Vec<String>, Error> {
    of_kind("bin", "fuzz/Cargo.toml")
}

fn of_kind(kind: &str, manifest: &str) -> Result<Vec<String>, Error> {
    let metadata = Cmd::cargo()
        .args(["metadata", "--no-deps", "--format-version=1"])
        .args(["--manifest-path", manifest])
        .capture()?;
    let metadata: Value = serde_json::from_str(&metadata)
        .map_err(|error| Error::Unusable(format!("`cargo metadata` is not JSON: {error}")))?;
    let mut names: Vec<String> = array(&metadata["packages"])
        .flat_map(|package| array(&package["targets"]))
        .filter(|target| array(&target["kind"]).any(|of| of == kind))
        .filter_map(|target| target["name"].as_str())
        .map(str::to_owned)
        .collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// `names` as arguments to cargo.
pub(crate) fn arguments(names: &[String]) -> impl Iterator<Item = &str> {
    names.iter().flat_map(|name| ["--test", name.as_str()])
}

/// Builds the programs that the tests of a lane start; tests of other packages than theirs get none built.
pub(crate) fn build_programs(session: &mut Session) -> Result<(), Error> {
    session.prepare(
        Cmd::cargo()
            .args(["build", "--workspace", "--bins", "--examples"])
            .limit_seconds(900),
    )
}

fn lane_of(test: &str) -> &'static str {
    OWN_FILES
        .into_iter()
        .find(|lane| {
            test.strip_prefix(lane)
                .is_some_and(|rest| rest.starts_with('_'))
        })
        .unwrap_or("unit")
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::lane_of;

    #[test]
    fn the_file_name_says_the_lane() {
        assert_eq!(lane_of("linux_signals"), "linux");
        assert_eq!(lane_of("windows_scm"), "windows");
        assert_eq!(lane_of("linuxulator"), "unit");
        assert_eq!(lane_of("spec"), "unit");
    }
}
