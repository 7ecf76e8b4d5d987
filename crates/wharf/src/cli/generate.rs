//! What is generated from the definitions: completions, man page, configuration reference.

use clap::{CommandFactory as _, Subcommand};

use super::{Arguments, say};
use crate::{config, exit::Failure};

/// Write shell completions.
#[derive(clap::Args)]
pub(super) struct Completions {
    /// The shell.
    shell: clap_complete::Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "wharf", &mut script);
        Ok(say(&String::from_utf8_lossy(&script))?)
    }
}

/// Show what can be configured.
#[derive(Subcommand)]
pub(super) enum Reference {
    /// Every key with its type, default and meaning, as Markdown.
    Reference,
    /// A JSON schema, for editors.
    Schema,
}

impl Reference {
    pub(super) fn run(self) -> Result<(), Failure> {
        Ok(say(&match self {
            Self::Reference => config::markdown(),
            Self::Schema => format!("{:#}\n", config::schema()),
        })?)
    }
}

/// The man page, all subcommands included.
pub(super) fn man() -> Result<(), Failure> {
    let command = Arguments::command();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for subcommand in command
        .get_subcommands()
        .filter(|subcommand| !subcommand.is_hide_set())
    {
        clap_mangen::Man::new(subcommand.clone()).render(&mut page)?;
    }
    Ok(say(&String::from_utf8_lossy(&page))?)
}
