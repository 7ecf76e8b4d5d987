//! The form of the table of keys.
//!
//! `section!` takes one section of the table (name, type, default, range, live or restart, doc of
//! every key) and makes of it the struct that the program works with, the reader that checks it,
//! and the rows of the reference and the schema. Nothing about a key is said twice.

use serde_json::{Map, Value as Json, json};
use toml_edit::Value;

use super::raw::{Node, Origin, Place, Report, nearest};

/// One row of the table.
pub(super) struct Key {
    /// The last part of its name.
    pub(super) name: &'static str,
    /// Its type in words.
    pub(super) words: fn() -> String,
    /// Its type as JSON schema.
    pub(super) schema: fn() -> Json,
    /// The keys of the table that it holds, if it holds one or a list of them.
    pub(super) fields: &'static [Self],
    /// What holds when it is not written.
    pub(super) default: Default,
    /// Least and greatest value, in the unit of the key.
    pub(super) range: Option<(u64, u64)>,
    /// When a change takes effect.
    pub(super) apply: Apply,
    /// Lines of its documentation.
    pub(super) doc: &'static [&'static str],
}

impl Key {
    /// The documentation in one line.
    pub(super) fn text(&self) -> String {
        self.doc
            .iter()
            .map(|line| line.trim())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// What holds when a key is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Default {
    /// This TOML value.
    Toml(&'static str),
    /// Nothing: the key means something only when it is there.
    None,
    /// It has to be written.
    Required,
}

/// When a change of a key takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Apply {
    /// With a reload, for sessions that begin after it.
    Live,
    /// With the next start.
    Restart,
}

/// A type that a key can have.
pub(super) trait Setting: Sized {
    /// Whether it is a list, which an environment variable writes with commas.
    const LIST: bool = false;
    /// The keys, if it is a table or a list of tables.
    const FIELDS: &'static [Key] = &[];

    /// The type in words.
    fn words() -> String;

    /// The type as JSON schema.
    fn schema() -> Json;

    /// Reads it; what is wrong goes to the report, and then there is no value.
    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self>;

    /// What a key without default is when it is not written.
    fn absent() -> Option<Self> {
        None
    }

    /// The number that the key's range is about.
    fn number(&self) -> Option<u64> {
        None
    }

    /// Names of keys under `name` that differ from `other` and take effect with a restart only.
    fn restart_changes(&self, _other: &Self, _name: &str, _changes: &mut Vec<String>) {}
}

/// The keys of one table while they are read.
pub(super) struct Fields<'a, 'r> {
    name: String,
    place: Place,
    written: Vec<(&'a str, Node<'a>)>,
    report: &'r mut Report,
}

impl<'a, 'r> Fields<'a, 'r> {
    /// The keys of `node`; those that are not in the table of keys are reported.
    pub(super) fn of(
        node: &Node<'a>,
        known: &'static [Key],
        report: &'r mut Report,
    ) -> Option<Self> {
        let Some(fields) = node.fields() else {
            node.refuse_type(report, "a table");
            return None;
        };
        let mut written = Vec::with_capacity(fields.len());
        for (key, place, field) in fields {
            if known.iter().any(|known| known.name == key) {
                written.push((key, field));
                continue;
            }
            let hint = match nearest(key, known.iter().map(|known| known.name)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "known here: {}",
                    known
                        .iter()
                        .map(|key| key.name)
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            };
            report.add(place, format!("unknown key `{}`", field.name), Some(hint));
        }
        Some(Self {
            name: node.name.clone(),
            place: node.place(),
            written,
            report,
        })
    }

    /// Reads one key: from the environment, else as written, else its default.
    pub(super) fn take<T: Setting>(&mut self, key: &'static Key) -> Option<T> {
        let name = if self.name.is_empty() {
            key.name.to_owned()
        } else {
            format!("{}.{}", self.name, key.name)
        };
        if let Some((origin, text)) = self.report.overrides.get(&name).cloned() {
            self.overridden(key, &name, &origin, &text)
        } else if let Some((_, node)) = self
            .written
            .iter()
            .find(|(written, _)| *written == key.name)
        {
            read_checked(key, node, self.report)
        } else {
            self.default(key, name)
        }
    }

    fn default<T: Setting>(&mut self, key: &'static Key, name: String) -> Option<T> {
        match key.default {
            Default::Toml(text) => {
                let value: Value = text.parse().ok()?;
                T::read(&Node::value(name, &value, &Origin::Default), self.report)
            }
            Default::None => T::absent(),
            Default::Required => {
                self.report.add(
                    self.place.clone(),
                    format!("`{name}` is missing"),
                    Some(key.text()),
                );
                None
            }
        }
    }

    /// A variable holds TOML, or plain text, or a list with commas: whichever the type takes.
    fn overridden<T: Setting>(
        &mut self,
        key: &'static Key,
        name: &str,
        origin: &Origin,
        text: &str,
    ) -> Option<T> {
        let plain = if T::LIST {
            Value::from(
                text.split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty())
                    .collect::<toml_edit::Array>(),
            )
        } else {
            Value::from(text)
        };
        let as_toml = text.parse::<Value>().ok().map(|value| {
            let mut trial = self.report.trial();
            let read = read_checked::<T>(
                key,
                &Node::value(name.to_owned(), &value, origin),
                &mut trial,
            );
            (read, trial)
        });
        let mut trial = self.report.trial();
        let as_text = read_checked::<T>(
            key,
            &Node::value(name.to_owned(), &plain, origin),
            &mut trial,
        );
        // Where both are wrong, the complaint about the TOML value is the nearer one.
        let (read, trial) = match as_toml {
            Some((read, of_toml)) if of_toml.is_clean() || !trial.is_clean() => (read, of_toml),
            _ => (as_text, trial),
        };
        self.report.adopt(trial);
        read
    }
}

fn read_checked<T: Setting>(key: &'static Key, node: &Node<'_>, report: &mut Report) -> Option<T> {
    report.saw(node);
    let value = T::read(node, report)?;
    if let (Some((least, most)), Some(number)) = (key.range, value.number())
        && !(least..=most).contains(&number)
    {
        node.refuse(
            report,
            format_args!("must be from {least} to {most}, found {}", node.found()),
            Some(key.text()),
        );
        return None;
    }
    Some(value)
}

/// The schema of a table with these keys.
pub(super) fn table_schema(keys: &'static [Key]) -> Json {
    let mut properties = Map::new();
    for key in keys {
        let mut schema = (key.schema)();
        if let Some(fields) = schema.as_object_mut() {
            fields.insert("description".to_owned(), key.text().into());
            if let Default::Toml(text) = key.default
                && key.fields.is_empty()
                && let Some(default) = text.parse::<Value>().ok().as_ref().and_then(to_json)
            {
                fields.insert("default".to_owned(), default);
            }
            if let (Some((least, most)), Some("integer")) =
                (key.range, fields.get("type").and_then(Json::as_str))
            {
                fields.insert("minimum".to_owned(), least.into());
                fields.insert("maximum".to_owned(), most.into());
            }
        }
        properties.insert(key.name.to_owned(), schema);
    }
    let required: Vec<_> = keys
        .iter()
        .filter(|key| key.default == Default::Required)
        .map(|key| key.name)
        .collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties, "required": required })
}

fn to_json(value: &Value) -> Option<Json> {
    Some(match value {
        Value::String(text) => text.value().as_str().into(),
        Value::Integer(number) => (*number.value()).into(),
        Value::Boolean(flag) => (*flag.value()).into(),
        Value::Array(values) => values
            .iter()
            .map(to_json)
            .collect::<Option<Vec<_>>>()?
            .into(),
        Value::Float(_) | Value::Datetime(_) | Value::InlineTable(_) => return None,
    })
}

/// One section: the struct, its reader and its rows.
///
/// `name: Type = default [in least..=most], Live|Restart;` with a doc comment on each. The default
/// is TOML text, `none` (with `Option`) or `required`.
macro_rules! section {
    (@default none) => { $crate::config::section::Default::None };
    (@default required) => { $crate::config::section::Default::Required };
    (@default $toml:literal) => { $crate::config::section::Default::Toml($toml) };
    (@range) => { None };
    (@range $least:literal $most:literal) => { Some(($least, $most)) };
    (
        $(#[doc = $text:literal])+
        $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $key:ident: $type:ty = $default:tt $(in $least:literal..=$most:literal)?, $apply:ident;
            )+
        }
    ) => {
        $(#[doc = $text])+
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) struct $name {
            $( $(#[doc = $doc])+ pub(crate) $key: $type, )+
        }

        impl $name {
            /// The rows of the table.
            pub(in $crate::config) const KEYS: &'static [$crate::config::section::Key] = &[
                $( $crate::config::section::Key {
                    name: stringify!($key),
                    words: <$type as $crate::config::section::Setting>::words,
                    schema: <$type as $crate::config::section::Setting>::schema,
                    fields: <$type as $crate::config::section::Setting>::FIELDS,
                    default: section!(@default $default),
                    range: section!(@range $($least $most)?),
                    apply: $crate::config::section::Apply::$apply,
                    doc: &[$($doc),+],
                }, )+
            ];
        }

        impl $crate::config::section::Setting for $name {
            const FIELDS: &'static [$crate::config::section::Key] = Self::KEYS;

            fn words() -> String {
                "table".to_owned()
            }

            fn schema() -> serde_json::Value {
                $crate::config::section::table_schema(Self::KEYS)
            }

            fn read(
                node: &$crate::config::raw::Node<'_>,
                report: &mut $crate::config::raw::Report,
            ) -> Option<Self> {
                let mut fields = $crate::config::section::Fields::of(node, Self::KEYS, report)?;
                let mut keys = Self::KEYS.iter();
                // Every key is read before the first failure ends it: all problems are told.
                $( let $key = keys.next().and_then(|key| fields.take::<$type>(key)); )+
                Some(Self { $( $key: $key?, )+ })
            }

            fn restart_changes(&self, other: &Self, name: &str, changes: &mut Vec<String>) {
                let mut keys = Self::KEYS.iter();
                $( if let Some(key) = keys.next() {
                    let name = if name.is_empty() { key.name.to_owned() } else { format!("{name}.{}", key.name) };
                    if key.apply == $crate::config::section::Apply::Restart && self.$key != other.$key {
                        changes.push(name);
                    } else {
                        self.$key.restart_changes(&other.$key, &name, changes);
                    }
                } )+
            }
        }
    };
}

pub(super) use section;
