//! Connections: accepted, bounded in what they may wait for, and let go gracefully.
//!
//! This file refuses to know requests.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::middleware::AddExtension;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower_service::Service;

/// How long a client may take to send the head of a request; a slower one is hung up on.
const HEAD: Duration = Duration::from_secs(10);

/// How long to wait when no connection can be accepted: the process is out of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// The router as one peer sees it.
type Peered = AddExtension<Router, ConnectInfo<SocketAddr>>;

/// Serves a router until `stopped` says so; then requests under way are answered, idle connections
/// closed, and no new one is taken.
pub async fn serve(listener: TcpListener, router: Router, mut stopped: watch::Receiver<bool>) {
    let connections = GracefulShutdown::new();
    let mut router = router.into_make_service_with_connect_info::<SocketAddr>();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Ok(service) = router.call(peer).await;
                connect(stream, service, &connections);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    // A head that is half sent is waited for no longer than for any other client.
    let _late = tokio::time::timeout(HEAD, connections.shutdown()).await;
}

fn connect(stream: TcpStream, service: Peered, connections: &GracefulShutdown) {
    let mut server = Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    server.http2().timer(TokioTimer::new());
    let service = TowerToHyperService::new(service);
    let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let connection = connections.watch(connection.into_owned());
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended");
        }
    });
}
