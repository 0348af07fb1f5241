//! The same door on plain hyper, for a program with paths of its own: it greets whoever may come in.
//! Try it: `cargo run --features tower --example hyper_greeter -- 127.0.0.1:8090 exported`

use std::{convert::Infallible, env::args, error::Error, path::Path, sync::Arc};

use amaretti::tower::{Bearer, JudgeLayer};
use amaretti::{keyfile, token::Action, token::NoFacts, verifier::Verifier};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tower::{Layer, service_fn};

async fn greet(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let who = request.extensions().get::<Bearer>().map_or("stranger", |bearer| &bearer.user_id);
    Ok(Response::new(format!("hello {who}\n").into()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (address, keys) = args().nth(1).zip(args().nth(2)).ok_or("give ADDRESS and KEYS")?;
    let verifier = Arc::new(Verifier::new(keyfile::ring(Path::new(&keys))?, NoFacts)?);
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        let layer = JudgeLayer::new(verifier.clone()).with_action(Action::Media);
        let judge = layer.with_address(move |_| Some(peer.ip())).layer(service_fn(greet));
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(judge));
        tokio::spawn(connection);
    }
}
