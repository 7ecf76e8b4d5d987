//! What a person sees while bytes move: bars on a terminal, plain lines elsewhere, objects with
//! `--json`.
//!
//! Bars are drawn from the transfers' meters a few times a second; moving a byte costs nothing here.

use std::{
    collections::HashMap,
    io::{self, IsTerminal, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;
use wharf_client::{
    Answer, Error, Meter, Observer, Prompt, Question, Result, Secret, Subject, TransferId,
    Transferred, Verified,
};

use super::{json, security, ssh};

/// How often bars are drawn.
const TICK: Duration = Duration::from_millis(100);

/// Watches transfers for one command.
pub(super) struct Console {
    json: bool,
    quiet: bool,
    verbose: bool,
    may_ask: bool,
    bars: Option<MultiProgress>,
    running: Mutex<HashMap<TransferId, Running>>,
    total: Mutex<Total>,
}

struct Running {
    begin: Instant,
    bar: Option<ProgressBar>,
    done: u64,
    meter: Arc<Meter>,
}

#[derive(Default)]
struct Total {
    files: u64,
    octets: u64,
    bar: Option<ProgressBar>,
}

impl Console {
    /// Bars appear only on a terminal, and not beside JSON or a dialogue.
    pub(super) fn new(json: bool, quiet: bool, verbose: bool, may_ask: bool) -> Arc<Self> {
        let with_bars = !json && !quiet && !verbose && io::stderr().is_terminal();
        let bars = with_bars.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        Arc::new(Self {
            json,
            quiet,
            verbose,
            // Who reads JSON is no person.
            may_ask: may_ask && !json,
            bars,
            running: Mutex::new(HashMap::new()),
            total: Mutex::new(Total::default()),
        })
    }

    /// Draws the bars until the console is gone.
    pub(super) fn draw(self: &Arc<Self>) {
        if self.bars.is_none() {
            return;
        }
        let console: Weak<Self> = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(TICK);
            loop {
                tick.tick().await;
                let Some(console) = console.upgrade() else {
                    return;
                };
                console.redraw();
            }
        });
    }

    /// Several files are to come: their sum gets a line of its own.
    pub(super) fn show_total(&self) {
        let Some(bars) = &self.bars else { return };
        let style = ProgressStyle::with_template("{prefix}  {bytes}  {bytes_per_sec}  {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = bars.add(
            ProgressBar::new_spinner()
                .with_style(style)
                .with_prefix("total"),
        );
        self.total
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .bar = Some(bar);
    }

    fn redraw(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut moving = 0;
        for transfer in running.values() {
            moving += transfer.meter.octets();
            if let Some(bar) = &transfer.bar {
                bar.set_position(transfer.done + transfer.meter.octets());
            }
        }
        drop(running);
        let total = self.total.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = &total.bar {
            bar.set_prefix(format!("total {} files", total.files));
            bar.set_position(total.octets + moving);
        }
    }

    /// A line to standard error, above the bars.
    fn say(&self, text: &str) {
        match &self.bars {
            // A bar that cannot be drawn has no line to be above of.
            Some(bars) => bars.println(text).unwrap_or_default(),
            None => {
                let _ = writeln!(io::stderr().lock(), "{text}");
            }
        }
    }

    /// One JSON object on standard output.
    pub(super) fn emit(&self, value: &Value) {
        let mut output = io::stdout().lock();
        // A reader that has gone away hears nothing more.
        let _ = writeln!(output, "{value}").and_then(|()| output.flush());
    }

    /// Whether `--json` was asked for.
    pub(super) const fn is_json(&self) -> bool {
        self.json
    }

    /// Something was done that is worth a line.
    pub(super) fn tell(&self, text: &str) {
        if !self.quiet && !self.json {
            self.say(text);
        }
    }

    /// Tells a failure that does not end the command.
    pub(super) fn tell_failure(&self, url: &str, path: Option<&Path>, error: &Error) {
        if self.json {
            self.emit(&json::failed(url, path, error));
            return;
        }
        self.say(&format!("wharf: {}: {error}", error.step().name()));
        for hint in error.hints() {
            self.say(&format!("  hint: {hint}"));
        }
    }

    fn style(total: Option<u64>) -> ProgressStyle {
        let template = if total.is_some() {
            "{msg:!30} {wide_bar} {bytes:>10}/{total_bytes} {bytes_per_sec:>12} {eta:>4}"
        } else {
            "{msg:!30} {spinner} {bytes:>10} {bytes_per_sec:>12}"
        };
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the rim: how long a transfer took is told to a person"
)]
fn now() -> Instant {
    Instant::now()
}

/// The last part of a URL, for a short line.
fn short(url: &str) -> String {
    url.rsplit('/')
        .find(|part| !part.is_empty())
        .unwrap_or(url)
        .to_owned()
}

impl Observer for Console {
    fn started(
        &self,
        id: TransferId,
        subject: Subject<'_>,
        total: Option<u64>,
        done: u64,
        meter: &Arc<Meter>,
    ) {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
            let bar = bars.insert(
                0,
                bar.with_style(Self::style(total))
                    .with_message(short(subject.url)),
            );
            bar.set_position(done);
            bar.reset_eta();
            bar
        });
        let running = Running {
            begin: now(),
            bar,
            done,
            meter: Arc::clone(meter),
        };
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, running);
    }

    fn finished(&self, id: TransferId, subject: Subject<'_>, result: &Result<Transferred>) {
        let running = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
        let seconds = running
            .as_ref()
            .map_or(0.0, |running| (now() - running.begin).as_secs_f64());
        if let (Some(bar), Some(bars)) = (
            running.as_ref().and_then(|running| running.bar.as_ref()),
            &self.bars,
        ) {
            bar.finish_and_clear();
            bars.remove(bar);
        }
        match result {
            Ok(transferred) => {
                let mut total = self.total.lock().unwrap_or_else(PoisonError::into_inner);
                total.files += 1;
                total.octets += running.map_or(0, |running| running.meter.octets());
                drop(total);
                if self.json {
                    self.emit(&json::done(subject.url, subject.path, transferred, seconds));
                } else if !self.quiet {
                    self.say(&line(subject.url, transferred, seconds));
                }
            }
            Err(error) => self.tell_failure(subject.url, subject.path, error),
        }
    }

    fn retrying(&self, error: &Error, wait: Duration) {
        if self.json {
            self.emit(&json::retry(error, wait.as_secs_f64()));
        } else if !self.quiet {
            self.say(&format!(
                "{error}; trying again in {} s",
                wait.as_secs_f32()
            ));
        }
    }

    fn note(&self, text: &str) {
        if self.json {
            self.emit(&json::note(text));
        } else if !self.quiet {
            self.say(text);
        }
    }

    fn ask(&self, question: &Question) -> Answer {
        if !self.may_ask {
            return Answer::Nobody;
        }
        match &self.bars {
            Some(bars) => bars.suspend(|| security::ask(question)),
            None => security::ask(question),
        }
    }

    fn answer(&self, prompt: &Prompt) -> Option<Secret> {
        if !self.may_ask {
            return None;
        }
        match &self.bars {
            Some(bars) => bars.suspend(|| ssh::answer(prompt)),
            None => ssh::answer(prompt),
        }
    }

    fn dialogue(&self, direction: char, line: &str) {
        if self.verbose {
            self.say(&format!("{direction} {line}"));
        }
    }
}

fn line(url: &str, transferred: &Transferred, seconds: f64) -> String {
    let Transferred {
        size,
        kept,
        verified,
    } = transferred;
    let how = match verified {
        Verified::Closed => "not checked: the server tells no size".to_owned(),
        Verified::Size => "size agrees".to_owned(),
        Verified::Hash(_) => format!("size and {} agree", verified.name()),
    };
    let resumed = if *kept > 0 {
        format!(", {} were there", HumanBytes(*kept))
    } else {
        String::new()
    };
    format!(
        "{url}: {} in {seconds:.1} s{resumed}; {how}",
        HumanBytes(*size)
    )
}
