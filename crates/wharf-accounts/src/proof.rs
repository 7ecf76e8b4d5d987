//! A login that was just proved, remembered for a minute.
//!
//! Clients open several sessions at once and cameras log in for every picture; a slow hash for each
//! would make the password scheme the limit of the login rate. So after a slow check that succeeded
//! a MAC over name, stored hash and password is kept, under a key that lives in this process only.
//! The password itself is never kept, a failure is never kept, and since the stored hash is in the
//! MAC a changed password is a new one.
//!
//! This room must not lengthen a proof when it is used: after [`LIFETIME`] the slow check is due.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{AccountName, Error, Result, StoredSecret};

/// How long a proof holds.
pub(crate) const LIFETIME: Duration = Duration::from_secs(60);
/// Most proofs at one time; the oldest gives way.
pub(crate) const MAX_PROOFS: usize = 16_384;

/// One block of the hash: the MAC takes it as it is.
const KEY: usize = 64;

type Tag = [u8; 32];

/// The proofs of the last minute, at most one per account.
pub(crate) struct FreshProofs {
    key: Zeroizing<[u8; KEY]>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_name: HashMap<AccountName, (Tag, Instant)>,
    /// Names in the order in which their proofs end; a renewed proof leaves an entry behind that
    /// its older end tells apart.
    order: VecDeque<(Instant, AccountName)>,
}

impl FreshProofs {
    /// None yet, under a fresh key.
    pub(crate) fn new() -> Result<Self> {
        let mut key = Zeroizing::new([0; KEY]);
        getrandom::fill(key.as_mut()).map_err(Error::Random)?;
        Ok(Self {
            key,
            kept: Mutex::default(),
        })
    }

    /// Whether this very password was proved for this very hash within the last minute.
    pub(crate) fn holds(
        &self,
        name: &AccountName,
        stored: &StoredSecret,
        password: &[u8],
        now: Instant,
    ) -> bool {
        let kept = self.lock().by_name.get(name).copied();
        let Some((tag, until)) = kept else {
            return false;
        };
        now < until && bool::from(self.tag(name, stored, password).ct_eq(&tag))
    }

    /// Remembers a slow check that succeeded.
    pub(crate) fn keep(
        &self,
        name: &AccountName,
        stored: &StoredSecret,
        password: &[u8],
        now: Instant,
    ) {
        let tag = self.tag(name, stored, password);
        let until = now + LIFETIME;
        let mut kept = self.lock();
        kept.by_name.insert(name.clone(), (tag, until));
        kept.order.push_back((until, name.clone()));
        while kept.order.len() > MAX_PROOFS
            || kept.order.front().is_some_and(|(until, _)| *until <= now)
        {
            let Some((until, name)) = kept.order.pop_front() else {
                break;
            };
            if kept
                .by_name
                .get(&name)
                .is_some_and(|(_, end)| *end == until)
            {
                kept.by_name.remove(&name);
            }
        }
    }

    /// Forgets the proof of `name`; its place in the order runs out by itself.
    pub(crate) fn forget(&self, name: &AccountName) {
        self.lock().by_name.remove(name);
    }

    /// A number for `name` that nobody outside can foresee but that stays the same.
    pub(crate) fn pick(&self, name: &[u8], choices: usize) -> usize {
        let tag = self
            .mac()
            .chain_update(b"decoy\0")
            .chain_update(name)
            .finalize()
            .into_bytes();
        let number = tag
            .iter()
            .take(4)
            .fold(0usize, |number, byte| number << 8 | usize::from(*byte));
        number.checked_rem(choices).unwrap_or_default()
    }

    fn tag(&self, name: &AccountName, stored: &StoredSecret, password: &[u8]) -> Tag {
        // Neither name nor stored text can hold a NUL, so the parts cannot be read another way.
        self.mac()
            .chain_update(b"proof\0")
            .chain_update(name.as_str())
            .chain_update(b"\0")
            .chain_update(stored.as_str())
            .chain_update(b"\0")
            .chain_update(password)
            .finalize()
            .into_bytes()
            .into()
    }

    fn mac(&self) -> Hmac<Sha256> {
        Hmac::new(&(*self.key).into())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        // What a panicking thread left is whole: every change is one insert or remove.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> AccountName {
        AccountName::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_proof_holds_for_one_minute_one_password_and_one_stored_hash() {
        let proofs = FreshProofs::new().unwrap();
        let (start, stored) = (
            crate::contract::start(),
            StoredSecret::parse("$1$abc$1234567890123456789012"),
        );
        proofs.keep(&name("ann"), &stored, b"right", start);
        assert!(proofs.holds(&name("ann"), &stored, b"right", start));
        assert!(proofs.holds(
            &name("ann"),
            &stored,
            b"right",
            start + LIFETIME - Duration::from_nanos(1)
        ));
        assert!(!proofs.holds(&name("ann"), &stored, b"right", start + LIFETIME));
        assert!(!proofs.holds(&name("ann"), &stored, b"wrong", start));
        assert!(!proofs.holds(&name("bob"), &stored, b"right", start));
        assert!(!proofs.holds(
            &name("ann"),
            &StoredSecret::parse("$1$abd$1234567890123456789012"),
            b"right",
            start
        ));
    }

    #[test]
    fn proofs_are_bounded_and_the_oldest_gives_way() {
        let proofs = FreshProofs::new().unwrap();
        let (start, stored) = (crate::contract::start(), StoredSecret::locked());
        for number in 0..=MAX_PROOFS {
            proofs.keep(&name(&format!("user{number}")), &stored, b"pw", start);
        }
        assert!(!proofs.holds(&name("user0"), &stored, b"pw", start));
        assert!(proofs.holds(&name("user1"), &stored, b"pw", start));
        let kept = proofs.lock();
        assert_eq!(
            (kept.by_name.len(), kept.order.len()),
            (MAX_PROOFS, MAX_PROOFS)
        );
    }

    #[test]
    fn a_renewed_proof_outlives_the_end_of_the_first() {
        let proofs = FreshProofs::new().unwrap();
        let (start, stored) = (crate::contract::start(), StoredSecret::locked());
        proofs.keep(&name("ann"), &stored, b"old", start);
        proofs.keep(&name("ann"), &stored, b"new", start + LIFETIME / 2);
        proofs.keep(&name("bob"), &stored, b"pw", start + LIFETIME);
        assert!(proofs.holds(&name("ann"), &stored, b"new", start + LIFETIME));
        assert!(!proofs.holds(&name("ann"), &stored, b"old", start + LIFETIME));
    }
}
