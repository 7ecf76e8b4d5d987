//! The account at a directory, and an order under it.

use std::{path::Path, time::Duration};

use instant_acme::{Account, AccountCredentials, NewAccount};

use super::{
    Error,
    answers::Answers,
    http::{Client, Wait},
    order,
    store::{Certificate, Store},
};

/// The time that a whole order may take: the directory's looks at the challenges included.
const ORDER_TIME: Duration = Duration::from_secs(15 * 60);

/// The directory as we reach it.
pub(super) struct Directory {
    url: String,
    contact: Option<String>,
    client: Client,
}

impl Directory {
    pub(super) fn new(
        url: &str,
        contact: Option<&str>,
        root_ca: Option<&Path>,
    ) -> Result<Self, Error> {
        Ok(Self {
            url: url.to_owned(),
            contact: contact.map(|contact| {
                let address = contact.strip_prefix("mailto:").unwrap_or(contact);
                format!("mailto:{address}")
            }),
            client: Client::new(root_ca)?,
        })
    }

    /// What the directory's last answer asked for.
    pub(super) fn asked_to_wait(&self) -> Option<Wait> {
        self.client.asked_to_wait()
    }

    /// Orders a certificate, under the kept account or under a new one that is kept first.
    pub(super) async fn certificate(
        &self,
        store: &Store,
        domains: &[String],
        answers: &Answers,
    ) -> Result<Certificate, Error> {
        let order = async {
            let account = match store.account().await? {
                Some(credentials) => self.known(credentials).await?,
                None => self.register(store).await?,
            };
            match order::obtain(&account, domains, answers).await {
                // A directory that was set up anew, or an account that was thrown out.
                Err(error) if error.is_unknown_account() => {
                    let account = self.register(store).await?;
                    order::obtain(&account, domains, answers).await
                }
                done => done,
            }
        };
        tokio::time::timeout(ORDER_TIME, Box::pin(order))
            .await
            .unwrap_or(Err(Error::Late(ORDER_TIME.as_secs() / 60)))
    }

    async fn known(&self, credentials: AccountCredentials) -> Result<Account, Error> {
        let builder = Account::builder_with_http(Box::new(self.client.clone()));
        Ok(builder.from_credentials(credentials).await?)
    }

    async fn register(&self, store: &Store) -> Result<Account, Error> {
        let contact: Vec<&str> = self.contact.as_deref().into_iter().collect();
        let wanted = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let (account, credentials) = Account::builder_with_http(Box::new(self.client.clone()))
            .create(&wanted, self.url.clone(), None)
            .await?;
        store.keep_account(credentials).await?;
        Ok(account)
    }
}
