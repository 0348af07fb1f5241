//! The internal face at a socket in the file system: who may connect, and what is in its way.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

use amaretti::config::Address;
use amaretti::http::{self, Listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::watch;

use crate::support::Town;

/// All that comes back on one connection to a node that listens at this socket.
async fn answered(town: &Town, path: &Path, request: &str) -> String {
    let listener = Listener::bind(&Address::Unix(path.to_owned())).await.unwrap();
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(http::serve(listener, town.internal(), stopped));
    let mut stream = UnixStream::connect(path).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_node_answers_at_a_socket_for_its_group_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("internal.sock");
    let request = "GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    let answer = answered(&Town::new().await, &path, request).await;

    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let made = fs::metadata(&path).unwrap();
    assert_eq!(made.permissions().mode() & 0o777, 0o660);
    assert_eq!(made.gid(), fs::metadata(folder.path()).unwrap().gid());
}

#[tokio::test]
async fn a_question_that_announces_a_body_is_the_last_on_its_connection() {
    let (folder, town) = (tempfile::tempdir().unwrap(), Town::asked().await);
    for face in ["forward-auth", "answer"] {
        // The body never comes: what follows is another question, some of which would be taken for it.
        let another = "x: GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let request = format!(
            "GET /_amaretti/{face} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{another}"
        );

        let answer = answered(&town, &folder.path().join(face), &request).await;

        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{face}: {answer}");
        assert!(answer.contains("connection: close"), "{face}: {answer}");
    }
}

#[tokio::test]
async fn a_socket_that_was_left_behind_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("internal.sock");
    drop(UnixListener::bind(&path).unwrap());

    assert!(Listener::bind(&Address::Unix(path)).await.is_ok());
}

#[tokio::test]
async fn a_socket_that_somebody_listens_at_is_left_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("internal.sock");
    let theirs = UnixListener::bind(&path).unwrap();

    assert!(Listener::bind(&Address::Unix(path.clone())).await.is_err());
    drop(theirs);
    assert!(path.exists());
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_not_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("internal.sock");
    fs::write(&path, "dear diary").unwrap();

    assert!(Listener::bind(&Address::Unix(path.clone())).await.is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "dear diary");
}
