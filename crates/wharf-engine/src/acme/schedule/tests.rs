//! When orders come, with every time given.

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn at(days: u32) -> SystemTime {
    SystemTime::UNIX_EPOCH + DAY * (20_000 + days)
}

fn rate_limited() -> Error {
    Error::Refused {
        kind: "rateLimited".to_owned(),
        detail: String::new(),
    }
}

fn unreachable() -> Error {
    Error::Unreachable(String::new())
}

#[test]
fn an_order_is_due_in_the_window_and_not_before() {
    let due = |now| due(now, at(0), at(90), DAY * 30);
    assert_eq!(due(at(0)), Ok(DAY * 60));
    assert_eq!(due(at(59)), Ok(DAY));
    assert_eq!(due(at(60)), Err(Reason::Renewal));
    assert_eq!(due(at(89)), Err(Reason::Renewal));
    assert_eq!(due(at(200)), Err(Reason::Renewal));
}

#[test]
fn a_short_lived_certificate_is_renewed_in_its_last_third() {
    let due = |now| due(now, at(0), at(6), DAY * 30);
    assert_eq!(due(at(0)), Ok(DAY * 4));
    assert_eq!(due(at(4)), Err(Reason::Renewal));
}

#[test]
fn a_certificate_with_no_life_is_due_but_orders_no_storm() {
    assert_eq!(due(at(5), at(9), at(5), DAY), Err(Reason::Renewal));
    assert!(Schedule::default().pause() >= HOUR);
}

#[test]
fn waits_double_up_to_a_cap_and_differ_a_little() {
    let mut schedule = Schedule::default();
    let mut least = FIRST_WAIT;
    for _ in 0..100 {
        let wait = schedule.failed(at(0), &unreachable(), None);
        assert!(wait >= least && wait <= least + least / 4, "{wait:?}");
        least = (least * 2).min(LONGEST_WAIT);
    }
    schedule.succeeded();
    assert!(schedule.failed(at(0), &unreachable(), None) < 2 * FIRST_WAIT);
}

#[test]
fn nothing_is_ordered_before_the_wait_is_over() {
    let mut schedule = Schedule::default();
    assert_eq!(schedule.held_back(at(0)), None);
    let wait = schedule.failed(at(0), &unreachable(), None);
    assert_eq!(schedule.held_back(at(0)), Some(wait));
    assert_eq!(schedule.held_back(at(0) + wait), None);
}

#[test]
fn the_directory_may_ask_for_longer_but_not_for_shorter() {
    let asked = |wait| Schedule::default().failed(at(0), &rate_limited(), Some(wait));
    assert_eq!(asked(Wait::For(DAY * 7)), DAY * 7);
    assert_eq!(asked(Wait::Until(at(3))), DAY * 3);
    assert_eq!(asked(Wait::For(DAY * 1000)), LONGEST_ASKED);
    assert!(asked(Wait::For(Duration::from_secs(1))) >= HOUR);
    assert!(asked(Wait::Until(SystemTime::UNIX_EPOCH)) >= HOUR);
}

#[test]
fn a_clock_that_was_set_back_does_not_hold_orders_for_years() {
    let mut schedule = Schedule::default();
    schedule.failed(at(4000), &unreachable(), None);
    assert_eq!(schedule.held_back(at(0)), None);
}
