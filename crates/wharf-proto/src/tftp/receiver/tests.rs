//! Scripts for the receiver (`tftp/tests/script.rs` tells their form).

use crate::tftp::{
    Offer, Rollover, Terms,
    tests::script::{asking_receiver, serving_receiver, window},
};

const ASKED: Offer = Offer {
    block_size: Some(1428),
    timeout: None,
    size: Some(0),
    window: Some(4),
};

#[test]
fn tft_30_a_plain_wrq_is_answered_with_ack_0() {
    serving_receiver(
        Terms::default(),
        "< ack 0
         > data 1 512 keep
         < ack 1
         > data 2 511 last
         = -
         ! settle
         < ack 2
         @ 19999
         = -
         @ 1
         = Complete",
    );
}

#[test]
fn tft_31_an_exact_multiple_ends_with_an_empty_block() {
    serving_receiver(
        Terms::default(),
        "< ack 0
         > data 1 512 keep
         < ack 1
         > data 2 0 last
         ! settle
         < ack 2",
    );
}

#[test]
fn tft_37_the_last_ack_waits_for_the_file_to_be_stored() {
    serving_receiver(
        Terms::default(),
        "< ack 0
         > data 1 0 last
         # The client repeats its block while the disk is slow.
         @ 4000
         > data 1 0 drop
         @ 60000
         > data 1 0 drop
         ! settle
         < ack 1
         > data 1 0 drop
         < ack 1
         > data 1 0 drop
         < ack 1
         > error 0 what
         = Complete
         > data 1 0 drop",
    );
}

#[test]
fn tft_37_a_window_that_comes_again_while_lingering_is_answered_once() {
    serving_receiver(
        window(4),
        "< oack
         > data 1 512 keep
         > data 2 512 keep
         > data 3 1 last
         ! settle
         < ack 3
         > data 1 512 drop
         < ack 3
         > data 2 512 drop
         > data 3 1 drop
         @ 1000
         > data 1 512 drop
         < ack 3
         > data 3 1 drop
         > data 4 1 drop",
    );
}

#[test]
fn a_disk_that_fails_at_the_end_is_told_in_place_of_the_last_ack() {
    serving_receiver(
        Terms::default(),
        "< ack 0
         > data 1 3 last
         ! fail 3 full
         < error 3 full
         = Failed { code: DiskFull }
         ! settle
         > data 1 3 drop",
    );
    serving_receiver(
        Terms::default(),
        "< ack 0
         > data 1 3 last
         ! settle
         < ack 1
         # Too late: the result stands.
         ! fail 3 full
         = -",
    );
}

#[test]
fn tft_32_each_duplicate_block_is_acknowledged_again() {
    serving_receiver(
        Terms::default(),
        "< ack 0
         > data 1 512 keep
         < ack 1
         > data 1 512 drop
         < ack 1
         > data 1 512 drop
         < ack 1
         > data 2 512 keep
         < ack 2
         # Older than the last: nobody waits for it.
         > data 1 512 drop
         > data 0 512 drop
         > data 4 512 drop",
    );
}

#[test]
fn tft_34_a_window_has_one_ack_and_a_gap_has_one() {
    serving_receiver(
        window(4),
        "< oack
         @ 1
         > data 1 512 keep
         > data 2 512 keep
         > data 3 512 keep
         > data 4 512 keep
         < ack 4
         > data 5 512 keep
         > data 7 512 drop
         < ack 5
         > data 8 512 drop
         > data 6 512 keep
         # 8 was sent before the sender knew of the gap.
         > data 8 512 drop
         > data 7 512 keep
         > data 8 512 keep
         > data 9 512 keep
         < ack 9",
    );
}

#[test]
fn tft_34_a_gap_at_the_first_block_of_a_window_has_its_ack_too() {
    serving_receiver(
        window(4),
        "< oack
         @ 1
         > data 2 512 drop
         < ack 0
         > data 3 512 drop
         > data 4 512 drop
         > data 1 512 keep
         > data 2 512 keep
         > data 3 512 keep
         > data 4 512 keep
         < ack 4
         > data 6 512 drop
         < ack 4",
    );
}

#[test]
fn tft_34_the_lost_tail_of_a_window_is_asked_for_after_a_round_trip() {
    serving_receiver(
        window(4),
        "< oack
         @ 4
         > data 1 512 keep
         > data 2 512 keep
         @ 19
         @ 1
         < ack 2
         > data 3 512 keep
         > data 4 512 keep
         > data 5 512 keep
         > data 6 512 keep
         < ack 6",
    );
}

#[test]
fn rfc_7440_a_window_that_was_here_is_acknowledged_only_if_nothing_new_comes() {
    serving_receiver(
        window(2),
        "< oack
         @ 4
         > data 1 512 keep
         > data 2 512 keep
         < ack 2
         > data 1 512 drop
         > data 2 512 drop
         @ 4
         > data 3 512 keep
         > data 4 512 keep
         < ack 4
         # The last ACK is lost.
         > data 3 512 drop
         > data 4 512 drop
         @ 12
         < ack 4
         > data 3 512 drop
         @ 12
         @ 8
         < ack 4",
    );
}

#[test]
fn tft_33_what_does_not_come_is_asked_for_six_times_then_one_error() {
    serving_receiver(
        Terms::default(),
        "< ack 0
         > data 1 512 keep
         < ack 1
         @ 1000
         < ack 1
         @ 2000
         < ack 1
         @ 4000
         < ack 1
         @ 8000
         < ack 1
         @ 8000
         < ack 1
         @ 7999
         @ 1
         < error 0 timeout
         = TimedOut { answered: true }
         > data 2 512 drop",
    );
}

#[test]
fn tft_33_strays_keep_no_transaction_alive() {
    let strays = "> data 4 512 drop
         > data 3 512 drop
         @ 8000
         < ack 0\n";
    let script = format!(
        "< oack
         > data 2 512 drop
         < ack 0
         {}> data 4 512 drop
         @ 8000
         < error 0 timeout",
        strays.repeat(5)
    );
    serving_receiver(window(4), &script);
}

#[test]
fn tft_09_a_client_that_says_nothing_gets_six_openings_and_nothing_after_them() {
    serving_receiver(
        Terms::default(),
        "< ack 0
         @ 1000
         < ack 0
         ! repeat
         < ack 0
         @ 2000
         < ack 0
         @ 4000
         < ack 0
         ! repeat
         < ack 0
         ! repeat
         @ 8000
         = TimedOut { answered: false }",
    );
}

#[test]
fn tft_07_a_wrq_that_comes_again_repeats_the_opening_until_block_1_came() {
    serving_receiver(
        window(2),
        "! repeat
         < oack
         ! repeat
         < oack
         > data 1 512 keep
         ! repeat",
    );
}

#[test]
fn tft_36_a_number_of_another_rollover_stalls_and_mixes_nothing_up() {
    for (rollover, other) in [(Rollover::Zero, 1), (Rollover::One, 0)] {
        let terms = Terms {
            rollover,
            window: 1,
            size: Some(1),
            ..Terms::default()
        };
        let mut script = "< oack\n".to_owned();
        for block in 1..=65_535 {
            script += &format!("> data {block} 512 keep\n< ack {block}\n");
        }
        let wrapped = rollover.wire(65_536);
        script += &format!("> data {other} 512 drop\n> data {wrapped} 512 keep\n< ack {wrapped}\n");
        serving_receiver(terms, &script);
    }
}

#[test]
fn tft_51_an_rrq_goes_out_until_it_is_answered_and_the_oack_is_acknowledged() {
    asking_receiver(
        ASKED,
        "< request
         @ 1000
         < request
         > oack blksize 1024 windowsize 2 tsize 5000
         < ack 0
         # ACK 0 is lost: the server repeats.
         > oack blksize 1024 windowsize 2 tsize 5000
         < ack 0
         > data 1 1024 keep
         > oack blksize 1024 windowsize 2 tsize 5000
         > data 2 1024 keep
         < ack 2
         > data 3 5 last
         ! settle
         < ack 3",
    );
}

#[test]
fn tft_50_a_server_without_options_answers_with_block_1() {
    asking_receiver(
        ASKED,
        "< request
         > data 2 512 drop
         > data 1 512 keep
         < ack 1
         > oack blksize 1024
         > data 2 1 last
         ! settle
         < ack 2",
    );
}

#[test]
fn tft_51_an_oack_that_was_not_asked_for_is_refused_with_8() {
    asking_receiver(
        Offer::default(),
        "< request
         > oack blksize 1024
         < error 8 expected no option \"blksize\": it was not asked for
         = Violation(Unasked { name: \"blksize\" })
         > data 1 512 drop",
    );
}

#[test]
fn a_block_that_is_larger_than_agreed_on_ends_it() {
    serving_receiver(
        Terms::default(),
        "< ack 0
         > data 1 513 drop
         < error 4 block larger than agreed on
         = Failed { code: IllegalOperation }",
    );
}

#[test]
fn cve_2024_2169_an_error_is_never_answered_and_ends_it_at_every_point() {
    let points = [
        "< oack",
        "< oack\n> data 1 512 keep",
        "< oack\n> data 1 512 keep\n> data 2 512 keep\n< ack 2",
        "< oack\n> data 1 5 last",
    ];
    for point in points {
        let script = format!(
            "{point}
             > error 2 no
             = Refused {{ code: AccessViolation, text: [110, 111], sized_only: false }}
             > error 2 no
             > data 1 512 drop
             ! repeat
             ! settle
             ! fail 0 x
             @ 99999"
        );
        serving_receiver(window(2), &script);
    }
    asking_receiver(
        ASKED,
        "< request
         > error 1 none
         = Refused { code: FileNotFound, text: [110, 111, 110, 101], sized_only: false }
         @ 99999",
    );
}

#[test]
fn packets_that_a_receiver_does_not_expect_are_ignored() {
    serving_receiver(
        window(2),
        "< oack
         > ack 0
         > request
         > oack blksize 512
         > data 1 512 keep
         > ack 1
         > oack blksize 512
         = -",
    );
}
