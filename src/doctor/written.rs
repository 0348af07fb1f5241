//! Synapse's own configuration, as it is written, held against ours.
//!
//! This file refuses to know whether Synapse runs.

use std::path::Path;

use constant_time_eq::constant_time_eq;

use super::{Check, Finding, Installation};
use crate::homeserver::{HomeserverYaml, Proof};
use crate::secret::{self, Secret};

impl Installation<'_> {
    pub(super) fn homeserver_yaml(&self, path: &Path) -> Vec<Finding> {
        let yaml = match HomeserverYaml::read(path) {
            Ok(yaml) => yaml,
            Err(error) => {
                let advice = "name the file that Synapse is started with, and that you may read";
                return vec![Check::YamlName.bad(error.to_string(), advice)];
            }
        };
        let mut found = vec![self.same_server(&yaml), delegation(&yaml)];
        if let Some(endpoint) = &yaml.issuer {
            found.push(self.endpoint(endpoint));
            found.extend(self.proof(&yaml.proof));
        }
        found.extend([options(&yaml), listeners(&yaml), self.pepper(&yaml)]);
        found
    }

    fn same_server(&self, yaml: &HomeserverYaml) -> Finding {
        let ours = self.config.server_name.as_str();
        if yaml.server_name == ours {
            return Check::YamlName.good(ours);
        }
        Check::YamlName.bad(
            format!("it is for {}, and these settings are for {ours}", yaml.server_name),
            "set server_name to that of Synapse, or name the right homeserver.yaml",
        )
    }

    fn endpoint(&self, endpoint: &str) -> Finding {
        let (check, ours) = (Check::YamlEndpoint, self.config.internal.to_string());
        let advice = format!("set matrix_authentication_service.endpoint to http://{ours}/");
        let Some(at) = endpoint.trim_end_matches('/').strip_prefix("http://") else {
            return check.bad(format!("{endpoint} is not plain HTTP"), advice);
        };
        let (host, port) = at.rsplit_once(':').unwrap_or((at, "80"));
        let Some((our_host, our_port)) = ours.rsplit_once(':').filter(|_| !ours.contains('/'))
        else {
            return check.doubtful(
                format!("{endpoint} cannot be {ours}: Synapse does not speak to sockets"),
                "have something pass it on, or set `internal` to an address and a port",
            );
        };
        if port != our_port {
            return check.bad(format!("{endpoint} is not our internal address {ours}"), advice);
        }
        let near = |host: &str| ["localhost", "127.0.0.1", "[::1]"].contains(&host);
        let everywhere = ["0.0.0.0", "[::]"].contains(&our_host);
        if host == our_host || (near(host) && near(our_host)) || everywhere {
            return check.good(endpoint);
        }
        check.doubtful(format!("whether {endpoint} is {ours} cannot be told from here"), advice)
    }

    fn proof(&self, proof: &Proof) -> Option<Finding> {
        let check = Check::YamlSecret;
        let advice = "name the same file on both sides: homeserver.secret_file here, \
                      matrix_authentication_service.secret_path there";
        let ours = self.config.homeserver.secret_file.as_deref()?;
        let theirs = match proof {
            Proof::None => return Some(check.bad("it has no secret", advice)),
            Proof::Written(text) => text.clone(),
            Proof::File(path) if path == ours => return Some(check.good("both read one file")),
            Proof::File(path) => match secret::first_line(path) {
                Ok(text) => text,
                Err(error) => return Some(check.bad(error.to_string(), advice)),
            },
        };
        let ours = Secret::read(ours).ok()?;
        Some(if ours.is(theirs.trim_end().as_bytes()) {
            check.good("it is ours")
        } else {
            check.bad("it is not ours", advice)
        })
    }

    fn pepper(&self, yaml: &HomeserverYaml) -> Finding {
        let check = Check::YamlPepper;
        let file = self.config.password_hashing.pepper_file.as_deref();
        let ours = match file.map(secret::first_line).transpose() {
            Ok(ours) => ours.unwrap_or_default(),
            Err(error) => return check.bad(error.to_string(), PEPPER),
        };
        let same = constant_time_eq(ours.as_bytes(), yaml.pepper.as_bytes());
        match (same, ours.is_empty()) {
            (true, true) => check.good("there is none on either side"),
            (true, false) => check.good("it is the same on both sides"),
            (false, _) => check.bad("no password that Synapse hashed would fit here", PEPPER),
        }
    }
}

const PEPPER: &str = "write password_config.pepper into a file of mode 0600 and name it by \
                      password_hashing.pepper_file";

fn delegation(yaml: &HomeserverYaml) -> Finding {
    let check = Check::YamlDelegation;
    if yaml.experiment {
        return check.bad(
            "experimental_features.msc3861 is still there",
            "take it out: matrix_authentication_service has taken its place",
        );
    }
    match &yaml.issuer {
        Some(_) => check.good("Synapse leaves its tokens to others"),
        None => check.bad(
            "matrix_authentication_service is not on",
            "set its enabled, endpoint and secret_path, and start Synapse again",
        ),
    }
}

fn options(yaml: &HomeserverYaml) -> Finding {
    let check = Check::YamlOptions;
    if yaml.conflicts.is_empty() {
        return check.good("nothing is in the way");
    }
    check.bad(
        format!("Synapse does not start with {}", yaml.conflicts.join(", ")),
        "take them out: passwords, registration and lives of tokens are set here",
    )
}

fn listeners(yaml: &HomeserverYaml) -> Finding {
    let check = Check::YamlListeners;
    let Some(first) = yaml.listeners.first() else {
        return check.bad("no listener serves clients", "add one with the resource client");
    };
    match yaml.listeners.iter().find(|listener| !listener.x_forwarded) {
        Some(listener) => check.doubtful(
            format!("that at port {} takes every request for the proxy's own", listener.port),
            "set x_forwarded: true there, as behind any proxy",
        ),
        None => check.good(format!("clients are served at port {}", first.port)),
    }
}
