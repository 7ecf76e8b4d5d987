//! Numbers of blocks as they come, and the blocks that they mean (TFT-36).

use super::Rollover;

/// The widest window that is used, whatever was agreed on: up to half of the numbers an ACK of an
/// earlier window cannot be taken for one of this. A receiver that waits for more gets the rest of its
/// window after its own timeout.
pub(super) const WIDEST: u16 = 32_767;

/// How many blocks behind `from` the one with this number is, going forwards; `None`: no block after
/// `from` has that number.
pub(super) const fn distance(rollover: Rollover, from: u64, number: u16) -> Option<u16> {
    let base = rollover.wire(from);
    match rollover {
        Rollover::Zero => Some(number.wrapping_sub(base)),
        Rollover::One => match number.checked_sub(base) {
            // 0 is no block's number, only what is acknowledged before the first.
            _ if number == 0 && from != 0 => None,
            Some(distance) => Some(distance),
            None => Some(number + (u16::MAX - base)),
        },
    }
}

/// The block at or before `last` with this number, if it is one of the last `reach`.
pub(super) const fn backwards(
    rollover: Rollover,
    last: u64,
    number: u16,
    reach: u16,
) -> Option<u64> {
    let Some(forwards) = distance(rollover, last, number) else {
        return None;
    };
    let numbers: u32 = match rollover {
        Rollover::Zero => 65_536,
        Rollover::One => 65_535,
    };
    let back = if forwards == 0 {
        0
    } else {
        numbers - forwards as u32
    };
    if back < reach as u32 && last > back as u64 {
        Some(last - back as u64)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tft_36_a_distance_leads_to_the_number_it_was_taken_from() {
        for rollover in [Rollover::Zero, Rollover::One] {
            for from in [
                0, 1, 2, 65_533, 65_534, 65_535, 65_536, 65_537, 131_070, 131_072,
            ] {
                for ahead in [0_u16, 1, 2, 100, WIDEST, 65_534] {
                    let number = rollover.wire(from + u64::from(ahead));
                    let found = distance(rollover, from, number);
                    assert_eq!(found, Some(ahead), "{rollover:?} {from} {ahead}");
                }
                for back in [0_u16, 1, 2, 100] {
                    if from > u64::from(back) {
                        let block = from - u64::from(back);
                        let number = rollover.wire(block);
                        let found = backwards(rollover, from, number, 101);
                        assert_eq!(found, Some(block), "{rollover:?} {from} {back}");
                        assert_eq!(backwards(rollover, from, number, back), None);
                    }
                }
            }
        }
        assert_eq!(distance(Rollover::One, 7, 0), None);
        assert_eq!(backwards(Rollover::Zero, 0, 0, 8), None);
        assert_eq!(backwards(Rollover::One, 70_000, 0, 8), None);
    }
}
