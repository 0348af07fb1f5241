//! How values are written, and the pages that are made of the definition.

use super::*;

#[test]
fn durations_are_written_with_one_unit() {
    let good = [("0ms", 0), ("250ms", 250), ("30s", 30_000), ("15m", 900_000), ("1h", 3_600_000)];
    for (text, ms) in good.into_iter().chain([("7d", 604_800_000), ("007d", 604_800_000)]) {
        assert_eq!(parse_duration(text), Ok(ms), "{text}");
    }
    for bad in
        ["", "5", "m", "5 m", " 5m", "5m ", "+5m", "-5m", "5M", "1h30m", "1.5h", "5min", "٥m"]
    {
        assert_eq!(parse_duration(bad), Err(DurationError::Form), "{bad}");
    }
    for long in ["281474976710656ms", "99999999999999999999999s", "18446744073709551615d"] {
        assert_eq!(parse_duration(long), Err(DurationError::TooLong), "{long}");
    }
    let shown = [0, 1, 1500, 90_000, 86_400_000].map(|ms| Millis::new(ms).to_string());
    assert_eq!(shown, ["0ms", "1ms", "1500ms", "90s", "1d"]);
}

#[test]
fn sizes_are_written_in_bytes_or_with_one_unit() {
    for (text, bytes) in [("0", 0), ("65536", 65_536), ("64KiB", 65_536), ("1MiB", 1_048_576)] {
        assert_eq!(parse_size(text), Ok(bytes), "{text}");
    }
    for bad in ["", "KiB", "64 KiB", "64kB", "64K", "1GiB", "-1", "1.5MiB"] {
        assert_eq!(parse_size(bad), Err(SizeError::Form), "{bad}");
    }
    assert_eq!(parse_size("18446744073709551615KiB"), Err(SizeError::TooLarge));
    assert_eq!(
        [0, 1, 1025, 65_536].map(|n| Bytes::new(n).to_string()),
        ["0", "1", "1025", "64KiB"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn durations_and_sizes_are_read_as_they_are_written(n in 0_u64..1 << 48) {
        prop_assert_eq!(parse_duration(&Millis::new(n).to_string()), Ok(n));
        prop_assert_eq!(parse_size(&Bytes::new(n).to_string()), Ok(n));
    }

    #[test]
    fn no_text_whatever_breaks_the_readers(text in any::<String>()) {
        let _ = (Config::parse(&text), parse_duration(&text), parse_size(&text));
    }

    #[test]
    fn no_value_whatever_breaks_the_readers(key in 0_usize..18, text in any::<String>()) {
        let (settings, _) = settings();
        let key = &settings[key % settings.len()].0;
        let flags = Overrides::default().with(key, Some(text));
        if let Err(error) = Config::load(flags, NOTHING, Some("/dev/null".into())) {
            prop_assert!(!error.to_string().contains(char::is_control), "{:?}", error);
        }
    }
}

/// Every setting of the example that has a default, with it, and every variable of those.
pub(crate) fn settings() -> (Vec<(String, String)>, Vec<String>) {
    let (mut found, mut variables, mut section) = (Vec::new(), Vec::new(), String::new());
    let example = Config::example();
    let mut variable = "";
    for line in example.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.replace(']', ".");
        } else if let Some(name) = line.strip_prefix("# Environment: ") {
            variable = name;
        } else if let Some((key, value)) = line.strip_prefix('#').and_then(|l| l.split_once(" = "))
            && !line.starts_with("# ")
            && !value.starts_with(' ')
        {
            found.push((format!("{section}{key}"), value.trim_matches('"').to_owned()));
            variables.push(variable.to_owned());
        }
    }
    (found, variables)
}

#[test]
fn the_example_shows_the_defaults() {
    let example = Config::example();
    let uncommented: String = example
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') && !rest.ends_with("# not set") => rest,
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();

    let defaults = Config::parse("").unwrap();
    assert_eq!(Config::parse(&example).unwrap(), defaults);
    assert_eq!(Config::parse(&uncommented).unwrap(), defaults);
    assert_eq!(
        uncommented.lines().filter(|l| l.contains(" = ") && !l.starts_with('#')).count(),
        settings().0.len()
    );
    assert!(example.lines().all(|line| line.len() <= 100), "{example}");
}

#[test]
fn the_checked_in_pages_are_those_of_the_definition() {
    let pages = [
        ("docs/amaretti.example.toml", Config::example(), "amaretti config example"),
        ("docs/configuration.md", Config::reference(), "amaretti config reference"),
    ];
    for (path, page, command) in pages {
        let checked_in = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let checked_in = fs::read_to_string(checked_in).unwrap_or_default();
        assert!(checked_in == page, "{path} is out of date; write it with: {command} > {path}");
    }
}
