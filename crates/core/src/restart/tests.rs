use proptest::prelude::*;

use super::*;
use crate::Signal;
use crate::exit::CONTROL_C_EXIT;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_origin(Duration::from_millis(millis))
}

const SECOND: Duration = Duration::from_secs(1);
const CRASH: Ended = Ended::Code(1);

fn died_of(signal: Signal) -> Ended {
    Ended::Signal {
        number: 1,
        signal: Some(signal),
    }
}

fn rules(policy: RestartPolicy) -> RestartRules {
    RestartRules {
        policy,
        ..RestartRules::default()
    }
}

fn on_exit<const N: usize>(actions: [(&str, ExitAction); N]) -> RestartRules {
    RestartRules {
        on_exit: actions
            .map(|(pattern, action)| (pattern.parse().unwrap(), action))
            .into(),
        ..rules(RestartPolicy::OnFailure)
    }
}

fn action(rules: &RestartRules, ended: &Ended) -> ExitAction {
    rules.action(ended).0
}

#[test]
fn wd_100_the_policy_decides_about_ends_that_nothing_else_is_said_of() {
    use ExitAction::{Restart, Stop};
    let failed = Ended::Failed("it was unhealthy".to_owned());
    for (ended, on_failure) in [
        (Ended::Code(0), Stop),
        (Ended::Code(1), Restart),
        (Ended::Code(143), Restart),
        (Ended::Code(CONTROL_C_EXIT), Stop),
        (died_of(Signal::Term), Stop),
        (died_of(Signal::Pipe), Stop),
        (died_of(Signal::Quit), Restart),
        (died_of(Signal::Kill), Restart),
        (failed, Restart),
    ] {
        assert_eq!(
            action(&rules(RestartPolicy::OnFailure), &ended),
            on_failure,
            "{ended}"
        );
        assert_eq!(action(&rules(RestartPolicy::Always), &ended), Restart);
        assert_eq!(action(&rules(RestartPolicy::Never), &ended), Stop);
    }
}

#[test]
fn wd_100_a_success_of_its_own_is_no_failure() {
    let mut rules = rules(RestartPolicy::OnFailure);
    rules.success = vec!["143".parse().unwrap(), "KILL".parse().unwrap()];
    assert_eq!(action(&rules, &Ended::Code(143)), ExitAction::Stop);
    assert_eq!(action(&rules, &died_of(Signal::Kill)), ExitAction::Stop);
    assert_eq!(action(&rules, &Ended::Code(0)), ExitAction::Stop);
    assert_eq!(action(&rules, &Ended::Code(144)), ExitAction::Restart);
}

#[test]
fn wd_100_what_is_said_of_an_end_goes_before_the_policy_and_the_narrowest_counts() {
    use ExitAction::{Restart, Shutdown, Stop};
    let mut rules = on_exit([
        ("3", Stop),
        ("0", Restart),
        ("1-5", Shutdown),
        ("0-99", Stop),
        ("KILL", Shutdown),
    ]);
    for policy in [
        RestartPolicy::Always,
        RestartPolicy::OnFailure,
        RestartPolicy::Never,
    ] {
        rules.policy = policy;
        for (ended, expected) in [
            (Ended::Code(0), Restart),
            (Ended::Code(1), Shutdown),
            (Ended::Code(3), Stop),
            (Ended::Code(5), Shutdown),
            (Ended::Code(6), Stop),
            (died_of(Signal::Kill), Shutdown),
        ] {
            assert_eq!(action(&rules, &ended), expected, "{policy:?}: {ended}");
        }
    }
    let mut restarts = Restarts::new(rules);
    let shutdown = restarts.ended(at(0), &Ended::Code(4), 0.0);
    let why = "it exited with 4: on-exit 1-5".to_owned();
    assert_eq!(shutdown, Decision::Shutdown { why });
}

#[test]
fn wd_101_the_wait_grows_by_the_factor_up_to_the_cap() {
    let backoff = Backoff::default();
    let waits: Vec<_> = (0..10)
        .map(|earlier| backoff.wait(earlier, 0.0).as_millis())
        .collect();
    assert_eq!(
        waits,
        [
            200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000
        ]
    );
    assert_eq!(backoff.wait(0, 1.0), Duration::from_millis(160));
    assert_eq!(backoff.wait(u32::MAX, 1.0), Duration::from_secs(24));
    let mut restarts = Restarts::new(rules(RestartPolicy::Always));
    assert_eq!(
        restarts.ended(at(0), &CRASH, 0.0),
        Decision::Restart { at: at(200) }
    );
    assert_eq!(
        restarts.ended(at(1000), &CRASH, 0.0),
        Decision::Restart { at: at(1400) }
    );
    assert_eq!(restarts.in_a_row(), 2);
}

#[test]
fn wd_102_only_a_service_that_was_ready_for_long_begins_anew() {
    let next = |ready: Option<u64>, end: u64| {
        let mut restarts = Restarts::new(rules(RestartPolicy::Always));
        restarts.ended(at(0), &CRASH, 0.0);
        restarts.started(at(200));
        if let Some(ready) = ready {
            restarts.ready(at(ready));
            restarts.ready(at(ready + 30_000));
        }
        match restarts.ended(at(end), &CRASH, 0.0) {
            Decision::Restart { at } => at.since_origin().as_millis() - u128::from(end),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(next(Some(1000), 61_000), 200);
    assert_eq!(next(Some(1000), 60_999), 400);
    assert_eq!(next(None, 600_000), 400);
}

#[test]
fn wd_102_a_run_that_was_asked_to_end_says_nothing_of_the_next() {
    let mut restarts = Restarts::new(rules(RestartPolicy::Always));
    restarts.ended(at(0), &CRASH, 0.0);
    restarts.started(at(200));
    restarts.ready(at(300));
    restarts.started(at(100_000));
    assert_eq!(
        restarts.ended(at(100_000), &CRASH, 0.0),
        Decision::Restart { at: at(100_400) }
    );
}

#[test]
fn wd_104_a_start_is_out_of_the_window_after_its_whole_length() {
    let next = |second: u64| {
        let mut rules = rules(RestartPolicy::Always);
        rules.limit.starts = 2;
        rules.limit.within = Duration::from_millis(1000);
        let mut restarts = Restarts::new(rules);
        restarts.started(at(0));
        restarts.started(at(second));
        restarts.ended(at(second), &CRASH, 0.0)
    };
    assert_eq!(next(800), Decision::Restart { at: at(1000) });
    assert!(matches!(next(799), Decision::GiveUp { .. }));
}

#[test]
fn wd_103_a_program_that_ended_as_if_asked_stays_down_for_a_second() {
    for ended in [
        Ended::Code(0),
        Ended::Code(130),
        Ended::Code(143),
        Ended::Code(CONTROL_C_EXIT),
        died_of(Signal::Term),
        died_of(Signal::Hup),
    ] {
        let mut restarts = Restarts::new(rules(RestartPolicy::Always));
        let decision = restarts.ended(at(0), &ended, 0.0);
        assert_eq!(decision, Decision::Restart { at: at(1000) }, "{ended}");
    }
    for ended in [CRASH, died_of(Signal::Segv), died_of(Signal::Kill)] {
        let mut restarts = Restarts::new(rules(RestartPolicy::Always));
        let decision = restarts.ended(at(0), &ended, 0.0);
        assert_eq!(decision, Decision::Restart { at: at(200) }, "{ended}");
    }
}

#[test]
fn wd_104_the_start_that_would_be_too_many_is_not_made() {
    let mut restarts = Restarts::new(rules(RestartPolicy::Always));
    let mut now = at(0);
    for _ in 0..4 {
        restarts.started(now);
        match restarts.ended(now, &CRASH, 0.0) {
            Decision::Restart { at } => now = at,
            other => panic!("{other:?}"),
        }
    }
    restarts.started(now);
    let why = "started 5 times within 1m, and at last it exited with 1".to_owned();
    assert_eq!(
        restarts.ended(now, &CRASH, 0.0),
        Decision::GiveUp { why: why.clone() }
    );
    // It did not get better by being asked again, but a person may try.
    assert_eq!(restarts.ended(now, &CRASH, 0.0), Decision::GiveUp { why });
    restarts.forgive();
    restarts.started(now);
    assert_eq!(
        restarts.ended(now, &CRASH, 0.0),
        Decision::Restart {
            at: now + Duration::from_millis(200)
        }
    );
}

#[test]
fn wd_104_a_limit_within_no_time_is_none() {
    let mut rules = rules(RestartPolicy::Always);
    rules.limit.within = Duration::ZERO;
    rules.backoff.initial = Duration::ZERO;
    let mut restarts = Restarts::new(rules);
    for _ in 0..1000 {
        restarts.started(at(0));
        assert_eq!(
            restarts.ended(at(0), &CRASH, 0.5),
            Decision::Restart { at: at(0) }
        );
    }
}

fn a_backoff() -> impl Strategy<Value = Backoff> {
    (1u64..5_000, 1.0f64..10.0, 0u64..60_000, 0.0f64..=1.0).prop_map(
        |(initial, factor, more, jitter)| Backoff {
            initial: Duration::from_millis(initial),
            factor,
            max: Duration::from_millis(initial + more),
            jitter,
        },
    )
}

proptest! {
    #[test]
    fn wd_101_no_wait_is_shorter_than_the_first_less_jitter_or_longer_than_the_cap(
        backoff in a_backoff(), earlier: u32, random in 0.0f64..1.0,
    ) {
        let wait = backoff.wait(earlier, random);
        let least = backoff.initial.mul_f64(1.0 - backoff.jitter);
        prop_assert!(wait + Duration::from_nanos(1) >= least, "{:?} < {:?}", wait, least);
        prop_assert!(wait <= backoff.max);
        prop_assert!(wait <= backoff.wait(earlier.saturating_add(1), random));
    }

    #[test]
    fn a_back_off_out_of_its_ranges_is_still_bounded(
        millis in 0u64..100_000, factor: f64, max: u64, jitter: f64, earlier: u32, random: f64,
    ) {
        let max = Duration::from_millis(max);
        let backoff = Backoff { initial: Duration::from_millis(millis), factor, max, jitter };
        prop_assert!(backoff.wait(earlier, random) <= max);
    }

    #[test]
    fn wd_104_no_window_holds_more_starts_than_the_limit(
        starts in 1u32..8,
        within in 1u64..20_000,
        runs in prop::collection::vec((0u64..3_000, 0u64..500, 0.0f64..1.0, any::<bool>()), 1..80),
    ) {
        let limit = StartLimit { starts, within: Duration::from_millis(within) };
        let rules = RestartRules { limit, reset_after: SECOND, ..rules(RestartPolicy::Always) };
        let mut restarts = Restarts::new(rules);
        let (mut now, mut all) = (at(0), Vec::new());
        for (ran, late, random, ready) in runs {
            restarts.started(now);
            all.push(now);
            if ready {
                restarts.ready(now);
            }
            let ended = now + Duration::from_millis(ran);
            match restarts.ended(ended, &CRASH, random) {
                Decision::Restart { at } => now = at + Duration::from_millis(late),
                Decision::GiveUp { .. } => break,
                other => panic!("{other:?}"),
            }
        }
        for first in &all {
            let window = all.iter().filter(|start| *start >= first && start.since(*first) < limit.within);
            prop_assert!(window.count() <= starts as usize);
        }
    }

    #[test]
    fn wd_104_it_gives_up_only_where_the_window_is_full(
        starts in 1u32..6, within in 1u64..10_000, gaps in prop::collection::vec(0u64..5_000, 1..20),
    ) {
        let limit = StartLimit { starts, within: Duration::from_millis(within) };
        let rules = RestartRules { limit, ..rules(RestartPolicy::Always) };
        let mut restarts = Restarts::new(rules);
        let (mut now, mut all) = (at(0), Vec::new());
        for gap in gaps {
            now = now + Duration::from_millis(gap);
            restarts.started(now);
            all.push(now);
        }
        let next = now + Duration::from_millis(200);
        let recent = all.iter().filter(|start| next.since(**start) < limit.within).count();
        let gives_up = matches!(restarts.ended(now, &CRASH, 0.0), Decision::GiveUp { .. });
        prop_assert_eq!(gives_up, recent >= starts as usize);
    }
}
