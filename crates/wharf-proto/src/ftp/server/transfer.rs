//! RETR STOR STOU APPE LIST NLST MLSD, and the end of a transfer: ABOR (RFC 959 4.1.3).
//!
//! A transfer verb uses up REST and ALLO, whether it comes to anything or not (DAT-46). The 150 goes
//! out in a write of its own, and so does the reply after it (INT-50).

use super::{
    Action, Finished, ListStyle, Outcome, Placement, Server, Started, list_options, texts,
    work::{Transfer, Work},
};
use crate::ftp::{Protection, verb::Verb};

impl Server {
    pub(super) fn retrieve(&mut self, argument: Vec<u8>, offset: u64) {
        let action = Action::Retrieve {
            path: argument.into(),
            offset,
            representation: self.representation,
        };
        self.begin(Verb::Retr, action);
    }

    pub(super) fn store(&mut self, verb: Verb, argument: Vec<u8>, offset: u64) {
        let placement = match (verb, offset) {
            (Verb::Stou, 0) => Placement::Unique,
            (Verb::Stou, _) => return self.say(texts::UNIQUE_CANNOT_RESTART),
            (Verb::Appe, 0) => Placement::Append,
            (_, 0) => Placement::Replace,
            (_, offset) => Placement::ResumeAt(offset),
        };
        let action = Action::Store {
            path: argument.into(),
            placement,
            representation: self.representation,
            announced: self.announced.take(),
        };
        self.begin(verb, action);
    }

    pub(super) fn list(&mut self, verb: Verb, argument: &[u8]) {
        let (options, path) = match verb {
            // RFC 3659 has no options: `-a` is a name.
            Verb::Mlsd => Default::default(),
            _ => list_options::parse(argument),
        };
        let (path, style) = match verb {
            Verb::Mlsd => (argument, ListStyle::Facts(self.facts)),
            Verb::Nlst if !options.long => (path, ListStyle::Names),
            _ => (path, ListStyle::Long),
        };
        let action = Action::List {
            path: path.into(),
            style,
            options,
        };
        self.begin(verb, action);
    }

    fn begin(&mut self, verb: Verb, action: Action) {
        if self.tls_rules.require.data() && self.protection() == Protection::Clear {
            return self.say(texts::PRIVATE_DATA_ONLY);
        }
        self.emit(action);
        self.work = Work::Transfer(Transfer {
            verb,
            representation: self.representation,
            running: false,
            unique_name: Vec::new(),
        });
        self.look_for_abort();
    }

    /// ABOR when there is nothing to abort: data set-ups are closed (DAT-63).
    pub(super) fn abort_nothing(&mut self) {
        if self.is_logged_in() {
            self.emit(Action::CloseData);
        }
        self.say(texts::ABORTED);
    }

    pub(super) fn handle_transfer_outcome(&mut self, mut transfer: Transfer, outcome: Outcome) {
        match outcome {
            Outcome::Started(started) if !transfer.running => {
                self.open_transfer(&mut transfer, started);
                self.work = Work::Transfer(transfer);
                self.take_waiting_status();
            }
            Outcome::Finished(Finished::Complete { note, .. }) => {
                texts::complete(&mut self.output, &note, &transfer.unique_name);
            }
            Outcome::Finished(end) => texts::finished(&mut self.output, &end),
            Outcome::Refused(refusal) if transfer.running => {
                texts::finished(&mut self.output, &Finished::Failed(refusal));
            }
            Outcome::Refused(refusal) => {
                texts::refused(&mut self.output, transfer.verb, &refusal, &self.settings);
            }
            Outcome::DataRefused(refusal) => texts::data_refused(&mut self.output, &refusal),
            _ => self.say(texts::OUT_OF_STEP),
        }
    }

    fn open_transfer(&mut self, transfer: &mut Transfer, started: Started) {
        let opening = texts::Opening {
            verb: transfer.verb,
            representation: transfer.representation,
            already_open: self.settings.transfer_already_open_reply,
        };
        texts::started(&mut self.output, opening, &started.name, started.size);
        self.output.cut();
        transfer.running = true;
        if transfer.verb == Verb::Stou {
            transfer.unique_name = started.name;
        }
    }

    /// STATs that came right behind the transfer's command are about it.
    fn take_waiting_status(&mut self) {
        loop {
            let front = self.backlog.as_mut().and_then(|backlog| {
                let asks = backlog
                    .entries
                    .front()
                    .is_some_and(|entry| entry.asks_status());
                asks.then(|| backlog.entries.pop_front()).flatten()
            });
            let Some(entry) = front else { return };
            if !self.interject(&entry) {
                self.backlog
                    .get_or_insert_default()
                    .entries
                    .push_front(entry);
                return;
            }
        }
    }
}
