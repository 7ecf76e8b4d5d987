//! Times as FTP writes them: `YYYYMMDDHHMMSS[.fraction]`, always UTC (RFC 3659 2.3).
//!
//! Pure calendar arithmetic on the proleptic Gregorian calendar; no clock and no zone is read here.
//! Rendering is by hand because a listing of 100 000 entries renders 100 000 of them.

use thiserror::Error;

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// First and last second that fourteen digits can express: 0001-01-01 and 9999-12-31T23:59:59.
const FIRST: i64 = -62_135_596_800;
const LAST: i64 = 253_402_300_799;

/// Why a time could not be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TimeError {
    /// Not fourteen digits with an optional fraction.
    #[error("a time is written YYYYMMDDHHMMSS, optionally with a fraction such as .25")]
    Form,
    /// Such a month, day or hour does not exist.
    #[error("there is no such date or time in the calendar")]
    Calendar,
}

/// A point in time, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FtpTime {
    seconds: i64,
    nanoseconds: u32,
}

/// A date and time of day, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// 1 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

impl FtpTime {
    /// From seconds since 1970 and nanoseconds within the second. Nanoseconds beyond a second and
    /// years beyond 1..=9999 are cut to the nearest that can be written.
    pub const fn new(seconds: i64, nanoseconds: u32) -> Self {
        let seconds = if seconds < FIRST {
            FIRST
        } else if seconds > LAST {
            LAST
        } else {
            seconds
        };
        let nanoseconds = if nanoseconds > 999_999_999 {
            999_999_999
        } else {
            nanoseconds
        };
        Self {
            seconds,
            nanoseconds,
        }
    }

    /// Seconds since 1970-01-01T00:00:00Z; negative before.
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds within the second, below 1 000 000 000.
    pub const fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// The same time without its fraction.
    pub const fn whole_seconds(self) -> Self {
        Self {
            seconds: self.seconds,
            nanoseconds: 0,
        }
    }

    /// Reads `YYYYMMDDHHMMSS[.fraction]`. A leap second (60) counts as 59; digits of the fraction
    /// beyond the ninth are dropped.
    ///
    /// # Errors
    /// [`TimeError`]: not this form, or no such date.
    pub fn parse(text: &[u8]) -> Result<Self, TimeError> {
        let (digits, rest) = text.split_at_checked(14).ok_or(TimeError::Form)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(TimeError::Form);
        }
        let number = |from: usize, to: usize| {
            digits.get(from..to).map_or(0, |part| {
                part.iter()
                    .fold(0_u16, |sum, &digit| sum * 10 + u16::from(digit - b'0'))
            })
        };
        let small = |from: usize| u8::try_from(number(from, from + 2)).unwrap_or(u8::MAX);
        let calendar = Calendar {
            year: number(0, 4),
            month: small(4),
            day: small(6),
            hour: small(8),
            minute: small(10),
            second: if small(12) == 60 { 59 } else { small(12) },
        };
        let nanoseconds = match rest.split_first() {
            None => 0,
            Some((b'.', fraction)) if !fraction.is_empty() => {
                if !fraction.iter().all(u8::is_ascii_digit) {
                    return Err(TimeError::Form);
                }
                let nine = fraction.iter().copied().chain(std::iter::repeat(b'0'));
                nine.take(9)
                    .fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'))
            }
            Some(_) => return Err(TimeError::Form),
        };
        Ok(Self {
            seconds: calendar.seconds().ok_or(TimeError::Calendar)?,
            nanoseconds,
        })
    }

    /// Writes the fourteen digits.
    pub fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.digits());
    }

    /// The fourteen digits.
    pub fn digits(self) -> [u8; 14] {
        let at = Calendar::of(self.seconds);
        let century = two(at.year / 100);
        let year = two(at.year % 100);
        let month = two(at.month.into());
        let day = two(at.day.into());
        let hour = two(at.hour.into());
        let minute = two(at.minute.into());
        let second = two(at.second.into());
        [
            century.0, century.1, year.0, year.1, month.0, month.1, day.0, day.1, hour.0, hour.1,
            minute.0, minute.1, second.0, second.1,
        ]
    }

    /// Writes the fourteen digits and, when there is one, the fraction without trailing zeros.
    pub fn encode_with_fraction(self, out: &mut Vec<u8>) {
        self.encode(out);
        if self.nanoseconds > 0 {
            let fraction = format!(".{:09}", self.nanoseconds);
            out.extend_from_slice(fraction.trim_end_matches('0').as_bytes());
        }
    }
}

/// Two decimal digits of a number below 100.
fn two(number: u16) -> (u8, u8) {
    let digit = |value: u16| b'0' + u8::try_from(value % 10).unwrap_or(0);
    (digit(number / 10), digit(number))
}

impl Calendar {
    /// Takes seconds since 1970 apart; beyond the years 1 to 9999 the nearest end.
    pub fn of(seconds: i64) -> Self {
        let seconds = seconds.clamp(FIRST, LAST);
        let days = seconds.div_euclid(DAY);
        let rest = u32::try_from(seconds.rem_euclid(DAY)).unwrap_or(0);
        // Counted from 0000-03-01, so that the leap day is the last of its year.
        let shifted = u32::try_from(days + 719_468).unwrap_or(0);
        let era = shifted / 146_097;
        let day_of_era = shifted % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        let year = era * 400 + year_of_era + u32::from(month <= 2);
        let byte = |value: u32| u8::try_from(value).unwrap_or(0);
        Self {
            year: u16::try_from(year).unwrap_or(9_999),
            month: byte(month),
            day: byte(day),
            hour: byte(rest / 3_600),
            minute: byte(rest / 60 % 60),
            second: byte(rest % 60),
        }
    }

    /// Seconds since 1970, or `None` when there is no such date or time of day.
    pub fn seconds(self) -> Option<i64> {
        if !(1..=9_999).contains(&self.year)
            || !(1..=12).contains(&self.month)
            || self.day == 0
            || self.day > days_of_month(self.year, self.month)
            || self.hour > 23
            || self.minute > 59
            || self.second > 59
        {
            return None;
        }
        let month = i64::from(self.month);
        let year = i64::from(self.year) - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let shifted_month = if month > 2 { month - 3 } else { month + 9 };
        let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * 146_097 + day_of_era - 719_468;
        Some(
            days * DAY
                + i64::from(self.hour) * 3_600
                + i64::from(self.minute) * 60
                + i64::from(self.second),
        )
    }
}

/// Days of a month (28 to 31); 0 when there is no such month.
pub fn days_of_month(year: u16, month: u8) -> u8 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc_3659_times_are_read_and_written() {
        let time = FtpTime::parse(b"19980615100045.014").unwrap();
        assert_eq!(
            (time.seconds(), time.nanoseconds()),
            (897_904_845, 14_000_000)
        );
        let mut out = Vec::new();
        time.encode_with_fraction(&mut out);
        assert_eq!(out, b"19980615100045.014");
        assert_eq!(FtpTime::parse(b"19700101000000").unwrap().seconds(), 0);
        assert_eq!(&FtpTime::new(951_782_400, 0).digits(), b"20000229000000");
    }

    #[test]
    fn mfmt_sixty_seconds_count_as_fifty_nine() {
        assert_eq!(
            &FtpTime::parse(b"20161231235960").unwrap().digits(),
            b"20161231235959"
        );
    }

    #[test]
    fn impossible_dates_are_refused() {
        for text in [
            &b"20010229000000"[..],
            b"20011301000000",
            b"20010100000000",
            b"20010101240000",
            b"20010101006000",
            b"00000101000000",
            b"20010101000061",
        ] {
            assert_eq!(FtpTime::parse(text), Err(TimeError::Calendar), "{text:?}");
        }
        for text in [
            &b"2001010100000"[..],
            b"20010101000000.",
            b"20010101000000x",
            b"2001010100000a",
            b"",
        ] {
            assert_eq!(FtpTime::parse(text), Err(TimeError::Form), "{text:?}");
        }
    }

    #[test]
    fn far_times_are_cut_to_what_can_be_written() {
        assert_eq!(&FtpTime::new(i64::MAX, 0).digits(), b"99991231235959");
        assert_eq!(&FtpTime::new(i64::MIN, 0).digits(), b"00010101000000");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(seconds in FIRST..=LAST, nanoseconds in 0_u32..1_000_000_000) {
            let time = FtpTime::new(seconds, nanoseconds);
            let mut out = Vec::new();
            time.encode_with_fraction(&mut out);
            prop_assert_eq!(FtpTime::parse(&out), Ok(time));
            prop_assert_eq!(Calendar::of(seconds).seconds(), Some(seconds));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = FtpTime::parse(&bytes);
        }
    }
}
