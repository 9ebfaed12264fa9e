//! PostgreSQL with data in a place of its own.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Place, skip};

/// The newest server that Debian's package has installed. Without it a test is skipped, in CI it fails.
pub(crate) fn find() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let newest = versions
        .into_iter()
        .flatten()
        .filter_map(|version| Some(version.ok()?.path().join("bin/postgres")))
        .filter(|server| server.is_file())
        .max();
    if newest.is_none() {
        skip("PostgreSQL is not installed");
    }
    newest
}

/// What the server must run as: it refuses to run as root.
pub(crate) fn user() -> Option<&'static str> {
    let is_root = rustix::process::geteuid().is_root();
    is_root.then_some("postgres")
}

/// What runs a command as that user.
pub(crate) fn as_its_user() -> Vec<String> {
    match user() {
        Some(user) => vec![
            "setpriv".to_owned(),
            format!("--reuid={user}"),
            format!("--regid={user}"),
            "--clear-groups".to_owned(),
        ],
        None => vec!["env".to_owned()],
    }
}

/// Makes an empty database; where it is.
pub(crate) fn make(place: &Place, server: &Path) -> PathBuf {
    if user().is_some() {
        let everyone = PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(place.directory.path(), everyone).unwrap();
    }
    let data = place.path("data");
    let as_user = as_its_user();
    let mut initdb = place.command(&as_user[0], &as_user[1..]);
    initdb
        .arg(server.with_file_name("initdb"))
        .args(["--no-sync", "--auth=trust", "--username=postgres"])
        .arg("--pgdata")
        .arg(&data);
    let made = initdb.output().unwrap();
    assert!(made.status.success(), "{made:?}");
    data
}

/// The server of that database, at this port of the loopback.
pub(crate) fn command(place: &Place, server: &Path, port: &str) -> Vec<String> {
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let (data, sockets) = (place.path("data"), place.directory.path());
    [
        path(server),
        "-D".into(),
        path(&data),
        "-h".into(),
        "127.0.0.1".into(),
        "-p".into(),
        port.to_owned(),
        "-k".into(),
        path(sockets),
    ]
    .into()
}
