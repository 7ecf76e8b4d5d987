//! asyncssh (INT-38), which keeps many requests in flight.

use super::paramiko::Python;

const ASYNCSSH: Python = Python(include_str!("asyncssh.py"));

crate::ssh::cells!(ASYNCSSH);
