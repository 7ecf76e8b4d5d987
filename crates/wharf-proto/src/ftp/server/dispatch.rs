//! From a line to the code of its verb, and from an outcome to its reply.
//!
//! The gate stands here, once: whether a verb is offered, allowed in this state and has the argument
//! it needs is read from the table before any verb's own code runs.

use std::time::Duration;

use super::{
    Action, CloseReason, LONG_LINES, Outcome, Server,
    queue::Entry,
    texts,
    work::{Question, Sequence, Transfer, Work},
};
use crate::ftp::{
    command::Command,
    sink::Sink,
    verb::{Argument, Legal, Verb},
};

impl Server {
    /// Does the next line.
    pub(super) fn execute(&mut self, entry: Entry) {
        match entry {
            Entry::Command(command) => self.dispatch(command),
            Entry::Unknown { word, foreign } => {
                self.sequence = Sequence::Free;
                if foreign && !self.is_logged_in() {
                    self.say(texts::WRONG_PROTOCOL);
                    self.close(CloseReason::WrongProtocol);
                    return;
                }
                if self.settings.command_events {
                    self.emit(Action::CommandSeen {
                        verb: "?",
                        argument: word,
                    });
                }
                if !self.count_unknown() {
                    self.say(texts::UNKNOWN_VERB);
                }
            }
            Entry::Malformed { in_verb } => {
                self.sequence = Sequence::Free;
                if !self.count_unknown() {
                    self.say(if in_verb {
                        texts::BAD_BYTES_IN_VERB
                    } else {
                        texts::BAD_BYTES
                    });
                }
            }
            Entry::TooLong => {
                self.sequence = Sequence::Free;
                self.long_lines += 1;
                if self.long_lines >= LONG_LINES {
                    self.close_for_abuse(texts::TOO_MANY_ERRORS);
                } else {
                    self.say(texts::LINE_TOO_LONG);
                }
            }
        }
    }

    fn dispatch(&mut self, command: Command) {
        let Command { verb, argument } = command;
        if self.settings.command_events {
            self.tell_command(verb, &argument);
        }
        let sequence = std::mem::take(&mut self.sequence);
        if let Some(refusal) = self.gate(verb, &argument) {
            if sequence.survives(verb, &argument) {
                self.sequence = sequence;
            }
            self.say(refusal);
            return;
        }
        let restart = match &sequence {
            Sequence::RestartAt(offset) => *offset,
            _ => 0,
        };
        match verb {
            Verb::Rnto => return self.rename_to(argument, sequence),
            Verb::Retr => return self.retrieve(argument, restart),
            Verb::Stor | Verb::Appe | Verb::Stou => return self.store(verb, argument, restart),
            _ => {}
        }
        if sequence.survives(verb, &argument) {
            self.sequence = sequence;
        }
        match verb {
            Verb::User => self.user(argument),
            Verb::Pass => self.password(argument),
            Verb::Acct => self.account(),
            Verb::Rein => self.reinitialize(),
            Verb::Quit => self.quit(),
            Verb::Cwd => {
                self.ask(
                    Action::ChangeDirectory(argument.into()),
                    Question::FileAction(verb),
                );
            }
            Verb::Cdup => self.ask(Action::ParentDirectory, Question::FileAction(verb)),
            Verb::Pwd => self.ask(Action::CurrentDirectory, Question::CurrentDirectory),
            Verb::Port => self.port(&argument),
            Verb::Eprt => self.extended_port(&argument),
            Verb::Pasv => self.passive(),
            Verb::Epsv => self.extended_passive(&argument),
            Verb::Type => self.representation_type(&argument),
            Verb::Stru => self.structure(&argument),
            Verb::Mode => self.mode(&argument),
            Verb::Opts => self.options(&argument),
            Verb::Help => self.help(&argument),
            Verb::Feat => {
                let (hidden, facts, hash) = (self.settings.hidden(), self.facts, self.hash);
                texts::features(&mut self.output, hidden, facts, hash);
            }
            Verb::Syst => self.say(texts::SYSTEM),
            Verb::Noop => texts::okay(&mut self.output, verb),
            Verb::Stat => self.status(&argument),
            Verb::Abor => self.abort_nothing(),
            Verb::Allo => self.allocate(&argument),
            Verb::Rest => self.restart(&argument),
            Verb::Rnfr => self.rename_from(argument),
            Verb::Dele => self.ask(
                Action::RemoveFile(argument.into()),
                Question::FileAction(verb),
            ),
            Verb::Rmd => self.ask(
                Action::RemoveDirectory(argument.into()),
                Question::FileAction(verb),
            ),
            Verb::Mkd => self.ask(
                Action::MakeDirectory(argument.into()),
                Question::MakeDirectory,
            ),
            Verb::List | Verb::Nlst | Verb::Mlsd => self.list(verb, &argument),
            Verb::Mlst => self.facts_of(argument),
            Verb::Size => self.size(argument),
            Verb::Mdtm => self.modification_time(argument),
            Verb::Mfmt => self.set_modification_time(&argument),
            Verb::Site => self.site(&argument),
            Verb::Hash => self.hash(argument),
            Verb::Xcrc | Verb::Xmd5 | Verb::Xsha1 | Verb::Xsha256 | Verb::Xsha512 => {
                self.bare_hash(verb, &argument);
            }
            Verb::Auth => self.auth(&argument),
            Verb::Pbsz => self.protection_buffer(&argument),
            Verb::Prot => self.protect(&argument),
            Verb::Ccc => self.clear_command_channel(),
            Verb::Clnt => {
                self.emit(Action::ClientName(argument));
                self.say(texts::NOTED);
            }
            // The gate has answered 502; these were taken out above.
            _ => self.say(texts::NOT_OFFERED),
        }
    }

    /// Why a command is not even looked at.
    fn gate(&self, verb: Verb, argument: &[u8]) -> Option<&'static [u8]> {
        let row = verb.row();
        if row.syntax.is_none() {
            return Some(texts::NOT_OFFERED);
        }
        if self.is_disabled(verb) {
            return Some(texts::DISABLED);
        }
        if let Some(refusal) = self.refuse_in_the_clear(verb, argument) {
            return Some(refusal);
        }
        match row.legal {
            Legal::LoggedIn if !self.is_logged_in() => return Some(texts::LOGIN_FIRST),
            Legal::AfterUser if !matches!(self.login, super::Login::AwaitPassword { .. }) => {
                return Some(texts::USER_FIRST);
            }
            _ => {}
        }
        match row.argument {
            Argument::None if !argument.trim_ascii().is_empty() => Some(texts::NO_ARGUMENT),
            Argument::Required if argument.is_empty() => Some(texts::ARGUMENT_MISSING),
            _ => None,
        }
    }

    /// For the event log, without secrets (RPL-09).
    fn tell_command(&mut self, verb: Verb, argument: &[u8]) {
        let hides = verb.is_secret() || (verb == Verb::Site && super::site::is_secret(argument));
        let argument = if hides {
            b"****".to_vec()
        } else {
            argument.to_vec()
        };
        self.emit(Action::CommandSeen {
            verb: verb.name(),
            argument,
        });
    }

    fn help(&mut self, argument: &[u8]) {
        let hidden = self.settings.hidden();
        let (word, rest) = crate::ftp::command::split(argument);
        match Verb::find(word) {
            _ if word.is_empty() => texts::help(&mut self.output, hidden),
            Some(Verb::Site) if !self.is_disabled(Verb::Site) => match rest.trim_ascii() {
                b"" => texts::help_site(&mut self.output),
                name => texts::help_site_verb(&mut self.output, name),
            },
            verb => texts::help_verb(&mut self.output, verb, hidden),
        }
    }

    /// What may not wait while something runs: ABOR, STAT without a path, and REIN's 120. True when
    /// the line is used up (RPL-30, RPL-31).
    pub(super) fn interject(&mut self, entry: &Entry) -> bool {
        if entry.is(Verb::Abor) && self.can_abort() && (self.aborts == 0 || self.waiting() == 0) {
            self.tell_interjection(entry);
            self.abort();
            return true;
        }
        let Work::Transfer(Transfer { running: true, .. }) = self.work else {
            return false;
        };
        if entry.asks_status() && !self.is_disabled(Verb::Stat) {
            self.tell_interjection(entry);
            self.statuses = self.statuses.saturating_add(1);
            self.emit(Action::Status);
            return true;
        }
        if entry.is(Verb::Rein) && self.waiting() == 0 && !self.is_disabled(Verb::Rein) {
            self.say(texts::REINITIALIZE_WAITS);
        }
        false
    }

    fn tell_interjection(&mut self, entry: &Entry) {
        if let Entry::Command(command) = entry
            && self.settings.command_events
        {
            self.tell_command(command.verb, &command.argument);
        }
    }

    fn can_abort(&self) -> bool {
        if self.is_disabled(Verb::Abor) {
            return false;
        }
        match &self.work {
            Work::Transfer(_) => true,
            Work::Asking(question) => question.verb().row().effect.long,
            Work::Idle => false,
        }
    }

    fn abort(&mut self) {
        if self.aborts == 0 {
            self.emit(Action::Abort);
        }
        self.aborts = self.aborts.saturating_add(1);
    }

    /// A long action was given out: an ABOR that waits already is meant for it (RPL-31).
    pub(super) fn look_for_abort(&mut self) {
        if !self.can_abort() {
            return;
        }
        let waiting = self.backlog.as_mut();
        if let Some(entry) =
            waiting.and_then(|backlog| backlog.remove(|entry| entry.is(Verb::Abor)))
        {
            self.tell_interjection(&entry);
            self.abort();
        }
    }

    /// The reply to a question.
    pub(super) fn answer(&mut self, question: Question, outcome: Outcome) {
        if matches!(question, Question::Login | Question::Identify) {
            return self.handle_login_outcome(&question, outcome);
        }
        let verb = question.verb();
        let outcome = match outcome {
            Outcome::Refused(refusal) => {
                return texts::refused(&mut self.output, verb, &refusal, &self.settings);
            }
            Outcome::DataRefused(refusal) => {
                return texts::data_refused(&mut self.output, &refusal);
            }
            // A long action that was aborted (DAT-65).
            Outcome::Finished(end) if verb.row().effect.long => {
                return texts::finished(&mut self.output, &end);
            }
            outcome => outcome,
        };
        let out = &mut self.output;
        match (question, outcome) {
            (Question::NextUser(user), Outcome::Done) => self.handle_logout_outcome(Some(user)),
            (Question::Reinitialize, Outcome::Done) => self.handle_logout_outcome(None),
            (Question::StartTls(mechanism), Outcome::Done) => self.start_tls(mechanism),
            (Question::FileAction(verb), Outcome::Done) => texts::file_action_done(out, verb),
            (Question::CurrentDirectory, Outcome::Path(path)) => {
                texts::current_directory(out, &path)
            }
            (Question::MakeDirectory, Outcome::Path(path)) => texts::directory_made(out, &path),
            (Question::RenameFrom(path), Outcome::Done) => {
                self.sequence = Sequence::RenameFrom(path);
                self.say(texts::RENAME_READY);
            }
            (Question::SetActive(verb), Outcome::Done) => texts::okay(out, verb),
            (Question::OpenPassive(verb), Outcome::Passive(address)) => {
                self.answer_passive(verb, address);
            }
            (
                Question::StatPath,
                Outcome::Lines {
                    lines,
                    directory,
                    truncated,
                },
            ) => texts::status_listing(out, &lines, directory, truncated),
            (Question::Status, Outcome::Status(status)) => {
                let protection = self.protection_shown();
                texts::status(&mut self.output, &status, self.representation, protection);
            }
            (Question::Facts(name), Outcome::Facts { facts, path }) => {
                texts::facts(out, &name, &facts, &path);
            }
            (Question::Size, Outcome::Number(number)) => texts::number(out, number),
            (Question::Time, Outcome::Time(time)) => texts::time(out, time),
            (Question::SetTime(path), Outcome::Time(time)) => texts::time_set(out, time, &path),
            (Question::Hash(algorithm, path), Outcome::Digest { hex, start, end }) => {
                texts::hash(out, algorithm, &hex, (start, end), &path);
            }
            (Question::BareHash(_), Outcome::Digest { hex, .. }) => texts::bare_hash(out, &hex),
            (Question::Allocate(octets), Outcome::Done) => {
                self.announced = (octets > 0).then_some(octets);
                texts::okay(out, Verb::Allo);
            }
            (Question::Allocate(octets), Outcome::Superfluous) => {
                self.announced = (octets > 0).then_some(octets);
                self.say(texts::SUPERFLUOUS);
            }
            (Question::Site(name), Outcome::Done | Outcome::Time(_)) => texts::site_okay(out, name),
            (Question::Umask(set), Outcome::Number(mask)) => texts::umask(out, mask, set),
            (Question::IdleLimit(set), Outcome::Number(seconds)) => {
                texts::idle_limit(out, seconds, set);
                if set {
                    self.idle_timeout = Duration::from_secs(seconds);
                }
            }
            _ => out.put(texts::OUT_OF_STEP),
        }
    }
}
