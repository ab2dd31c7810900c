//! The model, checked in every order of events; and that each safeguard is needed.

use comboi_model::{Mistake, Protocol};
use stateright::{Checker, HasDiscoveries, Model};

/// How many states there are, up to so many, and which properties did not hold in one of them.
fn check(protocol: Protocol, most: usize) -> (usize, Vec<&'static str>) {
    let checker = protocol
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::AnyFailures)
        .target_state_count(most)
        .spawn_bfs()
        .join();
    let found = checker.discoveries();
    let broken = found
        .keys()
        .filter(|name| !name.starts_with("all runs end"));
    (checker.unique_state_count(), broken.copied().collect())
}

/// Every state there is.
fn check_all(protocol: Protocol) {
    let all = usize::MAX;
    let ends = protocol.clone().checker().threads(2).spawn_bfs().join();
    assert!(
        ends.discoveries()
            .contains_key("all runs end, whatever has happened"),
        "{protocol:?}"
    );
    let (states, broken) = check(protocol.clone(), all);
    assert_eq!(broken, Vec::<&str>::new(), "{protocol:?}");
    assert!(states > 10_000, "only {states} states of {protocol:?}");
}

/// Small worlds, in which one kind of trouble after the other is looked at from all sides.
fn small() -> Protocol {
    Protocol {
        runs: 1,
        sweeps: 0,
        deliveries: 2,
        gives_up: false,
        vacuums: false,
        ..Protocol::default()
    }
}

#[test]
fn an_executor_that_dies_and_one_that_lives_on_without_its_message() {
    check_all(small());
}

#[test]
fn two_timers_and_drivers_that_die() {
    check_all(Protocol {
        drivers: 2,
        drivers_die: true,
        rows: 1,
        lost_leases: 0,
        sweeps: 1,
        ..small()
    });
}

#[test]
fn two_runs_and_an_executor_that_dies() {
    check_all(Protocol {
        runs: 2,
        rows: 1,
        lost_leases: 0,
        ..small()
    });
}

/// The first million states of a world in which everything happens at once, in the order of their distance from the beginning.
#[test]
fn everything_at_once() {
    let (states, broken) = check(Protocol::default(), 1_000_000);
    assert_eq!(broken, Vec::<&str>::new());
    assert!(states >= 300_000, "only {states} states");
}

#[test]
fn every_safeguard_is_needed() {
    for (mistake, expected) in [
        (Mistake::CheckpointFirst, "no row is lost, none is doubled"),
        (Mistake::BlindCommit, "no row is lost, none is doubled"),
        (Mistake::NoFence, "silver is of the versions of its run"),
        (Mistake::SharedNames, "every file of a version is there"),
        (Mistake::VacuumByAge, "every file of a version is there"),
        (Mistake::DeletedFirst, "what is quiet has ended"),
        (Mistake::NoSweep, "what is quiet has ended"),
        (Mistake::ClosedByLastTask, "a closed run has all receipts"),
        (Mistake::BlindPlan, "a slot has one run"),
        (
            Mistake::NewestInputs,
            "silver is of the versions of its run",
        ),
    ] {
        let protocol = protocol_for(mistake);
        let (states, broken) = check(protocol, 6_000_000);
        assert!(
            broken.contains(&expected),
            "{mistake:?}: {broken:?} in {states} states"
        );
    }
}

/// The smallest world in which a mistake shows.
fn protocol_for(mistake: Mistake) -> Protocol {
    let mistaken = Protocol {
        mistake: Some(mistake),
        ..small()
    };
    match mistake {
        Mistake::BlindPlan => Protocol {
            drivers: 2,
            runs: 2,
            ..mistaken
        },
        Mistake::VacuumByAge => Protocol {
            vacuums: true,
            ..mistaken
        },
        Mistake::NoSweep => Protocol {
            drivers_die: true,
            ..mistaken
        },
        // Somebody who still works for a run that was given up.
        Mistake::NewestInputs | Mistake::NoFence => Protocol {
            runs: 2,
            gives_up: true,
            deaths: 0,
            lost_leases: 0,
            ..mistaken
        },
        _ => mistaken,
    }
}
