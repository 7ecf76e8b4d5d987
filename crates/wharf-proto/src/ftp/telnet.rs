//! The Telnet layer under the control connection.
//!
//! RFC 959 borrows the Telnet NVT, so 0xFF is a command and not a byte of a name. No option is ever
//! agreed to (each WILL is answered DONT, each DO is answered WONT), and what cannot be understood is
//! dropped. One state byte survives a cut between two reads; nothing is ever stored of what is
//! dropped. RFC 854, RFC 1123 4.1.2.12.

/// Interpret As Command.
pub const IAC: u8 = 0xff;
/// Interrupt Process: sent in front of ABOR (RFC 959 4.1.3).
pub const IP: u8 = 0xf4;
/// Data Mark, the urgent byte of a Synch.
pub const DM: u8 = 0xf2;
/// Most octets of a sub-negotiation that are dropped; after that the bytes count as data again, so
/// that an open `IAC SB` cannot swallow a session.
pub const SUBNEGOTIATION_LIMIT: u16 = 256;

const SE: u8 = 0xf0;
const SB: u8 = 0xfa;
const WILL: u8 = 0xfb;
const WONT: u8 = 0xfc;
const DO: u8 = 0xfd;
const DONT: u8 = 0xfe;

/// Where in a Telnet command the stream stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Telnet {
    /// Ordinary bytes.
    #[default]
    Data,
    /// After IAC.
    Command,
    /// After WILL, WONT, DO or DONT; what shall be answered.
    Option {
        /// DONT or WONT.
        answer: u8,
    },
    /// Inside a sub-negotiation.
    Subnegotiation {
        /// Octets dropped so far.
        dropped: u16,
        /// The last one was IAC.
        command: bool,
    },
}

/// What one byte came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A byte of the line.
    Data(u8),
    /// Part of a Telnet command.
    Nothing,
    /// IP or DM: an ABOR may follow, perhaps without its first letter (RFC 959 4.1.3).
    Interrupt,
    /// An option was offered or asked for; this is the refusal to send.
    Answer([u8; 3]),
}

impl Telnet {
    /// Takes one byte.
    pub fn step(&mut self, byte: u8) -> Step {
        match *self {
            Self::Data if byte == IAC => {
                *self = Self::Command;
                Step::Nothing
            }
            Self::Data => Step::Data(byte),
            Self::Command => {
                *self = Self::Data;
                match byte {
                    IAC => return Step::Data(IAC),
                    IP | DM => return Step::Interrupt,
                    WILL | WONT => *self = Self::Option { answer: DONT },
                    DO | DONT => *self = Self::Option { answer: WONT },
                    SB => {
                        *self = Self::Subnegotiation {
                            dropped: 0,
                            command: false,
                        };
                    }
                    _ => {}
                }
                Step::Nothing
            }
            Self::Option { answer } => {
                *self = Self::Data;
                Step::Answer([IAC, answer, byte])
            }
            Self::Subnegotiation { dropped, command } => {
                *self = if (command && byte == SE) || dropped >= SUBNEGOTIATION_LIMIT {
                    Self::Data
                } else {
                    Self::Subnegotiation {
                        dropped: dropped + 1,
                        command: byte == IAC && !command,
                    }
                };
                Step::Nothing
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(bytes: &[u8]) -> Vec<Step> {
        let mut telnet = Telnet::default();
        bytes
            .iter()
            .map(|&byte| telnet.step(byte))
            .filter(|step| *step != Step::Nothing)
            .collect()
    }

    #[test]
    fn rpl_10_options_are_refused_and_a_doubled_iac_is_data() {
        assert_eq!(
            run(&[IAC, WILL, 1, IAC, DO, 3, IAC, IAC, b'x']),
            [
                Step::Answer([IAC, DONT, 1]),
                Step::Answer([IAC, WONT, 3]),
                Step::Data(IAC),
                Step::Data(b'x')
            ]
        );
    }

    #[test]
    fn rpl_10_a_subnegotiation_is_dropped_but_cannot_swallow_the_session() {
        assert_eq!(
            run(&[IAC, SB, 24, IAC, IAC, 1, IAC, SE, b'x']),
            [Step::Data(b'x')]
        );
        let mut endless = vec![IAC, SB];
        endless.extend_from_slice(&[7; 400]);
        assert_eq!(run(&endless).len(), 400 - 257);
    }
}
