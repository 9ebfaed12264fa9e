use winddown_core::scm::{Control, ServiceState};
use winddown_testkit::scm::ServiceConfig;

use crate::support::{Bench, proper};

/// Error 1073: a name is used once.
#[test]
fn a_service_is_created_once() {
    let bench = Bench::new();
    bench.scm.service("orders", proper());
    let again = bench.scm.create(ServiceConfig::new("orders"), proper());
    assert_eq!(again, Err(1073));
}

/// Error 1060: a stopped service without handles is gone as soon as it is deleted.
#[test]
fn a_stopped_service_is_deleted_at_once() {
    let bench = Bench::new();
    assert_eq!(bench.scm.delete("orders"), Err(1060));
    bench.scm.service("orders", proper());
    bench.scm.delete("orders").unwrap();
    assert_eq!(bench.scm.delete("orders"), Err(1060));
    bench.scm.service("orders", proper());
}

/// Error 1072, `DeleteService`: a service with open handles is only marked, and goes with the last of them.
#[test]
fn a_service_with_open_handles_is_only_marked() {
    let bench = Bench::new();
    bench.scm.service("orders", proper());
    let (one, other) = (
        bench.scm.open("orders").unwrap(),
        bench.scm.open("orders").unwrap(),
    );
    bench.scm.delete("orders").unwrap();
    assert_eq!(bench.scm.delete("orders"), Err(1072));
    assert_eq!(bench.scm.start("orders", &[]), Err(1072));
    assert_eq!(bench.scm.configure("orders", |_| {}), Err(1072));
    let again = bench.scm.create(ServiceConfig::new("orders"), proper());
    assert_eq!(again, Err(1072));
    drop(one);
    assert!(bench.scm.status("orders").is_ok());
    drop(other);
    assert_eq!(bench.scm.status("orders"), Err(1060));
}

/// Error 1072, `DeleteService`: a running service is only marked, and goes when it has stopped.
#[test]
fn a_running_service_is_only_marked() {
    let bench = Bench::new();
    bench.scm.service("orders", proper());
    bench.run("orders");
    bench.scm.delete("orders").unwrap();
    assert_eq!(bench.scm.delete("orders"), Err(1072));
    let status = bench.scm.control("orders", Control::Stop).unwrap();
    assert_eq!(status.state, ServiceState::Stopped);
    assert_eq!(bench.scm.status("orders"), Err(1060));
}

/// Error 1075: a dependency that is marked for deletion counts as deleted.
#[test]
fn a_dependency_that_is_marked_counts_as_deleted() {
    let bench = Bench::new();
    bench.scm.service("db", proper());
    let mut config = ServiceConfig::new("orders");
    config.dependencies = vec!["db".to_owned()];
    bench.scm.create(config, proper()).unwrap();
    let _handle = bench.scm.open("db").unwrap();
    bench.scm.delete("db").unwrap();
    assert_eq!(bench.scm.start("orders", &[]), Err(1075));
}
