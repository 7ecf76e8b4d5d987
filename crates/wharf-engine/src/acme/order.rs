//! One order: authorizations, challenges, the certificate (RFC 8555 7.4).

use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, Identifier, NewOrder, Order, OrderStatus, RetryPolicy,
};

use super::{Error, answers::Answers, error::detail, store::Certificate};
use crate::tls::PemPair;

/// How the directory is asked for progress: after half a second, then ever later, for five minutes;
/// its `Retry-After` goes before.
const POLL: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(500))
    .backoff(1.5)
    .timeout(Duration::from_secs(5 * 60));

/// Orders a certificate for `domains` with a fresh key. The answers are gone when this ends, however
/// it ends.
pub(super) async fn obtain(
    account: &Account,
    domains: &[String],
    answers: &Answers,
) -> Result<Certificate, Error> {
    let identifiers: Vec<Identifier> = domains.iter().cloned().map(Identifier::Dns).collect();
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
    if order.state().status == OrderStatus::Pending {
        let _given = authorize(&mut order, answers).await?;
        let seen = order.poll_ready(&POLL).await;
        if !matches!(seen, Ok(OrderStatus::Ready)) {
            // What the directory saw at the challenge says more than the order's own state.
            not_validated(&mut order, answers).await?;
            seen?;
        }
    }
    let key = order.finalize().await?;
    let chain = order.poll_certificate(&POLL).await?;
    Ok(Certificate::new(PemPair {
        certificate: chain,
        key,
    })?)
}

/// Puts the answers up, one domain after the other, and tells the directory of each.
async fn authorize<'a>(
    order: &mut Order,
    answers: &'a Answers,
) -> Result<super::answers::Given<'a>, Error> {
    let mut given = answers.begin();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        let domain = authorization.identifier().to_string();
        match authorization.status {
            AuthorizationStatus::Pending => {}
            AuthorizationStatus::Valid => continue,
            status => {
                return Err(
                    answers.not_validated(domain, format!("the authorization is {status:?}"))
                );
            }
        }
        let Some(mut challenge) = authorization.challenge(answers.kind()) else {
            return Err(Error::NotOffered {
                challenge: answers.name(),
                domain,
            });
        };
        given.put(&domain, &challenge.token, &challenge.key_authorization())?;
        challenge.set_ready().await?;
    }
    Ok(given)
}

/// The first challenge that failed, as an error.
async fn not_validated(order: &mut Order, answers: &Answers) -> Result<(), Error> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        let domain = authorization.identifier().to_string();
        let state = authorization.refresh().await?;
        let problem = state
            .challenges
            .iter()
            .find_map(|challenge| challenge.error.as_ref());
        if let Some(problem) = problem {
            return Err(answers.not_validated(domain, detail(problem)));
        }
    }
    Ok(())
}
