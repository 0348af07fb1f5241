//! What holds for every text of a configuration file, and for every duration and size.

use amaretti::config::{Address, Bytes, Config, Millis, parse_duration, parse_size};

/// Takes the bytes for a file, for a duration and for a size.
pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(ms) = parse_duration(&text) {
        assert_eq!(parse_duration(&Millis::new(ms).to_string()), Ok(ms));
    }
    if let Ok(bytes) = parse_size(&text) {
        assert_eq!(parse_size(&Bytes::new(bytes).to_string()), Ok(bytes));
    }
    match Config::parse(&text) {
        Ok(config) => judge(&config),
        Err(error) => {
            let said = error.to_string();
            let odd = said.contains(|c: char| c.is_control() && c != '\n');
            assert!(!odd, "an error repeats a control character: {said:?}");
        }
    }
}

/// What the rest of the program takes for granted.
fn judge(config: &Config) {
    let lives = [config.access_token_lifetime, config.login_token_lifetime];
    let lives = lives.into_iter().chain(config.access_token_cap);
    let waits = [config.request_timeout, config.max_staleness];
    assert!(lives.chain(waits).all(|time| time.get() >= 1000), "an instant is no life");
    assert!((4096..=16 << 20).contains(&config.request_body_limit.get()));
    assert!(!config.server_name.as_str().is_empty());
    assert!(!config.data.as_os_str().is_empty() && !config.keys.as_os_str().is_empty());
    let hashing = &config.password_hashing;
    assert!(hashing.slots().get() <= 1024 && hashing.iterations > 0);
    assert!(hashing.parallelism > 0 && hashing.memory_kib >= 8 * hashing.parallelism);
    let port = config.listen.port();
    assert!(
        port == 0 || Address::Tcp(config.listen) != config.internal,
        "clients reach the internal face"
    );
}
