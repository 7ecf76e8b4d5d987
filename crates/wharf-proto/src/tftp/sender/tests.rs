//! Scripts for the sender (`tftp/tests/script.rs` tells their form).

use std::time::Duration;

use crate::tftp::{
    Offer, Rollover, Terms,
    tests::script::{asking_sender, serving_sender, window},
};

const ASKED: Offer = Offer {
    block_size: Some(1428),
    timeout: None,
    size: Some(70),
    window: Some(4),
};

#[test]
fn tft_30_a_plain_rrq_is_answered_with_block_1() {
    serving_sender(
        Terms::default(),
        "< blocks 1-1
         ! last 2
         > ack 1
         < blocks 2-2
         = -
         > ack 2
         = Complete",
    );
}

#[test]
fn tft_30_an_oack_waits_for_ack_0() {
    serving_sender(
        window(4),
        "< oack
         ! last 6
         > ack 1
         > ack 4
         > ack 0
         < blocks 1-4
         > ack 4
         < blocks 5-6
         > ack 6
         = Complete",
    );
}

#[test]
fn tft_31_an_empty_file_is_one_empty_block() {
    serving_sender(
        Terms::default(),
        "! last 1
         < blocks 1-1
         > ack 1
         = Complete",
    );
}

#[test]
fn the_end_may_be_told_as_late_as_the_driver_finds_it() {
    serving_sender(
        window(8),
        "< oack
         > ack 0
         < blocks 1-8
         > ack 8
         < blocks 9-16
         # The driver comes to the end while it reads for these.
         ! last 11
         # Nothing behind it is out, so this acknowledges nothing.
         > ack 12
         > ack 10
         < blocks 11-11
         > ack 11
         = Complete",
    );
    serving_sender(
        window(8),
        "< oack
         > ack 0
         < blocks 1-8
         > ack 8
         < blocks 9-16
         > ack 16
         < blocks 17-24
         ! last 16
         = Complete",
    );
}

#[test]
fn tft_32_sorcerers_apprentice_a_duplicate_ack_sends_nothing() {
    serving_sender(
        Terms::default(),
        "< blocks 1-1
         @ 1
         > ack 1
         < blocks 2-2
         > ack 1
         > ack 1
         > ack 0
         > ack 65535
         @ 19
         @ 1
         < blocks 2-2
         > ack 2
         < blocks 3-3
         > ack 2
         > ack 1",
    );
}

#[test]
fn tft_34_an_ack_inside_the_window_begins_a_full_one_behind_it() {
    serving_sender(
        window(8),
        "< oack
         @ 1
         > ack 0
         < blocks 1-8
         > ack 3
         < blocks 4-11
         # An older one, and one of what was never sent.
         > ack 2
         > ack 12
         > ack 11
         < blocks 12-19
         > ack 3
         > ack 8
         = -",
    );
}

#[test]
fn rfc_7440_an_ack_of_an_earlier_window_is_ignored_across_the_wrap() {
    for (rollover, beyond) in [(Rollover::Zero, 65_536_u64), (Rollover::One, 65_535)] {
        let terms = Terms {
            rollover,
            ..window(30_000)
        };
        let number = |block: u64| rollover.wire(block);
        serving_sender(
            terms,
            &format!(
                "< oack
                 > ack 0
                 < blocks 1-30000
                 > ack 30000
                 < blocks 30001-60000
                 > ack 60000
                 < blocks 60001-90000
                 > ack 30000
                 > ack {}
                 > ack {}
                 < blocks {}-{}",
                number(90_001),
                number(beyond + 5),
                beyond + 6,
                beyond + 30_005,
            ),
        );
    }
}

#[test]
fn rfc_7440_a_first_block_that_is_lost_is_sent_again_within_a_round_trip_and_once() {
    serving_sender(
        window(8),
        "< oack
         @ 4
         > ack 0
         < blocks 1-8
         @ 4
         > ack 8
         < blocks 9-16
         @ 4
         # The receiver saw 10 and wants 9.
         > ack 8
         > ack 8
         @ 9
         @ 1
         < blocks 9-16
         > ack 8
         @ 10
         > ack 8
         @ 9
         @ 1
         < blocks 9-16
         > ack 16
         < blocks 17-24",
    );
}

#[test]
fn tft_32_a_duplicate_ack_of_a_window_is_forgotten_when_its_next_one_comes() {
    serving_sender(
        window(8),
        "< oack
         @ 4
         > ack 0
         < blocks 1-8
         @ 4
         > ack 8
         < blocks 9-16
         > ack 8
         @ 4
         > ack 16
         < blocks 17-24
         @ 12
         @ 7
         @ 1
         < blocks 17-24",
    );
}

#[test]
fn tft_33_six_tries_then_one_error_and_the_end() {
    serving_sender(
        Terms::default(),
        "< blocks 1-1
         @ 999
         > ack 1
         < blocks 2-2
         @ 3000
         < blocks 2-2
         @ 6000
         < blocks 2-2
         @ 7999
         @ 1
         < blocks 2-2
         @ 8000
         < blocks 2-2
         @ 8000
         < blocks 2-2
         = -
         @ 8000
         < error 0 timeout
         = TimedOut { answered: true }
         @ 9000
         > ack 2",
    );
}

#[test]
fn tft_33_the_count_begins_anew_with_each_block_that_comes_over() {
    let tries = "@ 8000
         < blocks 2-2
         @ 8000
         < blocks 2-2
         @ 8000
         < blocks 2-2
         @ 8000
         < blocks 2-2
         @ 8000
         < blocks 2-2\n";
    let script = format!(
        "< blocks 1-1
         @ 999
         > ack 1
         < blocks 2-2
         {tries}> ack 2
         < blocks 3-3
         {}= -",
        tries.replace("2-2", "3-3")
    );
    serving_sender(Terms::default(), &script);
}

#[test]
fn tft_21_an_interval_is_kept_and_only_a_hint_is_quicker() {
    let terms = Terms {
        interval: Some(Duration::from_secs(3)),
        ..window(2)
    };
    serving_sender(
        terms,
        "< oack
         @ 2999
         @ 1
         < oack
         > ack 0
         < blocks 1-2
         @ 3000
         < blocks 1-2
         @ 3000
         < blocks 1-2
         > ack 1
         < blocks 2-3",
    );
}

#[test]
fn tft_09_an_opening_that_nobody_answers_goes_out_six_times_and_nothing_after_it() {
    serving_sender(
        window(64),
        "< oack
         @ 1000
         < oack
         ! repeat
         < oack
         ! repeat
         < oack
         ! repeat
         < oack
         ! repeat
         < oack
         ! repeat
         ! repeat
         @ 2000
         = TimedOut { answered: false }",
    );
    serving_sender(
        Terms::default(),
        "< blocks 1-1
         ! last 1
         @ 1000
         < blocks 1-1
         @ 2000
         < blocks 1-1
         @ 4000
         < blocks 1-1
         @ 8000
         < blocks 1-1
         @ 8000
         < blocks 1-1
         @ 8000
         = TimedOut { answered: false }",
    );
}

#[test]
fn tft_07_a_request_that_comes_again_repeats_the_opening_until_something_was_acknowledged() {
    serving_sender(
        Terms::default(),
        "! repeat
         < blocks 1-1
         ! repeat
         < blocks 1-1
         ! repeat
         < blocks 1-1
         > ack 1
         < blocks 2-2
         ! repeat",
    );
    serving_sender(
        window(4),
        "< oack
         ! repeat
         < oack
         > ack 0
         < blocks 1-4
         ! repeat",
    );
}

#[test]
fn tft_37_a_last_ack_that_never_comes_leaves_it_unconfirmed() {
    serving_sender(
        window(4),
        "< oack
         > ack 0
         ! last 3
         < blocks 1-3
         > ack 2
         < blocks 3-3
         @ 9000
         < blocks 3-3
         @ 9000
         < blocks 3-3
         @ 9000
         < blocks 3-3
         @ 9000
         < blocks 3-3
         @ 9000
         < blocks 3-3
         @ 9000
         < blocks 3-3
         @ 9000
         < blocks 3-3
         @ 9000
         < blocks 3-3
         @ 9000
         < blocks 3-3
         @ 9000
         < blocks 3-3
         @ 9000
         < blocks 3-3
         @ 9000
         < error 0 timeout
         = Unconfirmed",
    );
}

#[test]
fn tft_38_an_error_0_or_8_after_the_size_was_told_is_a_question_for_the_size() {
    for code in [0, 8] {
        let name = ["NotDefined", "OptionRefused"][usize::from(code > 0)];
        let script = |opening: &str, sized_only| {
            format!(
                "{opening}
                 > error {code} abc
                 = Refused {{ code: {name}, text: [97, 98, 99], sized_only: {sized_only} }}"
            )
        };
        serving_sender(window(4), &script("< oack", true));
        serving_sender(window(4), &script("< oack\n> ack 0\n< blocks 1-4", true));
        serving_sender(
            window(1),
            &script(
                "< oack\n> ack 0\n< blocks 1-1\n> ack 1\n< blocks 2-2",
                false,
            ),
        );
        serving_sender(Terms::default(), &script("< blocks 1-1", false));
    }
    serving_sender(
        window(4),
        "< oack
         > error 3
         = Refused { code: DiskFull, text: [], sized_only: false }",
    );
}

#[test]
fn cve_2024_2169_an_error_is_never_answered_and_ends_it_at_every_point() {
    let points = [
        "< oack",
        "< oack\n> ack 0\n< blocks 1-4",
        "< oack\n> ack 0\n< blocks 1-4\n> ack 2\n< blocks 3-6",
        "< oack\n> ack 0",
    ];
    for point in points.iter().take(3) {
        let script = format!(
            "{point}
             > error 2 no
             = Refused {{ code: AccessViolation, text: [110, 111], sized_only: false }}
             > error 2 no
             > ack 4
             ! repeat
             ! last 1
             ! fail 0 x
             @ 99999"
        );
        serving_sender(window(4), &script);
    }
}

#[test]
fn what_fails_here_is_told_once() {
    serving_sender(
        Terms::default(),
        "< blocks 1-1
         ! fail 0 shrunk
         < error 0 shrunk
         = Failed { code: NotDefined }
         > ack 1
         @ 99999
         ! fail 3 again",
    );
    // Even before anything has gone out.
    serving_sender(
        Terms::default(),
        "< blocks 1-1
         > ack 1
         < blocks 2-2
         ! fail 1 gone
         < error 1 gone",
    );
    asking_sender(
        ASKED,
        "< request
         ! fail 0 interrupted
         = Failed { code: NotDefined }",
    );
}

#[test]
fn packets_that_a_sender_does_not_expect_are_ignored() {
    serving_sender(
        window(4),
        "< oack
         > request
         > data 1 1 drop
         > oack blksize 512
         > ack 0
         < blocks 1-4
         > request
         > data 1 1 drop
         > oack blksize 512
         = -",
    );
}

#[test]
fn tft_30_a_wrq_goes_out_until_it_is_answered() {
    asking_sender(
        ASKED,
        "< request
         @ 1000
         < request
         > ack 1
         > oack blksize 1024 windowsize 2
         ! last 3
         < blocks 1-2
         # The server repeats its answer: ours is under way.
         > oack blksize 1024 windowsize 2
         > ack 0
         > ack 2
         < blocks 3-3
         > ack 3
         = Complete",
    );
    asking_sender(
        ASKED,
        "< request
         > ack 0
         < blocks 1-1
         > oack blksize 1024
         > ack 1
         < blocks 2-2",
    );
}

#[test]
fn tft_50_a_server_that_says_nothing_has_not_answered() {
    asking_sender(
        ASKED,
        "< request
         @ 1000
         < request
         @ 2000
         < request
         @ 4000
         < request
         @ 8000
         < request
         @ 8000
         < request
         @ 8000
         = TimedOut { answered: false }",
    );
}

#[test]
fn tft_51_an_oack_that_grants_what_it_may_not_is_refused_with_8() {
    asking_sender(
        ASKED,
        "< request
         > oack blksize 9000
         < error 8 expected blksize of at most 1428, got 9000
         = Violation(Larger { option: \"blksize\", asked: 1428, granted: 9000 })
         > ack 0",
    );
}

#[test]
fn a_refused_wrq_ends_at_once() {
    asking_sender(
        ASKED,
        "< request
         > error 6 exists
         = Refused { code: FileExists, text: [101, 120, 105, 115, 116, 115], sized_only: false }",
    );
}

#[test]
fn a_driver_that_was_held_up_waits_from_when_it_sent() {
    serving_sender(
        Terms::default(),
        "< blocks 1-1
         @ 999
         ! transmitted
         @ 999
         @ 1
         < blocks 1-1",
    );
}
