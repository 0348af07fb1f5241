//! The pages people see, and what passes when they fill them in.

use serde_json::json;

use crate::register::town as open_to;
use crate::support::{ALICES_PASSWORD, Answer, Client, PASSWORD, REGISTER, Town};

const LOGIN_PAGE: &str = "/_matrix/static/client/login/";

fn page_of(stage: &str, session: &str) -> String {
    format!("/_matrix/client/v3/auth/{stage}/fallback/web?session={session}")
}

async fn fill(client: &Client, stage: &str, form: &str) -> Answer {
    let form_type = "application/x-www-form-urlencoded";
    let client = client.sending("content-type", form_type);
    client.call("POST", &page_of(stage, "x"), form.to_owned()).await
}

#[track_caller]
fn is_page(answer: &Answer) {
    let is = |name: &str, start: &str| answer.header(name).is_some_and(|v| v.starts_with(start));
    assert!(is("content-type", "text/html"), "{answer:?}");
    assert!(is("content-security-policy", "default-src 'none'"), "{answer:?}");
    assert!(is("x-content-type-options", "nosniff"), "{answer:?}");
    assert!(is("cache-control", "no-store"), "{answer:?}");
    assert!(!answer.body.contains("{{"), "a place was left open: {answer:?}");
}

#[tokio::test]
async fn a_client_can_show_a_page_to_log_in_by() {
    let town = Town::new().await;
    let nobody = town.anonymous();

    let page = nobody.get(LOGIN_PAGE).await;

    is_page(page.good());
    for asset in ["style.css", "login.js", "done.js"] {
        assert!(!nobody.get(&format!("{LOGIN_PAGE}{asset}")).await.good().body.is_empty());
    }
    nobody.get(&format!("{LOGIN_PAGE}other.js")).await.is(404, "M_UNRECOGNIZED");
}

#[tokio::test]
async fn a_password_filled_in_on_a_page_lets_the_app_go_on() {
    let town = Town::new().await;
    let (alice, nobody) = (town.alice().await, town.anonymous());
    let body = json!({ "new_password": "looking-glass" });
    let session = alice.challenged("POST", PASSWORD, &body).await;
    let stage = "m.login.password";
    is_page(nobody.get(&page_of(stage, &session)).await.good());

    let wrong = fill(&nobody, stage, &format!("session={session}&password=guess")).await;
    assert_eq!(wrong.status.as_u16(), 401, "{wrong:?}");
    is_page(&wrong);
    let auth = json!({ "session": session });
    alice.with_auth("POST", PASSWORD, &body, &auth).await.challenge();
    let filled = format!("session={session}&password={ALICES_PASSWORD}");
    is_page(fill(&nobody, stage, &filled).await.good());

    alice.with_auth("POST", PASSWORD, &body, &auth).await.good();
}

#[tokio::test]
async fn a_registration_token_filled_in_on_a_page_makes_one_account() {
    let town = open_to(amaretti::config::Registration::Token).await;
    town.add_registration_token("friends", Some(1), None).await;
    let nobody = town.anonymous();
    let wanted = json!({ "username": "carol" });
    let session = nobody.challenged("POST", REGISTER, &wanted).await;
    let stage = "m.login.registration_token";
    fill(&nobody, stage, &format!("session={session}&token=friends")).await.good();
    let other = nobody.challenged("POST", REGISTER, &json!({ "username": "dave" })).await;
    fill(&nobody, stage, &format!("session={other}&token=friends")).await.good();

    let auth = json!({ "auth": { "session": session } });
    assert_eq!(nobody.post(REGISTER, &auth).await.good()["user_id"], "@carol:example.com");

    let auth = json!({ "auth": { "session": other } });
    let late = nobody.post(REGISTER, &auth).await;
    assert!(late.status.is_client_error(), "{late:?}");
}

#[tokio::test]
async fn nothing_in_a_page_came_from_its_address() {
    let town = Town::new().await;
    let nobody = town.anonymous();
    let evil = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E{{server}}";

    let page = nobody.get(&page_of("m.login.password", &evil.replace(['{', '}'], "%7B"))).await;
    let posted = fill(&nobody, "m.login.password", &format!("session={evil}")).await;

    for answer in [page, posted] {
        assert!(!answer.body.contains("<script>alert"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_page_of_a_session_that_expired_says_so() {
    let town = Town::new().await;

    let answer = fill(&town.anonymous(), "m.login.dummy", "session=mmu_no").await;

    assert_eq!(answer.status.as_u16(), 401, "{answer:?}");
    is_page(&answer);
}

#[tokio::test]
async fn there_is_no_page_for_what_nobody_can_fill_in() {
    let town = Town::new().await;
    let nobody = town.anonymous();

    for stage in ["m.login.token", "m.login.recaptcha", "x"] {
        nobody.get(&page_of(stage, "mmu_x")).await.is(404, "M_UNRECOGNIZED");
    }
    let without = "/_matrix/client/v3/auth/m.login.password/fallback/web";
    assert_eq!(nobody.get(without).await.status.as_u16(), 400);
}
