//! Holds the table of what requests do to a list of the specification's endpoints, both ways.
//!
//! Two files in `tests/endpoints`: what the specification has, and what stands in the table besides,
//! each with its reason.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use amaretti::occasion::{Auth, PathScratch, ROUTES, request};

/// One line of a list.
struct Endpoint {
    method: String,
    auth: String,
    path: String,
}

fn list(name: &str) -> Vec<Endpoint> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/endpoints").join(name);
    let text = fs::read_to_string(&path).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let endpoint = |line: &str| {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        let [method, auth, path] = words.try_into().unwrap_or_else(|_| panic!("{name}: {line}"));
        Endpoint { method, auth, path }
    };
    lines.map(endpoint).collect()
}

/// A path whatever its placeholders are called, and whichever of the two versions it is under.
fn shape(path: &str) -> String {
    let path = path.replace("/client/r0/", "/client/v3/").replace("/media/r0/", "/media/v3/");
    let piece = |piece: &str| if piece.starts_with('{') { "{}".into() } else { piece.to_owned() };
    path.split('/').map(piece).collect::<Vec<_>>().join("/")
}

fn shapes(list: &[Endpoint]) -> BTreeSet<(String, String)> {
    list.iter().map(|endpoint| (endpoint.method.clone(), shape(&endpoint.path))).collect()
}

/// A request to an endpoint, with something in the place of its placeholders.
fn sample(path: &str) -> String {
    let piece = |piece: &str| match piece {
        "{roomId}" | "{roomIdOrAlias}" => "!r:hs".to_owned(),
        piece => piece.trim_matches(['{', '}']).to_owned(),
    };
    path.split('/').map(piece).collect::<Vec<_>>().join("/")
}

#[test]
fn every_endpoint_of_the_specification_is_in_the_table() {
    let list = list("specification.txt");
    assert!(list.len() > 160, "the list has only {} endpoints", list.len());

    for Endpoint { method, auth, path } in list {
        let mut scratch = PathScratch::new();
        let path = sample(&path);
        let found = request(&method, &path, &mut scratch).unwrap();
        assert!(found.known, "{method} {path} is missing");
        // Where the specification wants no token we judge one that is sent, or never look.
        let fits = match auth.as_str() {
            "required" => found.auth == Auth::Required,
            "optional" => found.auth == Auth::Optional,
            "none" => found.auth != Auth::Required,
            other => panic!("{other}?"),
        };
        assert!(fits, "{method} {path} is {auth} in the specification, {:?} here", found.auth);
    }
}

#[test]
fn whatever_else_is_in_the_table_has_its_reason() {
    let known = shapes(&list("specification.txt"));
    let besides = shapes(&list("besides.txt"));

    let mut found = BTreeSet::new();
    for route in ROUTES {
        for method in route.methods {
            let shapes: Vec<_> = route.paths().map(|path| shape(&path)).collect();
            let listed =
                |shape: &String| known.contains(&(method.name().to_owned(), shape.clone()));
            if !shapes.iter().any(listed) {
                let first = shapes.first().unwrap().clone();
                found.insert((method.name().to_owned(), first));
            }
        }
    }

    let unexplained: Vec<_> = found.difference(&besides).collect();
    assert!(unexplained.is_empty(), "say why in tests/endpoints/besides.txt: {unexplained:#?}");
    let gone: Vec<_> = besides.difference(&found).collect();
    assert!(gone.is_empty(), "take these out of tests/endpoints/besides.txt: {gone:#?}");
}

#[test]
fn besides_are_judged_as_they_say() {
    for Endpoint { method, auth, path } in list("besides.txt") {
        let mut scratch = PathScratch::new();
        let path = sample(&path);
        let found = request(&method, &path, &mut scratch).unwrap();
        let said = match found.auth {
            Auth::Required => "required",
            Auth::Optional => "optional",
            Auth::None => "none",
        };
        assert!(found.known && said == auth, "{method} {path}: {said}, not {auth}");
    }
}

#[test]
fn no_endpoint_is_listed_twice() {
    for name in ["specification.txt", "besides.txt"] {
        let list = list(name);
        assert_eq!(shapes(&list).len(), list.len(), "{name}");
    }
}
