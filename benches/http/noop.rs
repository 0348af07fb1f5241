//! A server of the same stack, set up as the real one is, whose handlers do nothing: they read the
//! body, if one came, and give the answer they were started with, status, headers and body.
//!
//! It passes none of the real one's layers, so what it costs is the transport and nothing else.

use std::error::Error;
use std::fs;

use amaretti::config::Address;
use amaretti::http::{Listener, serve as listen};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tokio::sync::watch;

/// What is answered, whatever is asked.
#[derive(Clone)]
struct Fixed {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Fixed {
    /// Reads an answer as it came over the wire. What the stack writes itself is left out.
    fn parse(raw: &[u8]) -> Result<Self, Box<dyn Error>> {
        let end = raw.windows(4).position(|four| four == b"\r\n\r\n");
        let parts = end.and_then(|end| raw.split_at_checked(end + 4));
        let (head, body) = parts.ok_or("the head of an answer has no end")?;
        let mut lines = std::str::from_utf8(head)?.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or("no status")?;
        let mut headers = HeaderMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            let name: HeaderName = name.parse()?;
            if name != header::DATE && name != header::CONTENT_LENGTH {
                headers.append(name, HeaderValue::from_str(value)?);
            }
        }
        let body = Bytes::copy_from_slice(body);
        Ok(Self { status: status.parse()?, headers, body })
    }

    fn told(&self) -> Response {
        let mut response = self.body.clone().into_response();
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }
}

/// Serves until the process is ended.
pub(super) fn serve(address: &str, answers: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut router = Router::new();
    for answer in answers {
        let (path, file) = answer.split_once('=').ok_or("an answer is PATH=FILE")?;
        let fixed = Fixed::parse(&fs::read(file)?)?;
        router = router.route(
            path,
            any(move |body: Body| async move {
                // A body that is not read would be thrown away by the stack, which costs another thing.
                let _read = axum::body::to_bytes(body, usize::MAX).await;
                fixed.told()
            }),
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let address = match address.strip_prefix("unix:") {
            Some(path) => Address::Unix(path.into()),
            None => Address::Tcp(address.parse()?),
        };
        let listener = Listener::bind(&address).await?;
        let (_stop, stopped) = watch::channel(false);
        // As the real one: a task, so that a worker of the runtime serves it.
        tokio::spawn(listen(listener, router, stopped)).await?;
        Ok(())
    })
}
