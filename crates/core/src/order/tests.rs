use proptest::prelude::*;

use super::*;

/// Services and their needs: `"web requires db"`, `"db"`.
fn order(lines: &[&str]) -> Result<Order, OrderError> {
    let mut services: Vec<(&str, Needs)> = Vec::new();
    for line in lines {
        let mut words = line.split(' ');
        let name = words.next().unwrap();
        if services.last().is_none_or(|(last, _)| *last != name) {
            services.push((name, Needs::default()));
        }
        let needs = &mut services.last_mut().unwrap().1;
        let (Some(need), Some(other)) = (words.next(), words.next()) else {
            continue;
        };
        match need {
            "after" => needs.after.push(other.to_owned()),
            "wants" => needs.wants.push(other.to_owned()),
            _ => needs.requires.push(other.to_owned()),
        }
    }
    Order::new(services.iter().map(|(name, needs)| (*name, needs)))
}

const SERVICES: [&str; 5] = [
    "db",
    "cache",
    "web requires db",
    "web wants cache",
    "proxy after web",
];
const DB: usize = 0;
const CACHE: usize = 1;
const WEB: usize = 2;
const PROXY: usize = 3;

#[test]
fn wd_110_a_service_starts_behind_what_it_needs() {
    use Standing::{Done, Down, Failed, Ready, Starting, Stopping, Waiting};
    let order = order(&SERVICES).unwrap();
    for (standings, web, proxy) in [
        (
            [Waiting, Waiting, Waiting, Waiting],
            Turn::Await(DB),
            Turn::Await(WEB),
        ),
        (
            [Starting, Ready, Waiting, Waiting],
            Turn::Await(DB),
            Turn::Await(WEB),
        ),
        (
            [Ready, Starting, Waiting, Waiting],
            Turn::Await(CACHE),
            Turn::Await(WEB),
        ),
        (
            [Ready, Ready, Starting, Waiting],
            Turn::Now,
            Turn::Await(WEB),
        ),
        ([Ready, Failed, Ready, Waiting], Turn::Now, Turn::Now),
        ([Ready, Down, Down, Waiting], Turn::Now, Turn::Now),
        (
            [Failed, Starting, Waiting, Waiting],
            Turn::Never(DB),
            Turn::Await(WEB),
        ),
        (
            [Starting, Failed, Failed, Waiting],
            Turn::Await(DB),
            Turn::Now,
        ),
        ([Down, Ready, Failed, Waiting], Turn::Never(DB), Turn::Now),
        ([Done, Ready, Ready, Waiting], Turn::Now, Turn::Now),
        (
            [Stopping, Ready, Stopping, Waiting],
            Turn::Await(DB),
            Turn::Await(WEB),
        ),
    ] {
        let of = |service: usize| standings[service];
        assert_eq!(order.start(WEB, of), web, "{standings:?}");
        assert_eq!(order.start(PROXY, of), proxy, "{standings:?}");
        assert_eq!(order.start(DB, of), Turn::Now);
    }
}

#[test]
fn wd_110_a_requirement_that_failed_is_told_before_a_wait() {
    let order = order(&["a", "b", "c wants a", "c requires b"]).unwrap();
    let standings = [Standing::Starting, Standing::Failed, Standing::Waiting];
    assert_eq!(order.start(2, |service| standings[service]), Turn::Never(1));
}

#[test]
fn wd_111_what_cannot_be_put_in_order_is_named() {
    let error = order(&["db", "web requires bd"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`web` names `bd` in requires, and there is no such service"
    );
    assert!(
        matches!(order(&["database", "web wants databse"]), Err(OrderError::Unknown { nearest: Some(near), .. }) if near == "database")
    );
    assert!(matches!(
        order(&["database", "web wants mail"]),
        Err(OrderError::Unknown { nearest: None, .. })
    ));
    let error = order(&["web after web"]).unwrap_err();
    assert_eq!(error.to_string(), "`web` names itself in after");
    let error = order(&["db", "web", "db"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there are two services with the name `db`"
    );
}

#[test]
fn wd_111_a_circle_is_named_in_full_and_without_those_who_wait_for_it() {
    let error = order(&[
        "base",
        "front after a",
        "a after base",
        "a requires b",
        "b wants c",
        "c after a",
        "d after c",
    ])
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "services need each other in a circle: a -> b -> c -> a"
    );
}

#[test]
fn one_that_is_named_several_times_counts_once_by_the_strongest_need() {
    let order = order(&[
        "a",
        "b after a",
        "b wants a",
        "b requires a",
        "b requires a",
    ])
    .unwrap();
    assert_eq!(order.needs(1), [(0, Need::Requires)]);
    assert_eq!(order.needed_by(0), [(1, Need::Requires)]);
}

#[test]
fn wd_112_a_service_stops_behind_whoever_needs_it() {
    use Standing::{Down, Failed, Ready, Starting, Stopping, Waiting};
    let order = order(&SERVICES).unwrap();
    for (standings, db, web) in [
        (
            [Ready, Ready, Ready, Ready],
            Turn::Await(WEB),
            Turn::Await(PROXY),
        ),
        (
            [Ready, Ready, Ready, Stopping],
            Turn::Await(WEB),
            Turn::Await(PROXY),
        ),
        ([Ready, Ready, Starting, Down], Turn::Await(WEB), Turn::Now),
        ([Ready, Ready, Failed, Waiting], Turn::Now, Turn::Now),
        (
            [Ready, Ready, Down, Starting],
            Turn::Now,
            Turn::Await(PROXY),
        ),
    ] {
        let of = |service: usize| standings[service];
        assert_eq!(order.stop(DB, of), db, "{standings:?}");
        assert_eq!(order.stop(WEB, of), web, "{standings:?}");
        assert_eq!(order.stop(PROXY, of), Turn::Now);
    }
}

#[test]
fn wd_113_each_level_has_an_equal_share_and_what_it_leaves_over_falls_to_the_next() {
    let order = order(&SERVICES).unwrap();
    let levels = order.levels(|_| Standing::Ready);
    assert_eq!(levels, [1, 1, 2, 3]);
    let own = Duration::from_secs(60);
    let seconds = Duration::from_secs;
    assert_eq!(stop_share(seconds(30), levels[PROXY], own), seconds(10));
    assert_eq!(stop_share(seconds(28), levels[WEB], own), seconds(14));
    assert_eq!(stop_share(seconds(27), levels[DB], own), seconds(27));
    assert_eq!(stop_share(seconds(30), 1, seconds(3)), seconds(3));
    assert_eq!(stop_share(seconds(30), 0, own), seconds(30));
    // What does not run takes no time.
    let without_web = [
        Standing::Ready,
        Standing::Ready,
        Standing::Down,
        Standing::Ready,
    ];
    assert_eq!(order.levels(|service| without_web[service]), [1, 1, 0, 1]);
}

/// Needs of services only upon earlier ones: no circle.
fn some_services() -> impl Strategy<Value = Vec<Vec<(usize, u8)>>> {
    prop::collection::vec(prop::collection::vec((0usize..1000, 0u8..3), 0..5), 1..40)
}

fn build(services: &[Vec<(usize, u8)>]) -> Order {
    let needs: Vec<(String, Needs)> = services
        .iter()
        .enumerate()
        .map(|(place, named)| {
            let mut needs = Needs::default();
            for (other, need) in named.iter().filter(|_| place > 0) {
                let other = (other % place).to_string();
                match need {
                    0 => needs.after.push(other),
                    1 => needs.wants.push(other),
                    _ => needs.requires.push(other),
                }
            }
            (place.to_string(), needs)
        })
        .collect();
    Order::new(needs.iter().map(|(name, needs)| (name.as_str(), needs))).unwrap()
}

/// Starts all, telling only those who need it of each that got ready; the order of the starts, and how often one was asked.
fn start_all(order: &Order, count: usize) -> (Vec<usize>, usize) {
    let mut standings = vec![Standing::Waiting; count];
    let mut asked = 0;
    let mut started = Vec::new();
    let mut turns: Vec<usize> = (0..count).collect();
    while let Some(service) = turns.pop() {
        asked += 1;
        let turn = order.start(service, |other| standings[other]);
        if standings[service] == Standing::Waiting && turn == Turn::Now {
            standings[service] = Standing::Ready;
            started.push(service);
            turns.extend(order.needed_by(service).iter().map(|(other, _)| *other));
        }
    }
    (started, asked)
}

proptest! {
    #[test]
    fn wd_110_every_service_starts_once_and_behind_all_that_it_needs(services in some_services()) {
        let order = build(&services);
        let (started, _) = start_all(&order, services.len());
        prop_assert_eq!(started.len(), services.len());
        for (at, service) in started.iter().enumerate() {
            for (other, _) in order.needs(*service) {
                prop_assert!(started[..at].contains(other));
            }
        }
    }

    #[test]
    fn wd_113_the_shares_of_a_chain_fit_into_the_budget(services in some_services(), budget in 0u64..100_000) {
        let order = build(&services);
        let budget = Duration::from_millis(budget);
        let levels = order.levels(|_| Standing::Ready);
        // Each takes all of its share: the end of each is that of the latest who needs it, and its share.
        let mut end = vec![Duration::ZERO; services.len()];
        for service in order.sorted.iter().rev() {
            let needed_by = order.needed_by(*service).iter().map(|(other, _)| end[*other]);
            let begin = needed_by.max().unwrap_or_default();
            end[*service] = begin + stop_share(budget - begin, levels[*service], Duration::MAX);
        }
        prop_assert!(end.iter().all(|end| *end <= budget));
    }
}

#[test]
fn a_thousand_services_take_time_in_proportion_to_their_needs() {
    let chain: Vec<_> = (0..1000).map(|place| vec![(place, 2)]).collect();
    let wide: Vec<_> = (0..1000)
        .map(|place| vec![(place / 2, 2), (0, 0)])
        .collect();
    for services in [chain, wide] {
        let order = build(&services);
        let needs: usize = (0..1000).map(|service| order.needs(service).len()).sum();
        let (started, asked) = start_all(&order, 1000);
        assert_eq!(started.len(), 1000);
        assert_eq!(asked, 1000 + needs);
    }
}
