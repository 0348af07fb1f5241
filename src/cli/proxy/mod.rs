//! `amaretti config nginx | haproxy | caddy`: the configuration of a proxy in front.
//!
//! The texts lie beside this file and look like what they become; here their places are filled in
//! and their conditions decided. This file refuses to know what their lines mean.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};

use super::{Done, Place, Trouble, say};
use crate::config::{Address, Config};
use crate::secret::Secret;

const NGINX: &str = include_str!("nginx.conf");
const HAPROXY: &str = include_str!("haproxy.cfg");
const LUA: &str = include_str!("haproxy.lua");
const CADDY: &str = include_str!("Caddyfile");

/// Where the secret belongs when none is set; it is no secret, and refused as one.
const NO_SECRET: &str = "REPLACE-THIS-BY-THE-SECRET";

/// A proxy whose configuration can be made.
#[derive(Clone, Copy)]
pub(super) enum Made {
    Nginx,
    Haproxy,
    Caddy,
}

/// What stands behind.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Homeserver {
    /// Synapse 1.136 or later with `matrix_authentication_service`
    Synapse,
}

#[derive(Args)]
#[command(after_help = "Examples:
  amaretti config nginx --homeserver synapse
  amaretti config haproxy --homeserver synapse --forward-auth
  amaretti config caddy --forward-auth --upstream 127.0.0.1:8001 --upstream 127.0.0.1:8002")]
pub(super) struct Proxied {
    /// What stands behind; without it every path that is not known wants a token
    #[arg(long)]
    homeserver: Option<Homeserver>,
    /// Have the proxy ask about every token before it passes a request on
    #[arg(long)]
    forward_auth: bool,
    /// Address of a homeserver, for each of them; more than one are balanced by user
    #[arg(long = "upstream", value_name = "ADDR", default_value = "127.0.0.1:8008")]
    upstreams: Vec<SocketAddr>,
    /// Public address of a node, for each of them [default: where this one listens]
    #[arg(long = "node", value_name = "ADDR")]
    nodes: Vec<SocketAddr>,
    /// Where the proxy listens
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:80")]
    at: SocketAddr,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub(super) struct OfHaproxy {
    /// Print the program by which HAProxy asks instead
    #[arg(long)]
    lua: bool,
    #[command(flatten)]
    proxied: Proxied,
}

impl OfHaproxy {
    pub(super) fn run(self) -> Done {
        if self.lua { say(LUA.trim_end()) } else { self.proxied.run(Made::Haproxy) }
    }
}

impl Proxied {
    pub(super) fn run(self, proxy: Made) -> Done {
        let config = self.place.resolve(None, None)?;
        let text = match proxy {
            Made::Nginx => NGINX,
            Made::Haproxy => HAPROXY,
            Made::Caddy => CADDY,
        };
        let values = self.values(proxy, &config)?;
        let holds = |name: &str| match name {
            "synapse" => self.homeserver == Some(Homeserver::Synapse),
            _ => self.forward_auth,
        };
        say(render(text, &values, holds).trim_end())
    }

    /// What is filled in, by the names of the places.
    fn values(&self, proxy: Made, config: &Config) -> Result<[(&'static str, String); 9], Trouble> {
        let secret = config.forward_auth.secret_file.as_deref().map(Secret::read).transpose()?;
        let secret = secret.as_ref().map_or(NO_SECRET, Secret::reveal).to_owned();
        let own = [config.listen];
        let nodes = if self.nodes.is_empty() { &own } else { self.nodes.as_slice() };
        let bind = self.at.ip().to_string();
        Ok([
            ("command", self.command(proxy)),
            ("at", self.at.to_string()),
            ("site", format!(":{}", self.at.port())),
            ("bind", bind),
            ("server_name", config.server_name.as_str().to_owned()),
            ("internal", internal(proxy, &config.internal)?),
            ("secret", secret),
            ("nodes", servers(proxy, "node", nodes)),
            ("upstreams", servers(proxy, "homeserver", &self.upstreams)),
        ])
    }

    /// The command line that gives this text again.
    fn command(&self, proxy: Made) -> String {
        let mut command = String::from(match proxy {
            Made::Nginx => "amaretti config nginx",
            Made::Haproxy => "amaretti config haproxy",
            Made::Caddy => "amaretti config caddy",
        });
        if self.homeserver.is_some() {
            command.push_str(" --homeserver synapse");
        }
        if self.forward_auth {
            command.push_str(" --forward-auth");
        }
        command
    }
}

/// How a proxy writes where it asks.
fn internal(proxy: Made, address: &Address) -> Result<String, Trouble> {
    let Address::Unix(path) = address else { return Ok(address.to_string()) };
    let path = std::path::absolute(path)?.display().to_string();
    Ok(match proxy {
        Made::Nginx => format!("unix:{path}"),
        Made::Haproxy => format!("unix@{path}"),
        Made::Caddy => format!("unix/{path}"),
    })
}

/// The lines or words of servers that are balanced.
fn servers(proxy: Made, name: &str, addresses: &[SocketAddr]) -> String {
    let numbered = addresses.iter().zip(1..);
    let line = |(address, number): (&SocketAddr, u32)| match proxy {
        // More weight means more points on the ring of the hash: the servers get even shares.
        Made::Nginx => format!("    server {address} weight=20;"),
        Made::Haproxy => format!("    server {name}{number} {address}"),
        Made::Caddy => address.to_string(),
    };
    let lines: Vec<_> = numbered.map(line).collect();
    lines.join(if matches!(proxy, Made::Caddy) { " " } else { "\n" })
}

/// Fills in `{{name}}`, and leaves out the lines between `%if name`, `%else` and `%end` that do not
/// hold. Conditions stand side by side, never one in another.
fn render(text: &str, values: &[(&str, String)], holds: impl Fn(&str) -> bool) -> String {
    let (mut rendered, mut shown) = (String::new(), true);
    for line in text.lines() {
        match (line.strip_prefix("%if "), line) {
            (Some(name), _) => shown = holds(name),
            (None, "%else") => shown = !shown,
            (None, "%end") => shown = true,
            (None, _) if !shown => {}
            (None, line) => {
                let filled = values.iter().fold(line.to_owned(), |line, (name, value)| {
                    line.replace(&format!("{{{{{name}}}}}"), value)
                });
                rendered.push_str(&filled);
                rendered.push('\n');
            }
        }
    }
    rendered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_in_and_conditions_decided() {
        let text = "a {{x}}\n%if yes\nb {{x}} {{y}}\n%else\nc\n%end\n%if no\nd\n%else\ne\n%end\n";
        let values = [("x", "1".to_owned()), ("y", "2".to_owned())];

        assert_eq!(render(text, &values, |name| name == "yes"), "a 1\nb 1 2\ne\n");
    }
}
