//! What was written, and where: the TOML text with the place of every key, and what is wrong with it.
//!
//! A [`Node`] is one value together with its full name and its origin (file, environment variable or
//! the table's default), so that every complaint can say file, line and column. Complaints are
//! collected in a [`Report`]: a configuration is mended in one go, not error by error.
//!
//! This room must not know any key.

use std::{
    collections::HashMap,
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

use toml_edit::{ArrayOfTables, Item, TableLike, Value};

/// Most problems that are shown.
const MAX_PROBLEMS: usize = 50;
/// How far a word may be from a known one to be offered in its place.
const MAX_DISTANCE: usize = 3;

/// Where a value came from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// The file, with its text.
    File { path: PathBuf, text: String },
    /// An environment variable.
    Variable(String),
    /// The table of keys.
    Default,
}

impl Origin {
    /// The place of a span of the text.
    pub(super) fn place(&self, span: Option<&Range<usize>>) -> Place {
        match self {
            Self::File { path, text } => {
                let before = text
                    .get(..span.map_or(0, |span| span.start))
                    .unwrap_or(text);
                let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
                let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
                Place::File {
                    path: path.clone(),
                    line,
                    column,
                }
            }
            Self::Variable(name) => Place::Variable(name.clone()),
            Self::Default => Place::Default,
        }
    }

    /// The directory that relative paths are meant from: the file's own.
    pub(super) fn directory(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } => path.parent(),
            Self::Variable(_) | Self::Default => None,
        }
    }
}

/// Where a problem is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the file; line and column count from 1, columns in characters.
    File {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// In this environment variable.
    Variable(String),
    /// Nowhere in particular: what is missing stands nowhere.
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Default => f.write_str("configuration"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where.
    pub(crate) place: Place,
    /// What.
    pub(crate) message: String,
    /// How to mend it.
    pub(crate) hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// What was found wrong so far, where every key stood, and what the environment overrides.
#[derive(Debug, Default)]
pub(super) struct Report {
    problems: Vec<Problem>,
    places: HashMap<String, Place>,
    /// Values from the environment, by the key's full name.
    pub(super) overrides: HashMap<String, (Origin, String)>,
}

impl Report {
    /// Notes a problem at a place.
    pub(super) fn add(&mut self, place: Place, message: impl Into<String>, hint: Option<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem {
                place,
                message: message.into(),
                hint,
            });
        }
    }

    /// Notes a problem of a key by its full name, wherever that was written.
    pub(super) fn add_at(
        &mut self,
        key: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let place = self.places.get(key).cloned().unwrap_or(Place::Default);
        self.add(place, message, Some(hint.into()));
    }

    /// Remembers where a key was written.
    pub(super) fn saw(&mut self, node: &Node<'_>) {
        self.places.insert(node.name.clone(), node.place());
    }

    /// Whether a key was written somewhere.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.places
            .get(key)
            .is_some_and(|place| *place != Place::Default)
    }

    /// Whether nothing is wrong.
    pub(super) const fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// Everything that is wrong.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// An empty report with the same overrides, to try a reading in.
    pub(super) fn trial(&self) -> Self {
        Self {
            overrides: self.overrides.clone(),
            ..Self::default()
        }
    }

    /// Takes over what a trial found.
    pub(super) fn adopt(&mut self, trial: Self) {
        self.places.extend(trial.places);
        for problem in trial.problems {
            self.add(problem.place, problem.message, problem.hint);
        }
    }
}

/// One value and where it stands.
#[derive(Clone)]
pub(super) struct Node<'a> {
    /// Full name: `ftp.listen`, `user[2].name`.
    pub(super) name: String,
    pub(super) origin: &'a Origin,
    form: Form<'a>,
    span: Option<Range<usize>>,
}

#[derive(Clone)]
enum Form<'a> {
    Value(&'a Value),
    Table(&'a dyn TableLike),
    Tables(&'a ArrayOfTables),
}

impl<'a> Node<'a> {
    /// A value.
    pub(super) fn value(name: String, value: &'a Value, origin: &'a Origin) -> Self {
        let form = value
            .as_inline_table()
            .map_or(Form::Value(value), |table| Form::Table(table));
        Self {
            name,
            origin,
            form,
            span: value.span(),
        }
    }

    /// A table.
    pub(super) fn table(name: String, table: &'a toml_edit::Table, origin: &'a Origin) -> Self {
        Self {
            name,
            origin,
            form: Form::Table(table),
            span: table.span(),
        }
    }

    /// Anything that can stand behind a key; `None` for nothing.
    fn item(name: String, item: &'a Item, origin: &'a Origin) -> Option<Self> {
        Some(match item {
            Item::None => return None,
            Item::Value(value) => Self::value(name, value, origin),
            Item::Table(table) => Self::table(name, table, origin),
            Item::ArrayOfTables(tables) => Self {
                name,
                origin,
                form: Form::Tables(tables),
                span: tables.span(),
            },
        })
    }

    /// The plain value, if it is one.
    pub(super) const fn as_value(&self) -> Option<&'a Value> {
        match self.form {
            Form::Value(value) => Some(value),
            Form::Table(_) | Form::Tables(_) => None,
        }
    }

    /// The text, if it is one.
    pub(super) fn as_str(&self) -> Option<&'a str> {
        self.as_value().and_then(Value::as_str)
    }

    /// The elements, if it is a list of values or of tables.
    pub(super) fn elements(&self) -> Option<Vec<Self>> {
        let name = |at: usize| format!("{}[{at}]", self.name);
        match self.form {
            Form::Value(value) => {
                let values = value.as_array()?.iter().enumerate();
                Some(
                    values
                        .map(|(at, value)| Node::value(name(at), value, self.origin))
                        .collect(),
                )
            }
            Form::Tables(tables) => {
                let tables = tables.iter().enumerate();
                Some(
                    tables
                        .map(|(at, table)| Node::table(name(at), table, self.origin))
                        .collect(),
                )
            }
            Form::Table(_) => None,
        }
    }

    /// The keys with their places and values, if it is a table.
    pub(super) fn fields(&self) -> Option<Vec<(&'a str, Place, Self)>> {
        let Form::Table(table) = self.form else {
            return None;
        };
        let fields = table.iter().filter_map(|(key, item)| {
            let span = table.key(key).and_then(toml_edit::Key::span);
            let name = if self.name.is_empty() {
                key.to_owned()
            } else {
                format!("{}.{key}", self.name)
            };
            let node = Self::item(name, item, self.origin)?;
            Some((
                key,
                self.origin.place(span.as_ref().or(node.span.as_ref())),
                node,
            ))
        });
        Some(fields.collect())
    }

    /// Where it stands.
    pub(super) fn place(&self) -> Place {
        self.origin.place(self.span.as_ref())
    }

    /// What it is, for a complaint.
    pub(super) fn found(&self) -> String {
        match self.form {
            Form::Value(Value::String(text)) => format!("the text {:?}", text.value()),
            Form::Value(Value::Integer(number)) => format!("the number {}", number.value()),
            Form::Value(Value::Boolean(flag)) => format!("{}", flag.value()),
            Form::Value(value) => format!("a value of type {}", value.type_name()),
            Form::Table(_) => "a table".to_owned(),
            Form::Tables(_) => "a list of tables".to_owned(),
        }
    }

    /// Complains about it.
    pub(super) fn refuse(
        &self,
        report: &mut Report,
        message: impl fmt::Display,
        hint: Option<String>,
    ) {
        report.add(self.place(), format!("`{}`: {message}", self.name), hint);
    }

    /// Complains that it is of another type.
    pub(super) fn refuse_type(&self, report: &mut Report, expected: &str) {
        self.refuse(
            report,
            format_args!("expected {expected}, found {}", self.found()),
            None,
        );
    }
}

/// The known word nearest to `word`, when it is near enough to be a slip.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = MAX_DISTANCE.min(word.chars().count() / 2);
    let measured = known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate));
    measured
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= limit)
        .map(|(_, word)| word)
}

/// Insertions, removals and replacements between two words (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (above, a) in from.chars().enumerate() {
        let mut diagonal = above;
        let mut left = above + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (place, b) in row.iter_mut().skip(1).zip(to.chars()) {
            let replaced = diagonal + usize::from(a != b);
            diagonal = *place;
            left = replaced.min(*place + 1).min(left + 1);
            *place = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn a_slip_finds_its_word_and_nonsense_finds_none() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(
            nearest("idle_timout", ["idle_timeout", "login_timeout"]),
            Some("idle_timeout")
        );
        assert_eq!(nearest("colour", ["listen", "greeting"]), None);
        assert_eq!(nearest("x", ["a"]), None);
    }
}
