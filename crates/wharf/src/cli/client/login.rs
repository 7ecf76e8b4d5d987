//! Who logs in: the URL, the options, the environment, `.netrc`, the person at the terminal; in this
//! order. A password never comes from the command line's options, where every process could see it.
#![expect(
    clippy::disallowed_methods,
    reason = "passwords are read where the person put them"
)]

use std::{
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use wharf_client::{Credentials, Secret, Site, netrc};

use super::{Shared, shown, terminal::Terminal};
use crate::{cli::environment, exit::Failure};

/// Finds the login for a site.
pub(super) fn find(shared: &Shared, site: &Site) -> Result<Credentials, Failure> {
    let environment = environment();
    let variable = |name: &str| {
        environment
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    };
    let user = site
        .user
        .clone()
        .or_else(|| shared.user.clone().map(String::into_bytes));
    if let (Some(user), Some(password)) = (&user, &site.password) {
        return Ok(Credentials {
            user: user.clone(),
            password: password.clone(),
        });
    }
    let password = prepared(shared, user.is_some(), variable("WHARF_PASSWORD"))?;
    match (user, password) {
        (Some(user), Some(password)) => Ok(Credentials {
            user,
            password: Secret::new(password),
        }),
        (None, Some(_)) => Err(Failure::usage(
            "a password is given but no user: add --user NAME, or put it into the URL",
        )),
        (user, None) => {
            if !shared.no_netrc
                && let Some(found) = from_netrc(shared, site, user.as_deref(), variable("HOME"))?
            {
                return Ok(found);
            }
            match user {
                Some(user)
                    if user.eq_ignore_ascii_case(b"anonymous")
                        || user.eq_ignore_ascii_case(b"ftp") =>
                {
                    Ok(Credentials {
                        user,
                        ..Credentials::anonymous()
                    })
                }
                Some(user) => {
                    let password = ask(shared, &user, site)?;
                    Ok(Credentials {
                        user,
                        password: Secret::new(password),
                    })
                }
                None => Ok(Credentials::anonymous()),
            }
        }
    }
}

/// A password that was prepared for whoever the command line or the URL names.
fn prepared(
    shared: &Shared,
    user_is_named: bool,
    variable: Option<String>,
) -> Result<Option<String>, Failure> {
    match &shared.password_file {
        Some(path) => first_line(path).map(Some),
        None => Ok(variable.filter(|_| user_is_named)),
    }
}

/// The password for an SSH site, where one was prepared; nobody is asked here, as a key may do.
pub(super) fn password_of_ssh(shared: &Shared, site: &Site) -> Result<Option<Secret>, Failure> {
    if site.password.is_some() {
        return Ok(None);
    }
    let environment = environment();
    let variable = |name: &str| {
        environment
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    };
    let user = site
        .user
        .clone()
        .or_else(|| shared.user.clone().map(String::into_bytes));
    if let Some(password) = prepared(shared, user.is_some(), variable("WHARF_PASSWORD"))? {
        return Ok(Some(Secret::new(password)));
    }
    match user {
        // A login of .netrc is for the user that it names, and only for that one.
        Some(user) if !shared.no_netrc => {
            let found = from_netrc(shared, site, Some(&user), variable("HOME"))?;
            Ok(found
                .filter(|login| login.user == user)
                .map(|login| login.password))
        }
        _ => Ok(None),
    }
}

fn from_netrc(
    shared: &Shared,
    site: &Site,
    user: Option<&[u8]>,
    home: Option<String>,
) -> Result<Option<Credentials>, Failure> {
    let path = match (&shared.netrc_file, home) {
        (Some(path), _) => path.clone(),
        (None, Some(home)) => PathBuf::from(home).join(".netrc"),
        (None, None) => return Ok(None),
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && shared.netrc_file.is_none() => {
            return Ok(None);
        }
        Err(error) => return Err(Failure::usage(format!("{}: {error}", path.display()))),
    };
    let found = netrc::find(&text, &site.host, user);
    // As the BSD client has it: a password that others can read is none. Anonymous has nothing to hide.
    let secret = found
        .as_ref()
        .is_some_and(|login| login.user != b"anonymous" && login.user != b"ftp");
    let mode = std::fs::metadata(&path)
        .map(|found| found.mode())
        .unwrap_or(0);
    if secret && mode & 0o077 != 0 {
        let path = path.display();
        return Err(Failure::usage(format!(
            "{path} can be read by others: run chmod 600 {path}"
        )));
    }
    Ok(found)
}

fn first_line(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Asks at the terminal, without echo.
fn ask(shared: &Shared, user: &[u8], site: &Site) -> Result<String, Failure> {
    let user = shown(user);
    let terminal = if shared.security.batch {
        None
    } else {
        Terminal::open()
    };
    let Some(mut terminal) = terminal else {
        return Err(Failure::usage(format!(
            "no password for {user}: use WHARF_PASSWORD, --password-file or .netrc (there is no terminal to ask at)"
        )));
    };
    Ok(terminal.ask_secret(&format!("Password of {user} at {}: ", site.host))?)
}
