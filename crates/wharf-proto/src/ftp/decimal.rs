//! Decimal numbers without the formatting machinery.
//!
//! A listing of 100 000 lines writes half a million numbers and every reply may hold one; a digit
//! loop over a stack buffer is several times faster than `format!` and never allocates. Reading is
//! here too, because every number of the protocol must be *checked*: no sign, no blank, no overflow.

use super::sink::Sink;

/// Appends `number` in decimal.
pub fn push(out: &mut impl Sink, number: u64) {
    let (digits, start) = digits(number);
    out.put(digits.get(start..).unwrap_or_default());
}

/// Appends `number`, right-justified with spaces to at least `width` (at most 20) columns.
pub fn push_right(out: &mut impl Sink, number: u64, width: usize) {
    let (digits, start) = digits(number);
    let from = start.min(20_usize.saturating_sub(width));
    out.put(digits.get(from..).unwrap_or_default());
}

/// The digits, right-justified in twenty columns of spaces, and where they begin.
pub fn digits(mut number: u64) -> ([u8; 20], usize) {
    let mut buffer = [b' '; 20];
    let mut start = 20;
    for place in buffer.iter_mut().rev() {
        *place = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    (buffer, start)
}

/// Reads a decimal number: digits only, leading zeros allowed, `None` when it does not fit.
pub fn parse(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |sum, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_justified() {
        let mut out = Vec::new();
        push_right(&mut out, 7, 3);
        push_right(&mut out, 12345, 3);
        push_right(&mut out, u64::MAX, 0);
        assert_eq!(out, b"  71234518446744073709551615");
    }

    #[test]
    fn signs_blanks_and_overflow_are_refused() {
        for bad in [
            "",
            "-1",
            "+1",
            " 1",
            "1 ",
            "0x1",
            "18446744073709551616",
            "99999999999999999999999",
        ] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse(b"000000000000000000000000000007"), Some(7));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(number: u64) {
            let mut out = Vec::new();
            push(&mut out, number);
            prop_assert_eq!(parse(&out), Some(number));
            prop_assert_eq!(out, number.to_string().into_bytes());
        }
    }
}
