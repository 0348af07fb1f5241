//! What becomes of a request that is judged: an answer of ours, or what the service makes of it.
//!
//! This file refuses to know why.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// The future of a [`Judge`](super::Judge). The service's own future is boxed, one allocation a
/// request: without `unsafe` it could not be pinned in place.
pub struct Judging<F, R>(State<F, R>);

enum State<F, R> {
    Refused(Option<Box<R>>),
    Passed(Pin<Box<F>>),
}

impl<F, R> Judging<F, R> {
    pub(super) fn passed(future: F) -> Self {
        Self(State::Passed(Box::pin(future)))
    }

    pub(super) fn refused(response: R) -> Self {
        Self(State::Refused(Some(Box::new(response))))
    }
}

impl<F: Future<Output = Result<R, E>>, R, E> Future for Judging<F, R> {
    type Output = Result<R, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Passed(future) => future.as_mut().poll(context),
            // Polled again after it was ready, which no caller may do, it never ends.
            State::Refused(response) => match response.take() {
                Some(response) => Poll::Ready(Ok(*response)),
                None => Poll::Pending,
            },
        }
    }
}
