//! Transfer parameters: TYPE STRU MODE OPTS, PORT EPRT PASV EPSV, REST ALLO.
//!
//! Syntax is judged here; whether an address may be used, a port is free or space is there is the
//! session's. RFC 959 4.1.2, RFC 2428, RFC 3659 5, RFC 2577.

use std::net::SocketAddr;

use super::{
    Action, DataRefusal, HashAlgorithm, Representation, Server, texts,
    work::{Question, Sequence},
};
use crate::ftp::{
    command::split,
    decimal,
    facts::FactSet,
    host_port::{self, ExtendedPassive, HostPortError},
    sink::Sink,
    verb::Verb,
};

/// Most octets that ALLO may announce.
const ALLO_LIMIT: u64 = 1 << 62;

impl Server {
    pub(super) fn port(&mut self, argument: &[u8]) {
        if self.extended_only {
            return self.say(texts::AFTER_EPSV_ALL);
        }
        match host_port::parse_port(argument.trim_ascii()) {
            Ok(address) => self.set_active(SocketAddr::V4(address), Verb::Port),
            Err(_) => self.say(texts::PORT_SYNTAX),
        }
    }

    pub(super) fn extended_port(&mut self, argument: &[u8]) {
        if self.extended_only {
            return self.say(texts::AFTER_EPSV_ALL);
        }
        match host_port::parse_eprt(argument.trim_ascii()) {
            Ok(address) => self.set_active(address, Verb::Eprt),
            Err(HostPortError::UnknownFamily) => self.say(texts::UNKNOWN_FAMILY),
            Err(_) => self.say(texts::EPRT_SYNTAX),
        }
    }

    fn set_active(&mut self, address: SocketAddr, verb: Verb) {
        self.ask(Action::SetActive(address), Question::SetActive(verb));
    }

    pub(super) fn passive(&mut self) {
        if self.extended_only {
            return self.say(texts::AFTER_EPSV_ALL);
        }
        let action = Action::OpenPassive { extended: None };
        self.ask(action, Question::OpenPassive(Verb::Pasv));
    }

    pub(super) fn extended_passive(&mut self, argument: &[u8]) {
        let family = match host_port::parse_epsv(argument) {
            Ok(ExtendedPassive::Default) => None,
            Ok(ExtendedPassive::Family(family)) => Some(family),
            Ok(ExtendedPassive::All) => {
                self.extended_only = true;
                return self.say(texts::EPSV_ALL);
            }
            Err(HostPortError::UnknownFamily) => return self.say(texts::UNKNOWN_FAMILY),
            Err(_) => return self.say(texts::EPSV_SYNTAX),
        };
        let action = Action::OpenPassive {
            extended: Some(family),
        };
        self.ask(action, Question::OpenPassive(Verb::Epsv));
    }

    pub(super) fn answer_passive(&mut self, verb: Verb, address: SocketAddr) {
        let out = &mut self.output;
        match (verb, address) {
            (Verb::Pasv, SocketAddr::V4(address)) => texts::passive(out, address),
            // 227 has no room for it; the session should have said so.
            (Verb::Pasv, SocketAddr::V6(_)) => {
                texts::data_refused(out, &DataRefusal::Family { usable: &[2] });
            }
            _ => texts::extended_passive(out, address),
        }
    }

    pub(super) fn representation_type(&mut self, argument: &[u8]) {
        let mut words = argument
            .split(|&byte| byte == b' ')
            .filter(|word| !word.is_empty())
            .map(<[u8]>::to_ascii_uppercase);
        let words = (words.next(), words.next(), words.next());
        let (first, second) = (words.0.unwrap_or_default(), words.1.unwrap_or_default());
        // A third word, or a second one that the type does not know, is an error and not ignored.
        let (representation, name) = match (first.as_slice(), second.as_slice()) {
            _ if words.2.is_some() => return self.say(texts::UNSUPPORTED_TYPE),
            (b"A", b"" | b"N" | b"T" | b"C") => (Representation::Ascii, "A"),
            (b"I", b"") => (Representation::Image, "I"),
            (b"L", b"8") | (b"L8", b"") => (Representation::Image, "L 8"),
            (b"L", b"") => return self.say(texts::BAD_TYPE),
            _ => return self.say(texts::UNSUPPORTED_TYPE),
        };
        self.representation = representation;
        texts::type_set(&mut self.output, name);
    }

    pub(super) fn structure(&mut self, argument: &[u8]) {
        self.say(if argument.trim_ascii().eq_ignore_ascii_case(b"F") {
            texts::STRUCTURE_SET
        } else {
            texts::UNSUPPORTED_STRUCTURE
        });
    }

    pub(super) fn mode(&mut self, argument: &[u8]) {
        self.say(if argument.trim_ascii().eq_ignore_ascii_case(b"S") {
            texts::MODE_SET
        } else {
            texts::UNSUPPORTED_MODE
        });
    }

    pub(super) fn options(&mut self, argument: &[u8]) {
        let (feature, value) = split(argument);
        let value = value.trim_ascii();
        match feature.to_ascii_uppercase().as_slice() {
            b"UTF8" | b"UTF-8" => match value.to_ascii_uppercase().as_slice() {
                b"" | b"ON" => self.say(texts::UTF8_ON),
                b"OFF" => self.say(texts::UTF8_STAYS_ON),
                _ => self.say(texts::UNKNOWN_OPTION),
            },
            b"MLST" if !self.is_disabled(Verb::Mlst) => {
                self.facts = FactSet::parse(value);
                texts::facts_set(&mut self.output, self.facts);
            }
            b"HASH" if !self.is_disabled(Verb::Hash) => {
                if !value.is_empty() {
                    let Some(algorithm) = HashAlgorithm::find(value) else {
                        return self.say(texts::UNKNOWN_HASH);
                    };
                    self.hash = algorithm;
                }
                texts::hash_selected(&mut self.output, self.hash);
            }
            _ => self.say(texts::UNKNOWN_OPTION),
        }
    }

    pub(super) fn restart(&mut self, argument: &[u8]) {
        // Checked: no sign, no overflow (a negative offset burnt other servers).
        let Some(offset) = decimal::parse(argument.trim_ascii()) else {
            return self.say(texts::BAD_REST);
        };
        if offset > 0 {
            self.sequence = Sequence::RestartAt(offset);
        }
        texts::restart(&mut self.output, offset);
    }

    pub(super) fn allocate(&mut self, argument: &[u8]) {
        let mut words = argument
            .split(|&byte| byte == b' ')
            .filter(|word| !word.is_empty());
        let octets = words.next().unwrap_or_default();
        let well_formed = octets.iter().all(u8::is_ascii_digit) && !octets.is_empty();
        let record = match (words.next(), words.next(), words.next()) {
            (None, ..) => true,
            (Some(letter), Some(size), None) => {
                letter.eq_ignore_ascii_case(b"R") && decimal::parse(size).is_some()
            }
            _ => false,
        };
        if !well_formed || !record {
            return self.say(texts::BAD_ALLO);
        }
        self.announced = None;
        match decimal::parse(octets) {
            Some(octets) if octets <= ALLO_LIMIT => {
                self.ask(Action::Allocate { octets }, Question::Allocate(octets));
            }
            _ => self.output.put(texts::TOO_MUCH_ALLO),
        }
    }
}
