//! Whoever is asked over HTTP, https or a socket in the file system: connections that are kept,
//! questions bounded in time, answers bounded in size, no redirect followed.
//!
//! This file refuses to know what is asked and what an answer means.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tower_service::Service;

/// How long a connection that nobody uses is kept: less than Synapse keeps it.
const IDLE: Duration = Duration::from_secs(20);

/// What one question may take.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// How long a connection may take to be made.
    pub(crate) connect: Duration,
    /// How long all of it may take, from the connection to the last byte.
    pub(crate) answer: Duration,
    /// The largest body of an answer, in bytes.
    pub(crate) largest: usize,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    /// Nobody listens, nobody who can be trusted, or what is said is no answer.
    #[error("{0}")]
    Away(String),
    /// Time is over. What was asked for may yet be done.
    #[error("no answer within {} seconds", .0.as_secs())]
    Silent(Duration),
}

/// A way to those who are asked.
pub(crate) struct Reach {
    way: Way,
    bounds: Bounds,
}

enum Way {
    Plain(Asking<HttpConnector>),
    Secure(Asking<HttpsConnector<HttpConnector>>),
    Socket(Asking<Socket>),
}

type Asking<C> = Client<C, Full<Bytes>>;

impl Reach {
    /// The way to a URL: over TLS if it says https. Certificates are those that this machine
    /// trusts; SSL_CERT_FILE names others.
    ///
    /// # Errors
    /// This machine trusts nobody.
    pub(crate) fn to(url: &str, bounds: Bounds) -> io::Result<Self> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(bounds.connect));
        connector.set_nodelay(true);
        if !url.starts_with("https://") {
            return Ok(Self { way: Way::Plain(asking(connector)), bounds });
        }
        connector.enforce_http(false);
        let trusting = HttpsConnectorBuilder::new().with_native_roots().map_err(|_| {
            let advice =
                "install ca-certificates, or name a file that can be read in SSL_CERT_FILE";
            io::Error::other(format!(
                "no certificate authority is known to check {url} by: {advice}"
            ))
        })?;
        let connector = trusting.https_only().enable_http1().wrap_connector(connector);
        Ok(Self { way: Way::Secure(asking(connector)), bounds })
    }

    /// The way to a socket in the file system, whatever host a question names.
    pub(crate) fn socket(path: PathBuf, bounds: Bounds) -> Self {
        Self { way: Way::Socket(asking(Socket(path))), bounds }
    }

    /// Asks, once.
    ///
    /// # Errors
    /// [`Unanswered`]; the question may have been heard all the same.
    pub(crate) async fn ask(
        &self,
        question: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, Unanswered> {
        let answered = async {
            let answer = match &self.way {
                Way::Plain(client) => client.request(question).await,
                Way::Secure(client) => client.request(question).await,
                Way::Socket(client) => client.request(question).await,
            };
            let (head, body) = answer.map_err(|error| away(&error))?.into_parts();
            let body = Limited::new(body, self.bounds.largest).collect().await;
            let body = body.map_err(|error| away(&*error))?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        let patience = self.bounds.answer;
        timeout(patience, answered).await.unwrap_or(Err(Unanswered::Silent(patience)))
    }
}

fn asking<C: Connect + Clone>(connector: C) -> Asking<C> {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE);
    builder.build(connector)
}

/// What lies at the bottom of an error: there the system speaks.
fn away(error: &(dyn Error + 'static)) -> Unanswered {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    Unanswered::Away(error.to_string())
}

/// Connects to a socket in the file system, whatever is asked for.
#[derive(Clone)]
struct Socket(PathBuf);

impl Service<Uri> for Socket {
    type Response = TokioIo<UnixStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<UnixStream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let path = self.0.clone();
        Box::pin(async move { Ok(TokioIo::new(UnixStream::connect(path).await?)) })
    }
}
