//! A name that was proved.
//!
//! Only this crate makes one, after an authenticator was satisfied: to hold a [`Principal`] is the
//! proof. What it may do stands in its account, never here.

use crate::AccountName;

/// Somebody whose name was proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    name: AccountName,
}

impl Principal {
    /// The holder of `name`, which an authenticator has just proved.
    pub(crate) const fn proved(name: AccountName) -> Self {
        Self { name }
    }

    /// The proved name.
    pub const fn name(&self) -> &AccountName {
        &self.name
    }
}
