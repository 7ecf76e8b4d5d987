//! The embedded account store: one SQLite file.
//!
//! [`Store`] is what the administrator's commands work on, [`SqliteDirectory`] what logins ask. All
//! values are bound parameters (CVE-2026-42167: a user name that was SQL), and the file is made
//! readable for its owner only.
//!
//! Logins are answered from a copy of the table in memory. At most once per [`RECHECK`] one of them
//! asks the database whether another process changed it, and only then is the table read again, so
//! a login of a known account does not touch the disk. A change by `wharf user` is seen within that
//! time.

mod directory;

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

pub use self::directory::{RECHECK, SqliteDirectory};
use crate::{Account, AccountName, Error, Result, StoredSecret, record::Record};

/// "Whrf", in the file's header: this database is ours.
const APPLICATION_ID: i32 = 0x5768_7266;
/// Version of the schema that this program writes. 1: the first. 2: the record may hold
/// `require_tls` and `certificates`, 3: and the keys and rule of SSH, which an older program must not
/// overlook.
const SCHEMA_VERSION: i64 = 3;
/// How long a writer waits for another one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const SCHEMA: &str = "
    CREATE TABLE account (
        name     TEXT NOT NULL PRIMARY KEY,
        password TEXT NOT NULL,
        record   TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;";

/// The store, for reading and changing. Every call may wait for the disk.
pub struct Store {
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens the store at `path` and makes it, readable for the owner only, where there is none.
    ///
    /// # Errors
    /// [`Error::File`] when the file cannot be made, [`Error::Store`] when it cannot be opened,
    /// [`Error::ForeignStore`] and [`Error::NewerSchema`] when it is not one that is understood.
    pub fn open(path: &Path) -> Result<Self> {
        make_private(path).map_err(|source| Error::File {
            path: path.to_owned(),
            source,
        })?;
        let connection = Connection::open(path).map_err(during("open"))?;
        connection
            .busy_timeout(BUSY_TIMEOUT)
            .map_err(during("set the busy timeout"))?;
        // Answers with the mode that took effect; a file system without shared memory keeps the old one.
        connection
            .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))
            .map_err(during("switch to a write-ahead log"))?;
        connection
            .pragma_update(None, "synchronous", "full")
            .map_err(during("set the sync level"))?;
        let store = Self {
            connection: Mutex::new(connection),
        };
        store.migrate()?;
        Ok(store)
    }

    /// Stores a new account.
    ///
    /// # Errors
    /// [`Error::Exists`] when the name is taken, [`Error::Record`] when it cannot be written down.
    pub fn add(&self, account: &Account) -> Result<()> {
        let record = written(account)?;
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached("INSERT INTO account (name, password, record) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")
            .map_err(during("add"))?;
        let added = statement
            .execute(params![
                account.name.as_str(),
                account.password.as_str(),
                record
            ])
            .map_err(during("add"))?;
        if added == 0 {
            Err(Error::Exists(account.name.clone()))
        } else {
            Ok(())
        }
    }

    /// Every account, by name.
    ///
    /// # Errors
    /// [`Error::Store`]. A record that cannot be read is no error but a locked account without
    /// rights.
    pub fn list(&self) -> Result<Vec<Account>> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached("SELECT name, password, record FROM account ORDER BY name")
            .map_err(during("list"))?;
        let rows = statement.query_map([], row).map_err(during("list"))?;
        let accounts = rows.filter_map(|row| {
            row.map(|(name, password, record)| read(&name, &password, &record))
                .transpose()
        });
        accounts
            .collect::<rusqlite::Result<_>>()
            .map_err(during("list"))
    }

    /// One account.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`], and [`Error::Record`] when its record cannot be read.
    pub fn show(&self, name: &AccountName) -> Result<Account> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached("SELECT name, password, record FROM account WHERE name = ?1")
            .map_err(during("show"))?;
        let found = statement
            .query_row([name.as_str()], row)
            .optional()
            .map_err(during("show"))?;
        let (_, password, record) = found.ok_or_else(|| Error::NotFound(name.clone()))?;
        understood(name, &password, &record).map_err(|reason| Error::Record {
            name: name.clone(),
            reason,
        })
    }

    /// Stores everything but the password of an account that exists.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Record`], [`Error::Store`].
    pub fn set(&self, account: &Account) -> Result<()> {
        let record = written(account)?;
        self.change(
            "set",
            "UPDATE account SET record = ?2 WHERE name = ?1",
            &account.name,
            &[&record],
        )
    }

    /// Stores another password.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub fn set_password(&self, name: &AccountName, password: &StoredSecret) -> Result<()> {
        let sql = "UPDATE account SET password = ?2 WHERE name = ?1";
        self.change("set the password", sql, name, &[&password.as_str()])
    }

    /// Removes an account; its files stay.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub fn remove(&self, name: &AccountName) -> Result<()> {
        self.change("remove", "DELETE FROM account WHERE name = ?1", name, &[])
    }

    /// A number that changes when another connection changed the store, and one that this
    /// connection's own changes raise.
    fn version(&self) -> Result<(i64, u64)> {
        let connection = self.lock();
        let others = connection
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(during("ask for the version"))?;
        Ok((others, connection.total_changes()))
    }

    fn change(
        &self,
        operation: &'static str,
        sql: &str,
        name: &AccountName,
        values: &[&dyn rusqlite::ToSql],
    ) -> Result<()> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(sql).map_err(during(operation))?;
        let named: &dyn rusqlite::ToSql = &name.as_str();
        let bound: Vec<_> = std::iter::once(named)
            .chain(values.iter().copied())
            .collect();
        let changed = statement
            .execute(bound.as_slice())
            .map_err(during(operation))?;
        if changed == 0 {
            Err(Error::NotFound(name.clone()))
        } else {
            Ok(())
        }
    }

    /// Brings the file to the present schema, or says why it cannot be.
    fn migrate(&self) -> Result<()> {
        let mut connection = self.lock();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(during("begin"))?;
        let number =
            |pragma| transaction.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let id = number("application_id").map_err(during("read the header"))?;
        let version = number("user_version").map_err(during("read the header"))?;
        let tables: i64 = transaction
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(during("read the schema"))?;
        match (id, version) {
            (0, 0) if tables == 0 => {
                transaction
                    .execute_batch(SCHEMA)
                    .map_err(during("make the schema"))?;
                transaction
                    .pragma_update(None, "application_id", APPLICATION_ID)
                    .map_err(during("write the header"))?;
                transaction
                    .pragma_update(None, "user_version", SCHEMA_VERSION)
                    .map_err(during("write the header"))?;
            }
            (id, _) if id != i64::from(APPLICATION_ID) => {
                return Err(Error::ForeignStore(i32::try_from(id).unwrap_or_default()));
            }
            (_, found) if found > SCHEMA_VERSION => {
                return Err(Error::NewerSchema {
                    found,
                    known: SCHEMA_VERSION,
                });
            }
            (_, found) if found < SCHEMA_VERSION => {
                // A record of an older version is one of this without the new fields.
                transaction
                    .pragma_update(None, "user_version", SCHEMA_VERSION)
                    .map_err(during("write the header"))?;
            }
            _ => {}
        }
        transaction.commit().map_err(during("commit"))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // SQLite rolls back what a panicking thread left open.
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn during(operation: &'static str) -> impl FnOnce(rusqlite::Error) -> Error {
    move |source| Error::Store { operation, source }
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<(String, String, String)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn written(account: &Account) -> Result<String> {
    let wrong = |reason| Error::Record {
        name: account.name.clone(),
        reason,
    };
    if account.password.lock().is_none() && account.password.as_str().is_empty() {
        return Err(wrong("its password cannot be stored".to_owned()));
    }
    let record = Record::of(account).map_err(wrong)?;
    serde_json::to_string(&record).map_err(|error| wrong(error.to_string()))
}

fn understood(
    name: &AccountName,
    password: &str,
    record: &str,
) -> std::result::Result<Account, String> {
    let record: Record = serde_json::from_str(record).map_err(|error| error.to_string())?;
    record.into_account(name.clone(), StoredSecret::parse(password))
}

/// An account from its row. A row that is not understood is an account that nobody can enter, so
/// that the name stays taken; a name that is none cannot be asked for and is left out.
fn read(name: &str, password: &str, record: &str) -> Option<Account> {
    let name = AccountName::parse(name.as_bytes()).ok()?;
    Some(
        understood(&name, password, record).unwrap_or_else(|_| Account {
            name,
            kind: crate::AccountKind::User,
            home: crate::Home {
                tree: crate::Tree::Volumes(Vec::new()),
                start: wharf_vfs::VirtualPath::root(),
            },
            grants: wharf_vfs::Grants::everywhere(wharf_vfs::Rights::NONE),
            limits: crate::AccountLimits::default(),
            enabled: false,
            expires: None,
            allowed_networks: Vec::new(),
            password: StoredSecret::locked(),
            require_tls: crate::RequireTls::Both,
            certificates: Vec::new(),
            ssh: crate::SshAccess::default(),
        }),
    )
}

/// Makes the file where there is none. SQLite gives its companions (`-wal`, `-shm`) the same mode.
#[expect(
    clippy::disallowed_methods,
    reason = "the store's own file; SQLite opens the rest itself"
)]
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

#[cfg(test)]
mod tests;
