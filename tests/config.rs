//! Settings: which of several places wins, what is refused and in which words, and that the
//! checked-in example and reference are those of the definition.
#![cfg(test)]
#![cfg(feature = "server")]

#[path = "config/faces.rs"]
mod faces;
#[path = "config/written.rs"]
mod written;

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use amaretti::config::{
    Bytes, Config, ConfigError, DurationError, Life, LogFormat, Millis, Origin, Overrides,
    SizeError, parse_duration, parse_size,
};
use proptest::prelude::*;

use written::settings;

const NOTHING: [(&str, &str); 0] = [];

/// Loads from a file with this text, these variables and these flags.
fn load(
    file: &str,
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.toml");
    fs::write(&path, file).unwrap();
    let flag = |all: Overrides, (key, value): &(&str, &str)| all.with(key, Some((*value).into()));
    let overrides = flags.iter().fold(Overrides::default(), flag);
    Config::load(overrides, environment.iter().copied(), Some(path))
}

/// What is said about a file with this text, without the name of the file.
fn said(file: &str) -> String {
    let error = Config::parse(file).expect_err("this should have been refused").to_string();
    error.strip_prefix("amaretti.toml, ").map(String::from).unwrap_or(error)
}

#[test]
fn without_any_configuration_a_node_has_its_defaults() {
    let config = Config::parse("").unwrap();

    assert_eq!(config.listen.to_string(), "127.0.0.1:8009");
    assert_eq!(config.internal.to_string(), "127.0.0.1:8010");
    assert_eq!(
        (config.data.as_path(), config.keys.as_path()),
        (Path::new("data"), Path::new("keys"))
    );
    assert_eq!(config.server_name.as_str(), "localhost");
    assert_eq!(config.access_token_lifetime, Millis::new(900_000));
    assert_eq!(config.access_token_cap, None);
    assert_eq!(config.login_token_lifetime, Millis::new(120_000));
    assert!(config.query_token);
    assert_eq!(config.max_staleness, Millis::new(300_000));
    assert_eq!(config.no_feed_lifetime, Life::AtMost(Millis::new(300_000)));
    assert_eq!(config.request_body_limit, Bytes::new(65_536));
    assert_eq!(config.request_timeout.duration().as_secs(), 30);
    assert_eq!((config.log.as_str(), config.log_format), ("info", LogFormat::Text));
    let hashing = &config.password_hashing;
    assert_eq!((hashing.at_once, hashing.memory_kib), (2, 19_456));
    assert_eq!((hashing.iterations, hashing.parallelism), (2, 1));
}

#[test]
fn flags_come_before_variables_before_the_file_before_defaults() {
    let file = "data = 'from file'\nkeys = 'from file'\nserver_name = 'file.example'\n";
    let environment =
        [("AMARETTI_KEYS", "from variable"), ("AMARETTI_SERVER_NAME", "variable.example")];
    let config = load(file, &environment, &[("server_name", "flag.example")]).unwrap();

    assert_eq!(config.server_name.as_str(), "flag.example");
    assert_eq!(config.keys, Path::new("from variable"));
    assert_eq!(config.data, Path::new("from file"));
    assert_eq!(config.log, "info");
}

#[test]
fn every_setting_has_the_variable_of_its_name() {
    let (file, variables) = settings();
    for ((key, value), variable) in file.iter().zip(&variables) {
        assert_eq!(variable, &format!("AMARETTI_{}", key.replace('.', "_").to_uppercase()));
        let by_variable =
            Config::load(Overrides::default(), [(variable, value)], Some("/dev/null".into()));
        assert_eq!(by_variable.unwrap(), Config::parse("").unwrap(), "{key}");
    }
}

#[test]
fn a_value_means_the_same_wherever_it_is_written() {
    let file = "query_token = false\nlog_format = 'json'\nlisten = '[::1]:0'\n\
                access_token_cap = '36h'\npassword_hashing = { at_once = 0, memory_kib = 0x100 }\n";
    let values = [
        ("query_token", "false"),
        ("log_format", "json"),
        ("listen", "[::1]:0"),
        ("access_token_cap", "36h"),
        ("password_hashing.at_once", "0"),
        ("password_hashing.memory_kib", "256"),
    ];
    let names = values.map(|(key, _)| format!("AMARETTI_{}", key.replace('.', "_").to_uppercase()));
    let variables: Vec<_> =
        names.iter().zip(values).map(|(name, (_, v))| (name.as_str(), v)).collect();
    let by_file = Config::parse(file).unwrap();

    assert_eq!(by_file.access_token_cap, Some(Millis::new(36 * 3_600_000)));
    assert!(by_file.password_hashing.slots().get() >= 1);
    assert_eq!(load("", &variables, &[]).unwrap(), by_file);
    assert_eq!(load("", &[], &values).unwrap(), by_file);
}

#[test]
fn a_section_may_be_written_in_every_way_toml_has() {
    let ways = [
        "[password_hashing]\niterations = 7",
        "password_hashing.iterations = 7",
        "password_hashing = { iterations = 7 }",
        "'password_hashing'.\"iterations\" = '7'",
    ];
    for way in ways {
        assert_eq!(Config::parse(way).unwrap().password_hashing.iterations, 7, "{way}");
    }
}

#[test]
fn an_error_names_the_place_the_setting_the_value_and_what_is_allowed() {
    let why = "max_staleness = \"5 min\": a duration is a whole number and a unit without a space: \
               250ms, 30s, 15m, 1h or 7d";
    let text = |error: Result<Config, ConfigError>| error.unwrap_err().to_string();

    assert_eq!(said("\n\nmax_staleness = '5 min'"), format!("line 3: {why}"));
    let error = text(load("", &[("AMARETTI_MAX_STALENESS", "5 min")], &[]));
    assert_eq!(error, format!("environment variable AMARETTI_MAX_STALENESS: {why}"));
    let error = text(load("", &[], &[("max_staleness", "5 min")]));
    assert_eq!(error, format!("flag --max-staleness: {why}"));
    let error = text(load("max_staleness = '5 min'", &[], &[]));
    assert!(error.contains("/test.toml, line 1: max_staleness"), "{error}");
}

#[test]
fn a_value_that_another_comes_before_is_checked_too() {
    let error = load("log = ''", &[("AMARETTI_LOG", "debug")], &[]).unwrap_err();

    assert!(matches!(error, ConfigError::Invalid { origin: Origin::File(_, 1), .. }), "{error}");
}

/// A file of one line, and words of what is said about it.
const BAD: &[(&str, &str)] = &[
    ("listen = 'localhost:8009'", "127.0.0.1:8009"),
    ("listen = 8009", "127.0.0.1:8009"),
    ("internal = '127.0.0.1'", "a port"),
    ("data = ''", "a folder's path"),
    ("keys = \"a\\u0000b\"", "a folder's path"),
    ("server_name = 'a b'", "example.com"),
    ("access_token_lifetime = '0s'", "from 1s to 365d"),
    ("access_token_lifetime = '366d'", "from 1s to 365d"),
    ("access_token_lifetime = 900", "250ms, 30s"),
    ("access_token_cap = 'never'", "250ms, 30s"),
    ("login_token_lifetime = '25h'", "from 1s to 1d"),
    ("query_token = 'yes'", "true or false"),
    ("query_token = 1", "true or false"),
    ("max_staleness = '8d'", "from 1s to 7d"),
    ("no_feed_lifetime = '1.5h'", "250ms, 30s"),
    ("request_body_limit = '64kB'", "64KiB"),
    ("request_body_limit = -1", "64KiB"),
    ("request_body_limit = 4095", "from 4KiB to 16MiB"),
    ("request_timeout = '11m'", "from 1s to 10m"),
    ("log = 'inof'", "off, error, warn"),
    ("log = 'info,sqlx=loud'", "off, error, warn"),
    ("log_format = 'xml'", "text or json"),
    ("audit = '/var/log/'", "a file's path, stdout or stderr"),
    ("node_name = 'web 1'", "A-Z a-z 0-9 . _ : -"),
    ("password_hashing.at_once = 1025", "from 0 to 1024"),
    ("password_hashing.memory_kib = 7", "from 8 to 4194304"),
    ("password_hashing.iterations = 0", "from 1 to 1000"),
    ("password_hashing.parallelism = 2.0", "from 1 to 64"),
    ("log = ['info']", "a single value"),
    ("log.level = 'info'", "a single value"),
    ("password_hashing = 2", "name of a section"),
    ("[[password_hashing]]", "name of a section"),
];

#[test]
fn values_that_a_setting_cannot_have_are_refused() {
    for (file, allowed) in BAD {
        let said = said(file);
        let key = file.trim_start_matches('[').split([' ', ']']).next().unwrap();
        let key = key.strip_suffix(".level").unwrap_or(key);
        assert!(said.starts_with(&format!("line 1: {key} = ")), "{file}: {said}");
        assert!(said.contains(allowed), "{file}: {said}");
    }
}

#[test]
fn a_filter_may_name_parts_of_the_program() {
    for good in ["off", "INFO", "info,sqlx=warn,amaretti::http=trace", "warn,[request]=debug"] {
        assert_eq!(Config::parse(&format!("log = '{good}'")).unwrap().log, good);
    }
}

#[test]
fn settings_that_contradict_each_other_are_refused_where_one_was_written() {
    assert!(said("internal = '127.0.0.1:8009'").starts_with("line 1: internal = "));
    assert!(said("internal = '0.0.0.0:8009'").contains("clients must not reach it"));
    assert!(said("listen = '[::]:8010'").starts_with("default: internal = \"127.0.0.1:8010\""));
    assert!(Config::parse("listen = '127.0.0.1:0'\ninternal = '127.0.0.1:0'").is_ok());
    assert!(Config::parse("internal = '127.0.0.2:8009'").is_ok());

    let error = said("[password_hashing]\nmemory_kib = 31\nparallelism = 4");
    assert!(error.starts_with("line 2: password_hashing.memory_kib = \"31\""), "{error}");
    assert!(error.contains("32 or more"), "{error}");
}

#[test]
fn a_name_that_no_setting_bears_is_refused_with_the_nearest_one() {
    let nearest = [
        ("lisen = ''", "lisen", "listen"),
        (
            "\n[password_hashing]\nmemory = 1",
            "password_hashing.memory",
            "password_hashing.memory_kib",
        ),
        ("[sever_name]", "sever_name", "server_name"),
        ("max-staleness = '5m'", "max-staleness", "max_staleness"),
        ("'a\nb' = 1", "", ""),
        ("\"a\\nb\" = 1", "a\\nb", "data"),
    ];
    for (file, name, nearest) in nearest {
        match Config::parse(file) {
            Err(ConfigError::Unknown { name: found, nearest: near, .. }) => {
                assert_eq!((found.as_str(), near.as_str()), (name, nearest), "{file}");
            }
            Err(ConfigError::Syntax { .. }) if name.is_empty() => {}
            other => panic!("{file}: {other:?}"),
        }
    }
    assert_eq!(
        load("", &[("AMARETTI_LISTN", "x")], &[]).unwrap_err().to_string(),
        "environment variable AMARETTI_LISTN: there is no setting `AMARETTI_LISTN`: the nearest is \
         `AMARETTI_LISTEN`, and `amaretti config example` shows all of them"
    );
    let flag = load("", &[], &[("kesy", "x")]).unwrap_err().to_string();
    assert!(
        flag.starts_with("flag --kesy: there is no setting `kesy`: the nearest is `keys`"),
        "{flag}"
    );
}

#[test]
fn what_is_not_toml_is_refused_with_its_line() {
    for (file, line) in [("listen", 1), ("\n\nlog = ", 3), ("log = 1\nlog = 2", 2), ("é = 1", 1)] {
        let error = Config::parse(file).unwrap_err();
        let ConfigError::Syntax { origin: Origin::File(_, found), .. } = error else {
            panic!("{error}")
        };
        assert_eq!(found, line, "{file:?}");
    }
}

#[test]
fn a_database_is_a_url_that_verifies_what_it_seems_to() {
    for good in [
        "postgres://db.example.com/amaretti",
        "postgresql://amaretti:secret@[::1]:5433/amaretti?sslmode=verify-full",
        "postgres://db/amaretti?sslmode=verify-ca&sslrootcert=/etc/ca.crt",
        "postgres:///amaretti?host=/run/postgresql",
    ] {
        let config = load("", &[("AMARETTI_DATABASE", good)], &[]).unwrap();
        assert_eq!(config.database.unwrap().expose(), good);
    }
    for (bad, why) in [
        ("data", "a URL is wanted"),
        ("mysql://db/amaretti", "a URL is wanted"),
        ("postgres://db/ama retti", "a URL is wanted"),
        ("postgres://db/amaretti?sslmod=require", "its parameters may be sslmode"),
        ("postgres://db/amaretti?sslmode=verify", "sslmode may be"),
        ("postgres://db/amaretti?sslmode=allow", "sslmode may be"),
        ("postgres://db/amaretti?sslmode=require&sslrootcert=ca.crt", "verifies nothing"),
        ("postgres://db/amaretti?sslrootcert=ca.crt", "verifies nothing"),
    ] {
        let error = load("", &[("AMARETTI_DATABASE", bad)], &[]).unwrap_err().to_string();
        assert!(error.contains(why), "{bad}: {error}");
    }
}

#[test]
fn the_password_of_a_database_is_shown_by_no_error_and_no_configuration() {
    let bad = "postgres://amaretti:geheim@db/amaretti?sslmode=maybe";
    let error = load("", &[("AMARETTI_DATABASE", bad)], &[]).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("geheim"), "{error:?}");
    let good = "postgres://amaretti:geheim@db/amaretti";
    let config = load(&format!("database = {good:?}"), &[], &[]).unwrap();
    assert!(!format!("{config:?}").contains("geheim"), "{config:?}");
}

#[test]
fn long_and_odd_values_are_shown_cut_and_escaped() {
    let error = said(&format!("log = \"\\u001b[31m\\n{}\"", "x".repeat(10_000)));

    assert!(error.len() < 500, "{error}");
    assert!(error.contains(r"\u{1b}[31m\n") && !error.contains('\u{1b}'), "{error}");
}

#[test]
fn variables_of_others_and_empty_ones_are_passed_over() {
    let environment = [
        ("PATH", "/bin"),
        ("AMARETTI", "x"),
        ("AMARETTI_LISTEN", ""),
        ("AMARETTI_SERVICE_HOST", "10.0.0.1"),
        ("AMARETTI_SERVICE_PORT", "8009"),
        ("AMARETTI_SERVICE_PORT_HTTP", "8009"),
        ("AMARETTI_PORT", "tcp://10.0.0.1:8009"),
        ("AMARETTI_PORT_8009_TCP", "tcp://10.0.0.1:8009"),
        ("AMARETTI_PORT_8009_TCP_ADDR", "10.0.0.1"),
        ("AMARETTI_INTERNAL_SERVICE_HOST", "10.0.0.2"),
        ("AMARETTI_INTERNAL_PORT_8010_TCP_PROTO", "tcp"),
    ];
    assert_eq!(load("", &environment, &[]).unwrap(), Config::parse("").unwrap());
    // What a person meant as a setting is not passed over.
    assert!(load("", &[("AMARETTI_PORT", "8009")], &[]).is_err());
}

#[test]
fn variables_that_are_not_utf8_are_refused_if_they_are_ours() {
    let odd = || OsString::from_vec(vec![b'a', 0xff]);
    let load = |name: OsString| {
        Config::load(Overrides::default(), [(name, odd())], Some("/dev/null".into()))
    };
    assert!(load("HOME".into()).is_ok());
    assert!(load(odd()).is_ok());
    let error = load("AMARETTI_DATA".into()).unwrap_err().to_string();
    assert!(error.starts_with("environment variable AMARETTI_DATA: data = "), "{error}");
    assert!(error.ends_with("not UTF-8"), "{error}");
}

#[test]
fn the_file_may_be_named_by_a_variable_and_a_flag_comes_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (one, two) = (path("one", "log = 'warn'"), path("two", "log = 'error'"));
    let load = |file: Option<PathBuf>| {
        Config::load(Overrides::default(), [("AMARETTI_CONFIG", &one)], file).unwrap().log
    };
    assert_eq!(load(None), "warn");
    assert_eq!(load(Some(two)), "error");
}

#[test]
fn a_file_that_was_named_has_to_exist() {
    let error = Config::load(Overrides::default(), NOTHING, Some("/no/such.toml".into()));
    let error = error.unwrap_err().to_string();

    assert!(error.starts_with("cannot read /no/such.toml: "), "{error}");
    assert!(error.ends_with("name a file that exists, or none to run on defaults"), "{error}");
}

/// The current folder belongs to the whole process, so this test starts others in folders of their
/// own.
#[test]
fn the_file_of_the_current_folder_is_read_if_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let complaint = || {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_amaretti"));
        let output = program.args(["user", "list"]).current_dir(folder.path()).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(complaint().contains("no database in data:"), "{}", complaint());
    fs::write(folder.path().join("amaretti.toml"), "data = 'elsewhere'").unwrap();
    assert!(complaint().contains("no database in elsewhere:"), "{}", complaint());
    fs::write(folder.path().join("amaretti.toml"), "log = 'x'").unwrap();
    assert!(complaint().contains("amaretti.toml, line 1: "), "{}", complaint());
}
