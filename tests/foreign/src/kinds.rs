//! The checks that are made with a token of every kind.

use amaretti::token::{Kind, Refusal, Subkey};

use crate::forge::forgeries;
use crate::ours::{self, Issuer, Request};
use crate::peer::{Library, Met};
use crate::stage::{JUDGES, Stage, Subject, admitting, body, lines};
use crate::tally::{Trouble, hold};

type Check = fn(&Subject, &Issuer, &mut dyn Library) -> Result<(), Trouble>;

/// What every library does with a token of every kind.
const CHECKS: &[(&str, Check)] = &[
    ("reads what we minted", reads),
    ("verifies what we minted, with the subkey", verifies),
    ("verifies what we narrowed, with the subkey", follows),
    ("mints the same token with the subkey", mints),
    ("narrows it: refused where the spelling is not ours", spelled),
    ("narrows it: mended, and admitted by the command line and the crate", mended),
    ("narrows it: refused where a caveat does not clear", narrower),
];

/// Makes every check with a token of this kind.
pub(crate) fn check(kind: Kind, stage: &mut Stage) -> Result<(), Trouble> {
    let subject = Subject::new(&stage.issuer, kind)?;
    let Stage { issuer, libraries, tally, .. } = &mut *stage;
    for library in libraries.iter_mut() {
        for (what, check) in CHECKS {
            let outcome = check(&subject, issuer, library.as_mut());
            tally.count(&format!("{kind}: {} {what}", library.name()), outcome);
        }
    }
    exchanged(&subject, stage)?;
    forged(&subject, stage)?;
    keyed(&subject, stage)
}

fn reads(subject: &Subject, _: &Issuer, library: &mut dyn Library) -> Result<(), Trouble> {
    let (expected, seen) = (subject.reading(), library.read(subject.body())?);
    hold(expected == seen && seen.identifier.len() == 45, format!("{seen:?}"))
}

fn verifies(subject: &Subject, _: &Issuer, library: &mut dyn Library) -> Result<(), Trouble> {
    let known = lines(&[]);
    library.verify(subject.body(), subject.secret(), Met::These(&known))?;
    let user = known.get(..1).unwrap_or_default();
    let unmet = library.verify(subject.body(), subject.secret(), Met::These(user));
    hold(unmet.is_err(), "a caveat that is not met passes")
}

fn follows(subject: &Subject, _: &Issuer, library: &mut dyn Library) -> Result<(), Trouble> {
    let known = lines(&subject.caveats);
    library.verify(body(&subject.narrowed), subject.secret(), Met::These(&known))
}

fn mints(subject: &Subject, issuer: &Issuer, library: &mut dyn Library) -> Result<(), Trouble> {
    let text = library.mint(subject.secret(), &subject.reading())?;
    let mended = issuer.normalize(&subject.prefixed(&text))?;
    hold(mended == subject.token, "it is another text")
}

fn spelled(subject: &Subject, issuer: &Issuer, library: &mut dyn Library) -> Result<(), Trouble> {
    let foreign = subject.narrowed_by(library)?;
    let refusal = ours::judge(&foreign, &subject.subkey, Request::Allowed);
    let told = issuer.verify(&foreign, Request::Allowed);
    if foreign == issuer.normalize(&foreign)? {
        hold(refusal.is_ok() && told.is_ok(), "our own spelling is refused")
    } else {
        let malformed = matches!(refusal, Err(Refusal::Malformed(_)));
        hold(malformed, format!("the crate says {refusal:?}"))?;
        let malformed = told.as_ref().is_err_and(|told| told.starts_with("refused: malformed"));
        hold(malformed, format!("the command line says {told:?}"))
    }
}

fn mended(subject: &Subject, issuer: &Issuer, library: &mut dyn Library) -> Result<(), Trouble> {
    let mended = issuer.normalize(&subject.narrowed_by(library)?)?;
    let told = issuer.verify(&mended, Request::Allowed)?;
    hold(told.starts_with("admitted: "), format!("the command line says {told}"))?;
    let seen = ours::judge(&mended, &subject.subkey, Request::Allowed);
    let appended = seen.map_err(|refusal| format!("the crate says {refusal}"))?;
    hold(appended == subject.caveats, format!("{appended:?}"))?;
    hold(mended == subject.narrowed, "it is not what we narrow it to")
}

fn narrower(subject: &Subject, issuer: &Issuer, library: &mut dyn Library) -> Result<(), Trouble> {
    ours::judge(&subject.token, &subject.subkey, Request::Other)
        .map_err(|refusal| format!("the token as it was is refused: {refusal}"))?;
    let mended = issuer.normalize(&subject.narrowed_by(library)?)?;
    let refusal = ours::judge(&mended, &subject.subkey, Request::Other);
    hold(matches!(refusal, Err(Refusal::Unmet(_))), format!("the crate says {refusal:?}"))?;
    let told = issuer.verify(&mended, Request::Other);
    let unmet = told.as_ref().is_err_and(|told| told.contains("does not allow this"));
    hold(unmet, format!("the command line says {told:?}"))
}

/// What one library narrows, every library verifies, mended or not.
fn exchanged(subject: &Subject, stage: &mut Stage) -> Result<(), Trouble> {
    let mut narrowed = Vec::new();
    for library in &mut stage.libraries {
        narrowed.push((library.name(), subject.narrowed_by(library.as_mut())?));
    }
    for (name, foreign) in narrowed {
        let known = lines(&subject.caveats);
        let mut verify = |text: &str| {
            stage.libraries.iter_mut().try_for_each(|library| {
                let outcome = library.verify(body(text), subject.secret(), Met::These(&known));
                outcome.map_err(|why| format!("{} says {why}", library.name()))
            })
        };
        let mended = stage.issuer.normalize(&foreign)?;
        let outcome = verify(&foreign).and_then(|()| verify(&mended));
        let name = format!("{}: {name} narrows it: verified by every library", subject.kind);
        stage.tally.count(&name, outcome);
    }
    Ok(())
}

/// The true token is admitted by all, and each forgery by none.
fn forged(subject: &Subject, stage: &mut Stage) -> Result<(), Trouble> {
    let Subject { kind, subkey, narrowed, caveats, .. } = subject;
    let Stage { issuer, libraries, tally, .. } = stage;
    let admit = admitting(narrowed, subkey, Some(issuer), libraries);
    let outcome = hold(admit.len() == JUDGES, format!("only by {admit:?}"));
    tally.count(&format!("{kind}: narrowed by us, it is admitted on all sides"), outcome);

    for (what, forgery) in forgeries(narrowed, *caveats)? {
        let admit = admitting(&forgery, subkey, Some(issuer), libraries);
        let refusal = ours::judge(&forgery, subkey, Request::Allowed);
        let told = issuer.verify(&forgery, Request::Allowed).err().unwrap_or_default();
        let outcome = hold(admit.is_empty(), format!("admitted by {admit:?}"))
            .and_then(|()| hold(refusal == Err(Refusal::Forged), format!("{refusal:?}")))
            .and_then(|()| hold(told.starts_with("refused: forged"), told));
        tally.count(&format!("{kind}: {what} is refused on all sides"), outcome);
    }
    Ok(())
}

/// Whoever holds another key, or the subkey of another kind, admits nothing.
fn keyed(subject: &Subject, stage: &mut Stage) -> Result<(), Trouble> {
    let Subject { kind, subkey, narrowed, .. } = subject;
    let Stage { issuer, stranger, libraries, tally } = stage;
    let as_ours = |other: Subkey| Subkey::from_bytes(*kind, subkey.key_id(), other.expose());

    let other = as_ours(stranger.subkey(*kind)?);
    let admit = admitting(narrowed, &other, Some(stranger), libraries);
    let outcome = hold(admit.is_empty(), format!("admitted by {admit:?}"));
    tally.count(&format!("{kind}: with another key it is refused on all sides"), outcome);

    let mut admit = Vec::new();
    for other in Kind::ALL.into_iter().filter(|other| other != kind) {
        let other = as_ours(issuer.subkey(other)?);
        admit.extend(admitting(narrowed, &other, None, libraries));
    }
    let outcome = hold(admit.is_empty(), format!("admitted by {admit:?}"));
    tally.count(&format!("{kind}: with the subkey of another kind it is refused"), outcome);
    Ok(())
}
