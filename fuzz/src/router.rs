//! What holds for whatever is sent to a running node: it is never the node's fault, what is refused
//! says so as the client API wants it, and no answer tells more than it must.

#[path = "router/input.rs"]
mod input;
#[path = "router/node.rs"]
mod node;
#[path = "router/tables.rs"]
mod tables;
#[path = "router/words.rs"]
mod words;

use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

use input::{Asked, Input, Step};
use node::Node;
use words::Words;

thread_local! {
    static NODE: Node = Node::new();
}

/// An answer as it arrived.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
    /// The body as JSON; `Null` when it is none.
    json: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn is(&self, kind: &str) -> bool {
        self.header("content-type").starts_with(kind)
    }
}

/// Takes the bytes for what a newcomer sends, request by request.
pub(crate) fn run(data: &[u8]) {
    NODE.with(|node| {
        let mut words = node.newcomer();
        let mut input = Input::new(data);
        while let Some(step) = input.step(&words) {
            match step {
                Step::Wait(ms) => node.wait(ms),
                Step::Ask(asked) => ask(node, &asked, &mut words),
            }
        }
    });
}

/// Asks both faces; what the public one gives away may be brought in the requests that follow.
fn ask(node: &Node, asked: &Asked, words: &mut Words) {
    let (Some(public), Some(internal)) = (asked.request(), asked.request()) else { return };
    let answer = node.ask_public(public);
    judge(asked, &answer, words);
    for name in ["origin", "methods", "headers"] {
        let name = format!("access-control-allow-{name}");
        assert!(!answer.header(&name).is_empty(), "no {name}: {}", told(asked, &answer));
    }
    words.learn(&answer.json);
    judge(asked, &node.ask_internal(internal), words);
}

fn judge(asked: &Asked, answer: &Answer, words: &Words) {
    let told = || told(asked, answer);
    let (good, refused) = (answer.status.is_success(), answer.status.is_client_error());
    assert!(good || refused, "neither done nor refused: {}", told());
    // An answer to HEAD has no body, and the answer to a preflight is in its headers.
    if asked.method == "HEAD" || answer.status == StatusCode::NO_CONTENT {
        assert!(answer.body.is_empty(), "a body where none may be: {}", told());
    } else if asked.is_page() && good {
        assert!(!answer.body.is_empty(), "an empty page: {}", told());
    } else if asked.is_page() && answer.is("text/html") {
        // It repeats the session that was sent to it, whatever that is.
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", told());
        assert!(!answer.body.contains("<script>"), "an open page: {}", told());
    } else {
        assert!(answer.is("application/json") && answer.json.is_object(), "no JSON: {}", told());
        assert!(good || says_why(answer), "no reason: {}", told());
        assert!(good || !words.gives_away(answer), "a token in an error: {}", told());
    }
}

/// An errcode and words, or what is to be proved first.
fn says_why(answer: &Answer) -> bool {
    let text = |key: &str| answer.json.get(key).and_then(Value::as_str).unwrap_or_default();
    let named = text("errcode").starts_with("M_") && !text("error").is_empty();
    let flows = answer.json.get("flows").and_then(Value::as_array);
    let challenged = flows.is_some_and(|flows| !flows.is_empty())
        && answer.status == StatusCode::UNAUTHORIZED
        && answer.json.get("completed").is_some_and(Value::is_array)
        && answer.json.get("params").is_some_and(Value::is_object)
        && !text("session").is_empty();
    if answer.json.get("flows").is_some() && answer.json.get("errcode").is_none() {
        return challenged;
    }
    named && (flows.is_none() || challenged)
}

fn told(asked: &Asked, answer: &Answer) -> String {
    let Answer { status, headers, body, .. } = answer;
    format!("{}\n-> {status} {headers:?}\n{body}", asked.told())
}
