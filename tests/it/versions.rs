//! `GET /versions`: whoever comes is told.

use crate::support::{Town, VERSIONS};

#[tokio::test]
async fn anybody_is_told_the_versions() {
    let town = Town::new().await;

    let answer = town.anonymous().get(VERSIONS).await;

    let versions = answer.good()["versions"].as_array().unwrap();
    assert!(versions.contains(&"r0.6.1".into()), "{answer:?}");
    assert!(versions.contains(&"v1.11".into()), "{answer:?}");
}

#[tokio::test]
async fn every_version_is_spelled_as_the_specification_spells_them() {
    let town = Town::new().await;

    let answer = town.anonymous().get(VERSIONS).await;

    for version in answer["versions"].as_array().unwrap() {
        let version = version.as_str().unwrap();
        let numbers = version.strip_prefix(['r', 'v']).unwrap_or_default().split('.');
        assert!(numbers.clone().count() >= 2, "{version}");
        assert!(numbers.clone().all(|number| number.parse::<u32>().is_ok()), "{version}");
    }
}

#[tokio::test]
async fn a_token_that_is_no_good_does_not_keep_the_versions_from_anybody() {
    let town = Town::new().await;
    let alice = town.alice().await;
    alice.logout().await.good();

    alice.get(VERSIONS).await.good();
    alice.with("mma_nonsense").get(VERSIONS).await.good();
}
