//! How a proxy describes the request it asks about: one family of headers for each proxy.
//!
//! A client can send any header, and a proxy passes on those it does not know. So one family is
//! read, all of it, and the headers of every other are refused. This file refuses to know tokens.

use std::net::IpAddr;

use axum::http::HeaderValue;
use axum::http::request::Parts;

use super::Face;
use super::answer::Outcome;
use crate::config::Proxy;

/// Where forward-auth is asked; Envoy puts the path of the request behind it.
pub(super) const FORWARD_AUTH: &str = "/_amaretti/forward-auth";

/// A request as a proxy tells of it.
pub(super) struct Asked<'r> {
    pub(super) method: &'r str,
    /// As the client has sent it, encoded.
    pub(super) path: &'r str,
    pub(super) query: Option<&'r str>,
    /// Where the client is, if that can be read.
    pub(super) address: Option<IpAddr>,
}

/// The headers a request is described in, each of which may be there once.
#[derive(Default)]
struct Described<'r> {
    secret: Option<&'r HeaderValue>,
    original: Pair<'r>,
    ours: Pair<'r>,
    forwarded: Pair<'r>,
    real_ip: Option<&'r HeaderValue>,
    our_address: Option<&'r HeaderValue>,
    is_forwarded_for: bool,
}

/// Method and target by one family.
#[derive(Clone, Copy, Default)]
struct Pair<'r> {
    method: Option<&'r HeaderValue>,
    target: Option<&'r HeaderValue>,
}

impl<'r> Described<'r> {
    fn read(request: &'r Parts) -> Result<Self, Outcome> {
        let mut found = Self::default();
        for (name, value) in &request.headers {
            let slot = match name.as_str() {
                "x-amaretti-secret" => &mut found.secret,
                "x-original-method" => &mut found.original.method,
                "x-original-uri" | "x-original-url" => &mut found.original.target,
                "x-real-ip" => &mut found.real_ip,
                "x-amaretti-method" => &mut found.ours.method,
                "x-amaretti-uri" => &mut found.ours.target,
                "x-amaretti-address" => &mut found.our_address,
                "x-forwarded-method" => &mut found.forwarded.method,
                "x-forwarded-uri" => &mut found.forwarded.target,
                "x-forwarded-for" => {
                    found.is_forwarded_for = true;
                    continue;
                }
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(Outcome::BadProxy(
                    "a header that describes the request is there twice",
                ));
            }
        }
        Ok(found)
    }

    /// The header of a family that is not that of this proxy.
    fn of_another(&self, proxy: Proxy) -> Option<&'static str> {
        let named = |pair: Pair<'_>, method, target| {
            pair.method.map(|_| method).or(pair.target.map(|_| target))
        };
        let original = || named(self.original, "X-Original-Method", "X-Original-URI");
        let ours = || named(self.ours, "X-Amaretti-Method", "X-Amaretti-Uri");
        let forwarded = || named(self.forwarded, "X-Forwarded-Method", "X-Forwarded-Uri");
        match proxy {
            Proxy::Nginx => ours().or_else(forwarded),
            Proxy::Haproxy => original().or_else(forwarded),
            Proxy::Caddy | Proxy::Traefik => original().or_else(ours),
            Proxy::Envoy => original().or_else(ours).or_else(forwarded),
        }
    }
}

impl Face {
    /// What a proxy asks about.
    ///
    /// # Errors
    /// [`Outcome::BadProxy`] without the secret or a header of the family;
    /// [`Outcome::OtherProxy`] with one of another family.
    pub(super) fn asked<'r>(&self, request: &'r Parts) -> Result<Asked<'r>, Outcome> {
        let forward_auth = self.forward_auth.as_ref().ok_or(Outcome::UnknownPath)?;
        let found = Described::read(request)?;
        if !found.secret.is_some_and(|secret| forward_auth.secret.is(secret.as_bytes())) {
            return Err(Outcome::BadProxy("it does not send the secret in X-Amaretti-Secret"));
        }
        if let Some(name) = found.of_another(forward_auth.proxy) {
            return Err(Outcome::OtherProxy(name));
        }
        let single = |value: Option<&HeaderValue>| {
            Some(value?.to_str().ok()?.parse::<IpAddr>().ok()).map(|parsed| (true, parsed))
        };
        let (pair, (is_told, address)) = match forward_auth.proxy {
            Proxy::Nginx => (found.original, single(found.real_ip).unwrap_or_default()),
            Proxy::Haproxy => (found.ours, single(found.our_address).unwrap_or_default()),
            Proxy::Caddy | Proxy::Traefik | Proxy::Envoy => {
                (found.forwarded, (found.is_forwarded_for, self.forwarded(request)))
            }
        };
        if !is_told {
            return Err(Outcome::BadProxy("it does not tell the address of the client"));
        }
        if forward_auth.proxy == Proxy::Envoy {
            let target = request.uri.path_and_query().map_or("", |target| target.as_str());
            let target = target.strip_prefix(FORWARD_AUTH).unwrap_or_default();
            return Asked::new(request.method.as_str(), target, address);
        }
        let missing = Outcome::BadProxy("it does not tell the method and the URI of the request");
        let text = |value: Option<&'r HeaderValue>| value?.to_str().ok();
        let (Some(method), Some(target)) = (text(pair.method), text(pair.target)) else {
            return Err(missing);
        };
        Asked::new(method, target, address)
    }

    /// Behind proxies alone, the outermost of them is the client.
    fn forwarded(&self, request: &Parts) -> Option<IpAddr> {
        let first = request.headers.get(super::bearer::FORWARDED_FOR)?.to_str().ok()?;
        let first = first.split(',').next()?.trim().parse().ok()?;
        self.forwarded_for(&request.headers, first)
    }
}

impl<'r> Asked<'r> {
    fn new(method: &'r str, target: &'r str, address: Option<IpAddr>) -> Result<Self, Outcome> {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        if method.is_empty() || path.is_empty() {
            return Err(Outcome::BadProxy("it tells of a request without a method or a path"));
        }
        Ok(Self { method, path, query, address })
    }
}
