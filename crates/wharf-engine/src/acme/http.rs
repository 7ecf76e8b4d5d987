//! The HTTPS client that carries ACME's requests: HTTP/1.1, one connection per request, everything
//! bounded. An order is some dozen requests every few weeks; a pool would be idle all its life.
//!
//! It keeps the directory's last `Retry-After`, which the protocol crate does not hand out with an
//! error. It must not follow redirects nor leave `https` (RFC 8555 6.1).

use std::{
    future::Future,
    io,
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use http_body_util::{BodyExt, Limited};
use hyper::{
    HeaderMap, Request, Uri,
    body::Bytes,
    header::{HOST, HeaderValue, RETRY_AFTER},
};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_rustls::TlsConnector;

use super::Error;

/// The time that one request may take, from the name's resolution to the last octet.
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// The longest answer: a chain of certificates is some ten thousand octets.
const MAX_BODY: usize = 256 * 1024;
const HTTPS: u16 = 443;

type Refusal = Box<dyn std::error::Error + Send + Sync>;

/// How long a directory asked us to wait (RFC 9110 10.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// From the answer on.
    For(Duration),
    /// Until then.
    Until(SystemTime),
}

/// The client. Clones share the last `Retry-After`.
#[derive(Clone)]
pub(super) struct Client {
    tls: TlsConnector,
    asked: Arc<Mutex<Option<Wait>>>,
}

impl Client {
    /// A client that trusts the roots in `root_ca`, or the system's.
    pub(super) fn new(root_ca: Option<&Path>) -> Result<Self, Error> {
        let roots = match root_ca {
            Some(path) => private_roots(path)?,
            None => system_roots()?,
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Internal(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            asked: Arc::default(),
        })
    }

    /// What the last answer asked for.
    pub(super) fn asked_to_wait(&self) -> Option<Wait> {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, wait: Option<Wait>) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = wait;
    }

    async fn exchange(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Result<BytesResponse, Refusal> {
        let (host, port, request) = address(request)?;
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        let stream = self
            .tls
            .connect(ServerName::try_from(host)?, stream)
            .await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // Dropped with this exchange, and the connection with it.
        let mut connections = JoinSet::new();
        connections.spawn(connection);
        let (parts, body) = sender.send_request(request).await?.into_parts();
        self.hear(wait_of(&parts.headers));
        let body = Limited::new(body, MAX_BODY).collect().await?.to_bytes();
        Ok(BytesResponse {
            parts,
            body: Box::new(body),
        })
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let client = self.clone();
        Box::pin(async move {
            client.hear(None);
            let target = request.uri().to_string();
            tokio::time::timeout(REQUEST_TIME, Box::pin(client.exchange(request)))
                .await
                .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
                .map_err(|cause| instant_acme::Error::Other(format!("{target}: {cause}").into()))
        })
    }
}

/// Where a request goes, and the request as an origin server wants it (RFC 9112 3.2.1).
fn address(
    mut request: Request<BodyWrapper<Bytes>>,
) -> Result<(String, u16, Request<BodyWrapper<Bytes>>), Refusal> {
    let uri = request.uri();
    if uri.scheme_str() != Some("https") {
        return Err("not an https URL".into());
    }
    let authority = uri.authority().ok_or("an URL without a host")?;
    let host = authority.host().trim_matches(['[', ']']).to_owned();
    let port = authority.port_u16().unwrap_or(HTTPS);
    let name = authority.as_str().rsplit('@').next().unwrap_or_default();
    let name = HeaderValue::from_str(name)?;
    let path = uri
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .parse::<Uri>()?;
    *request.uri_mut() = path;
    request.headers_mut().insert(HOST, name);
    Ok((host, port, request))
}

/// The wish in `Retry-After`: seconds or a date.
fn wait_of(headers: &HeaderMap) -> Option<Wait> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse() {
        Ok(seconds) => Some(Wait::For(Duration::from_secs(seconds))),
        Err(_) => httpdate::parse_http_date(value).ok().map(Wait::Until),
    }
}

fn private_roots(path: &Path) -> Result<RootCertStore, Error> {
    let unusable = |cause: String| Error::Root {
        path: path.to_owned(),
        cause,
    };
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
    for root in found {
        let root = root.map_err(|error| unusable(error.to_string()))?;
        roots
            .add(root)
            .map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("no certificate in it".to_owned()));
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(Error::NoRoots);
    }
    Ok(roots)
}

#[cfg(test)]
mod tests;
