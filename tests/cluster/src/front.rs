//! HAProxy in front of all nodes: what only reads goes to any of them, the rest to those with a
//! whole key and a database.

use std::path::Path;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::Child;

use crate::node::Node;
use crate::process::{command, free_port, start, until};

/// A balancer.
pub(crate) struct Front {
    /// Where it listens.
    pub(crate) port: u16,
    _child: Child,
}

impl Front {
    /// Starts it before these nodes.
    pub(crate) async fn start(folder: &Path, nodes: &[Node]) -> Result<Self, String> {
        let port = free_port()?;
        let file = folder.join("haproxy.cfg");
        std::fs::write(&file, configuration(port, nodes)).map_err(|error| error.to_string())?;
        let mut haproxy = command(Path::new("/usr/sbin/haproxy"));
        haproxy.arg("-db").arg("-f").arg(&file);
        let _child = start(haproxy, &folder.join("haproxy.log"))?;
        let up = until(Duration::from_secs(10), || async move {
            TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        });
        up.await.ok_or("HAProxy does not listen")?;
        Ok(Self { port, _child })
    }
}

fn configuration(port: u16, nodes: &[Node]) -> String {
    let server = |node: &Node| {
        let (name, public, internal) = (&node.name, node.public, node.internal);
        format!("    server {name} 127.0.0.1:{public} port {internal}\n")
    };
    let verify: String = nodes.iter().map(server).collect();
    let issue: String = nodes.iter().filter(|node| node.is_full()).map(server).collect();
    format!(
        "global
    maxconn 2000
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 40s
    retries 3
    option redispatch
    retry-on conn-failure
    option httpchk
    default-server check inter 500ms fall 2 rise 1
frontend clients
    bind 127.0.0.1:{port}
    use_backend verify if {{ path_end /account/whoami }}
    default_backend issue
backend verify
    http-check send meth GET uri /health/ready
    balance roundrobin
{verify}backend issue
    http-check send meth GET uri /health/issue
    balance roundrobin
{issue}"
    )
}
