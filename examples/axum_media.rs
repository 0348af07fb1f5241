//! A media store on axum: whoever bears a good token uploads and downloads.
//! Try it: `cargo run --features tower --example axum_media -- 127.0.0.1:8090 exported`
use std::{collections::HashMap, env::args, error::Error, net::SocketAddr, path::Path, sync::Arc};

use amaretti::tower::{Bearer, JudgeLayer};
use amaretti::{keyfile, token::NoFacts, verifier::Verifier};
use axum::extract::{ConnectInfo, Path as Named, State};
use axum::{Router, body::Bytes, http::request::Parts, routing::get, routing::post};
use tokio::sync::Mutex;

type Store = Arc<Mutex<HashMap<String, Bytes>>>;

async fn upload(State(store): State<Store>, bearer: Bearer, body: Bytes) -> String {
    let mut store = store.lock().await;
    let id = format!("{}-{}", store.len(), bearer.user_id.replace(['@', ':'], "-"));
    store.insert(id.clone(), body);
    format!(r#"{{"content_uri":"mxc://media.example/{id}"}}"#)
}

async fn download(State(store): State<Store>, Named(id): Named<(String, String)>) -> Bytes {
    store.lock().await.get(&id.1).cloned().unwrap_or_default()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (address, keys) = args().nth(1).zip(args().nth(2)).ok_or("give ADDRESS and KEYS")?;
    let verifier = Verifier::new(keyfile::ring(Path::new(&keys))?, NoFacts)?.with_audience("media");
    let peer = |request: &Parts| request.extensions.get().map(|c: &ConnectInfo<_>| c.0);
    let ip = move |request: &Parts| peer(request).map(|peer: SocketAddr| peer.ip());
    let app = Router::new()
        .route("/_matrix/media/v3/upload", post(upload))
        .route("/_matrix/client/v1/media/download/{server}/{id}", get(download))
        .layer(JudgeLayer::new(verifier).with_address(ip))
        .with_state(Store::default());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    Ok(axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?)
}
