//! The table of keys as a document and as a JSON schema.
//!
//! `docs/configuration.md` is this document; a test compares them, so neither can be changed alone.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::{
    section::{Apply, Default, Key, table_schema},
    table::Root,
};

/// What stands above the table.
const INTRODUCTION: &str = "\
# Configuration

`wharf serve --config wharf.toml` reads one [TOML](https://toml.io) file. Every key has a default;
an empty file is a valid one. Unknown keys, wrong types and contradictions are errors that name file,
line and column, and a reload (SIGHUP) that finds one changes nothing.

* A key that takes effect **live** holds after a reload for sessions that begin then; **restart** means
  the next start.
* An environment variable `WHARF_SECTION_KEY` overrides `section.key`; lists are separated by commas.
* A **duration** is a number of seconds or text such as `\"500ms\"`, `\"90s\"`, `\"15m\"`, `\"2h\"`, `\"1d\"`;
  ranges are in seconds.
* A **size** is a number of bytes or text such as `\"512 KiB\"`, `\"16 MiB\"`, `\"10 GB\"`; a **rate** is a
  size per second (`\"2 MiB/s\"`).
* A **moment** is a date, or date and time: `2030-12-31`, `2030-12-31T18:00:00Z`; UTC unless an offset is
  given.
* A relative **host path** is meant from the directory of the file.
* A **virtual path** is what clients see: it begins with `/`, the top of the user's tree.

This page is made by `wharf config reference`; `wharf config schema` prints the same as JSON schema.
";

/// The reference in Markdown.
pub(crate) fn markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    for section in Root::KEYS {
        let repeated = section.default == Default::Toml("[]");
        let (open, close) = if repeated { ("[[", "]]") } else { ("[", "]") };
        let scope = match section.name {
            "user" => " Scope: one account.",
            "volume" => " Scope: one volume.",
            "anonymous" => " Scope: the anonymous account.",
            _ => "",
        };
        let _ = write!(
            text,
            "\n## `{open}{}{close}`\n\n{}{scope}\n",
            section.name,
            section.text()
        );
        rows(&mut text, section.fields);
        for key in section.fields.iter().filter(|key| !key.fields.is_empty()) {
            let _ = write!(
                text,
                "\n### `{}.{}`\n\nEach entry is a table with these keys.\n",
                section.name, key.name
            );
            rows(&mut text, key.fields);
        }
    }
    text
}

fn rows(text: &mut String, keys: &[Key]) {
    text.push_str(
        "\n| Key | Type | Default | Takes effect | Meaning |\n| --- | --- | --- | --- | --- |\n",
    );
    for key in keys {
        let default = match key.default {
            Default::Toml(toml) => format!("`{toml}`"),
            Default::None => "none".to_owned(),
            Default::Required => "required".to_owned(),
        };
        let apply = match key.apply {
            Apply::Live => "live",
            Apply::Restart => "restart",
        };
        let range = key
            .range
            .map(|(least, most)| format!(", {least} to {most}"))
            .unwrap_or_default();
        let kind = (key.words)();
        let _ = writeln!(
            text,
            "| `{}` | {kind}{range} | {default} | {apply} | {} |",
            key.name,
            key.text()
        );
    }
}

/// The JSON schema of the file.
pub(crate) fn schema() -> Json {
    let mut schema = table_schema(Root::KEYS);
    if let Some(fields) = schema.as_object_mut() {
        fields.insert(
            "$schema".to_owned(),
            json!("https://json-schema.org/draft/2020-12/schema"),
        );
        fields.insert("title".to_owned(), json!("Configuration of wharf"));
    }
    schema
}
