//! Connections: accepted, bounded in what they may wait for, and let go gracefully.
//!
//! This file refuses to know requests.

use std::fs::{self, Permissions};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::middleware::AddExtension;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tower_service::Service;

use crate::config::Address;

/// How long a client may take to send the head of a request; a slower one is hung up on.
const HEAD: Duration = Duration::from_secs(10);

/// How long to wait when no connection can be accepted: the process is out of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// The peer at a socket in the file system, which has no address.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// The router as one peer sees it.
type Peered = AddExtension<Router, ConnectInfo<SocketAddr>>;

/// Where connections come in.
pub enum Listener {
    /// At an address and a port.
    Tcp(TcpListener),
    /// At a socket in the file system.
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// Begins to listen. A socket gets mode 0660 and the group of its folder; one that a process
    /// has left behind is replaced, one that somebody listens at is not.
    ///
    /// # Errors
    /// What the operating system says, or that something else is in the way.
    pub async fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => TcpListener::bind(address).await.map(Self::Tcp),
            Address::Unix(path) => {
                make_way(path).await?;
                let listener = UnixListener::bind(path)?;
                // Until here nobody but the owner may connect: that takes the right to write.
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let group = fs::metadata(folder.unwrap_or(Path::new(".")))?.gid();
                if fs::metadata(path)?.gid() != group {
                    chown(path, None, Some(group))?;
                }
                fs::set_permissions(path, Permissions::from_mode(0o660))?;
                Ok(Self::Unix(listener, path.clone()))
            }
        }
    }

    /// Where it listens: the port that the system chose, if it was to choose.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn address(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Address::Tcp),
            Self::Unix(_, path) => Ok(Address::Unix(path.clone())),
        }
    }

    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok(Accepted::Tcp(stream, peer))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok(Accepted::Unix(stream))
            }
        }
    }
}

/// A connection that came in.
enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

/// Takes a socket away at which nobody listens.
async fn make_way(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is there and no socket"));
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "somebody listens there")),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

/// Serves a router until `stopped` says so; then requests under way are answered, idle connections
/// closed, and no new one is taken.
pub async fn serve(listener: Listener, router: Router, mut stopped: watch::Receiver<bool>) {
    let connections = GracefulShutdown::new();
    let mut router = router.into_make_service_with_connect_info::<SocketAddr>();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok(Accepted::Tcp(stream, peer)) => {
                let Ok(service) = router.call(peer).await;
                connect(stream, service, &connections);
            }
            Ok(Accepted::Unix(stream)) => {
                let Ok(service) = router.call(NOWHERE).await;
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

fn connect<I>(stream: I, service: Peered, connections: &GracefulShutdown)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
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
