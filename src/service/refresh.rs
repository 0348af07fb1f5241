//! Refreshing: from a refresh token to the next pair of tokens of its session.
//!
//! The exchange is settled in the store before anything is answered. This file refuses to know how
//! the request was written, and leaves the rule of generations to `generation.rs`.

use super::events::{Event, labels};
use super::generation::Mark;
use super::uses::Use;
use super::{Caller, Declined, Denial, Failure, Minting, Pair, RefreshFault, Service};
use crate::store::{Renewal, Rights};
use crate::time::Timestamp;
use crate::token::{Bearer, Gate, MintError, Occasion, Refusal, Scratch};

impl Service {
    /// Exchanges a refresh token for the next pair.
    ///
    /// # Errors
    /// [`Declined::WrongRefreshToken`] when the token will not do; [`super::Failure`] when that
    /// could not be decided, and then the token is as good as before.
    pub async fn refresh(&self, text: &str, occasion: &Occasion<'_>) -> Result<Pair, Denial> {
        let mut scratch = Scratch::new();
        let bearer = match self.admit(text, &mut scratch, occasion) {
            Ok(bearer) => bearer,
            Err(Denial::Refused(refusal)) => return Err(refused(refusal)),
            Err(denial) => return Err(denial),
        };
        let caller = Caller::of(&bearer);
        let renewed = self.renew(&bearer, &caller).await;
        let (user_id, device_id) = (caller.user_id.as_str(), caller.device_id.as_deref());
        let (session, generation) = (caller.session, bearer.identifier().generation);
        match &renewed {
            Ok(_) => {
                let labels = labels(bearer.appended());
                self.tell(&Event::Refresh { user_id, device_id, session, generation, labels });
            }
            Err(denial @ (Denial::Declined(_) | Denial::Refused(_))) => {
                let (reason, words) = (denial.into(), &*denial.to_string());
                self.tell(&Event::RefreshRefused {
                    user_id,
                    device_id,
                    session,
                    generation,
                    reason,
                    words,
                });
            }
            Err(Denial::Challenged(_) | Denial::Failed(_)) => {}
        }
        renewed
    }

    /// Settles the exchange of a refresh token that holds.
    async fn renew(&self, bearer: &Bearer<'_>, caller: &Caller) -> Result<Pair, Denial> {
        let appended: Vec<_> = bearer.appended().collect();
        let now = self.store_now();
        self.may_renew(bearer, now)?;

        let mut tx = self.store()?.begin_for(&caller.user_id).await?;
        caller.judge(&caller.facts(&mut tx).await?, Gate::Unlocked).map_err(refused)?;
        let renewal = tx.renewal(caller.session).await?;
        let mut renewal = renewal.ok_or(wrong(RefreshFault::Retired))?;
        let (presented, settled) = (Mark::of(bearer), renewal.generation);
        let next = renewal.exchange(presented, now, self.policy.refresh_grace).map_err(wrong)?;
        let pair = self.next_pair(caller, &renewal, next, &appended)?;
        tx.put_renewal(&renewal).await?;
        if renewal.generation != settled {
            tx.sign_settled(caller.session).await?;
        }
        tx.sign_next(caller.session, pair.key).await?;
        if presented.generation == 0 {
            tx.use_session(caller.session).await?;
        }
        tx.commit().await?;
        Ok(pair)
    }

    fn next_pair(
        &self,
        caller: &Caller,
        renewal: &Renewal,
        mark: Mark,
        appended: &[&str],
    ) -> Result<Pair, Denial> {
        let kept = renewal.carried.iter().map(String::as_str);
        let carried: Vec<_> = kept.chain(appended.iter().copied()).collect();
        let pair = self.mint(&Minting {
            user_id: &caller.user_id,
            device_id: caller.device_id.as_deref(),
            guest: false,
            session: caller.session,
            mark,
            renewable: true,
            carried: &carried,
            carried_on: appended,
        });
        pair.map_err(|denial| match denial {
            // What its holder appended leaves no room for what the session carries.
            Denial::Failed(Failure::Mint(MintError::TooLong | MintError::TooManyCaveats)) => {
                wrong(RefreshFault::Refused(Refusal::TooLong))
            }
            denial => denial,
        })
    }

    /// Whether the session is young enough to go on.
    fn may_renew(&self, bearer: &Bearer<'_>, now: Timestamp) -> Result<(), Denial> {
        let end = self.policy.session_life.map(|life| bearer.session().beginning().plus(life));
        if end.is_some_and(|end| end <= now) { Err(wrong(RefreshFault::TooOld)) } else { Ok(()) }
    }

    /// Tells the store that a token was used for the first time.
    pub(super) async fn report(&self, used: &Use) -> Result<(), Denial> {
        let store = self.store.as_ref().ok_or(Failure::NoStore)?;
        if store.rights() == Rights::Feed {
            let Mark { generation, issued_at } = used.mark;
            return Ok(store.first_use(used.session, generation, issued_at).await?);
        }
        if used.mark.generation == 0 {
            return Ok(store.use_session(used.session).await?);
        }
        let known = store.read().await?.renewal(used.session).await?;
        let Some(known) = known else { return Ok(()) };
        let mut tx = store.begin_for(&known.user_id).await?;
        let Some(mut renewal) = tx.renewal(used.session).await? else { return Ok(()) };
        if renewal.settle(used.mark, self.store_now()) {
            tx.put_renewal(&renewal).await?;
            tx.sign_settled(used.session).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

impl Mark {
    pub(super) fn of(bearer: &Bearer<'_>) -> Self {
        let identifier = bearer.identifier();
        Self { generation: identifier.generation, issued_at: identifier.issued_at }
    }
}

fn wrong(fault: RefreshFault) -> Denial {
    Declined::WrongRefreshToken(fault).into()
}

/// A caveat that does not clear is answered as on any other occasion; whatever else is wrong with
/// the token is a verdict on a refresh token.
fn refused(refusal: Refusal) -> Denial {
    match refusal {
        Refusal::Unmet(_) | Refusal::UnknownCaveat(_) | Refusal::Sealed(_) | Refusal::Locked => {
            refusal.into()
        }
        _ => wrong(RefreshFault::Refused(refusal)),
    }
}
