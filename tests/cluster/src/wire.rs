//! A TCP proxy between a node and its database, which can be cut, silent or slow.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::sleep;

/// How a wire is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Carries.
    Whole,
    /// Hangs up on everybody.
    Cut,
    /// Takes connections and bytes, and carries none of them.
    Silent,
    /// Carries each piece so much later.
    Slow(Duration),
}

/// One proxy, on a port of its own.
pub(crate) struct Wire {
    /// Where it listens.
    pub(crate) port: u16,
    mode: watch::Sender<Mode>,
}

impl Wire {
    /// A whole wire to a port of this machine.
    pub(crate) async fn to(target: Rc<Cell<u16>>) -> Result<Self, String> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|e| e.to_string())?;
        let port = listener.local_addr().map_err(|e| e.to_string())?.port();
        let (mode, seen) = watch::channel(Mode::Whole);
        spawn_local(accept(listener, target, seen));
        Ok(Self { port, mode })
    }

    /// Changes how it is.
    pub(crate) fn be(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Hangs up on everybody once.
    pub(crate) async fn flap(&self) {
        let before = *self.mode.borrow();
        self.be(Mode::Cut);
        sleep(Duration::from_millis(20)).await;
        self.be(before);
    }
}

async fn accept(listener: TcpListener, target: Rc<Cell<u16>>, mode: watch::Receiver<Mode>) {
    while let Ok((near, _)) = listener.accept().await {
        if *mode.borrow() == Mode::Cut {
            continue;
        }
        let (target, mode) = (target.get(), mode.clone());
        spawn_local(async move {
            let Ok(far) = TcpStream::connect(("127.0.0.1", target)).await else { return };
            let _ = (near.set_nodelay(true), far.set_nodelay(true));
            let ((near_read, near_write), (far_read, far_write)) =
                (near.into_split(), far.into_split());
            tokio::select! {
                () = carry(near_read, far_write, mode.clone()) => {}
                () = carry(far_read, near_write, mode.clone()) => {}
                () = cut(mode) => {}
            }
        });
    }
}

async fn cut(mut mode: watch::Receiver<Mode>) {
    let _ = mode.wait_for(|mode| *mode == Mode::Cut).await;
}

/// Carries bytes one way until an end hangs up.
async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
) {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let Ok(count @ 1..) = from.read(&mut piece).await else { return };
        let now = *mode.borrow();
        if let Mode::Slow(by) = now {
            sleep(by).await;
        }
        if mode.wait_for(|mode| *mode != Mode::Silent).await.is_err()
            || to.write_all(&piece[..count]).await.is_err()
        {
            return;
        }
    }
}
