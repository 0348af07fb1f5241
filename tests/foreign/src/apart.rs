//! The checks that are made once: known vectors, and where other libraries go other ways.

use amaretti::token::{Anatomy, Key, Kind, Part, Refusal};
use macaroon::{Format, MacaroonKey};

use crate::forge::{bytes_of, unsigned};
use crate::ours::{self, Issuer, Request};
use crate::peer::{Library, Met, Reading, converted, holds};
use crate::pymacaroons::{hex, unhex};
use crate::stage::{Stage, Subject, body, lines};
use crate::tally::{Trouble, hold, said};

/// What the documentation of libmacaroons shows: its secret, its identifier, and the signature that
/// follows with each caveat.
const SECRET: &str = "this is our super secret key; only we should know it";
const IDENTIFIER: &str = "we used our secret key";
const SIGNATURES: [(&str, &str); 4] = [
    ("", "e3d9e02908526c4c0039ae15114115d97fdd68bf2ba379b342aaf0f617d0552f"),
    ("account = 3735928559", "1efe4763f290dbce0c1d08477367e11f4eee456a64933cf662d79772dbb82128"),
    ("time < 2020-01-01T00:00", "b5f06c8c8ef92f6c82c6ff282cd1f8bd1849301d09a2db634ba182536a611c49"),
    (
        "email = alice@example.org",
        "ddf553e46083e55b8d71ab822be3d8fcf21d6bf19c40d617bb9fb438934474b6",
    ),
];

/// A token of ours with the key that it is signed with.
const GOLDEN: &str = include_str!("../../vectors/golden-caveat-several.txt");

/// What every library is asked once, about an access token and a refresh token.
const CHECKS: &[(&str, Check)] = &[
    ("derives the root key as libmacaroons does", documented),
    ("mints the golden token letter by letter", golden),
    ("narrows a refresh token by action: refused as sealed", sealed),
    ("adds a caveat of a third party: refused, and not mended", involved),
    ("adds a caveat that we do not know: refused", unknown),
];

type Check = fn(&[Subject; 2], &Issuer, &mut dyn Library) -> Result<(), Trouble>;

/// Makes every check.
pub(crate) fn check(stage: &mut Stage) -> Result<(), Trouble> {
    let Stage { issuer, libraries, tally, .. } = stage;
    let subjects = [Subject::new(issuer, Kind::Access)?, Subject::new(issuer, Kind::Refresh)?];
    for library in libraries.iter_mut() {
        for (what, check) in CHECKS {
            let outcome = check(&subjects, issuer, library.as_mut());
            tally.count(&format!("{} {what}", library.name()), outcome);
        }
    }
    let [access, _] = &subjects;
    for library in libraries.iter_mut() {
        let outcome = passed_over(access, issuer, library.as_mut());
        let what = match library.name() {
            "pymacaroons" => "passes over an unsigned caveat that is not met; we refuse it",
            _ => "refuses an unsigned caveat that is not met; so do we",
        };
        tally.count(&format!("{} {what}", library.name()), outcome);
    }
    tally.count("crate macaroon without derivation refuses our tokens", underived(access));
    tally.count("crate macaroon pads two lengths of three", padded(access, issuer));
    for (format, name) in [(Format::V1, "version 1"), (Format::V2JSON, "JSON")] {
        let outcome = reformatted(access, issuer, format);
        tally.count(&format!("in {name} a token is refused, and not mended"), outcome);
    }
    Ok(())
}

fn documented(_: &[Subject; 2], _: &Issuer, library: &mut dyn Library) -> Result<(), Trouble> {
    let mut new = Reading { identifier: IDENTIFIER.into(), caveats: Vec::new() };
    for (caveat, signature) in SIGNATURES {
        new.caveats.extend((!caveat.is_empty()).then(|| caveat.to_owned()));
        let bytes = bytes_of(&library.mint(SECRET.as_bytes(), &new)?)?;
        let tag = bytes.last_chunk::<32>().ok_or("a macaroon without a signature")?;
        hold(hex(tag) == signature, format!("{} behind `{caveat}`", hex(tag)))?;
    }
    Ok(())
}

fn golden(_: &[Subject; 2], issuer: &Issuer, library: &mut dyn Library) -> Result<(), Trouble> {
    let (headers, token) = GOLDEN.trim_end().split_once("\n\n").ok_or("no vector")?;
    let key = headers.lines().find_map(|line| line.strip_prefix("key: ")).ok_or("no key")?;
    let key: [u8; 32] = unhex(key)?.try_into().map_err(|_| "a key of another length")?;
    let subkey = Key::from_bytes(&key).map_err(said)?.subkey(Kind::Access);

    let anatomy = Anatomy::of(token);
    let caveats = anatomy.pieces.iter().filter(|piece| piece.part == Part::Caveat);
    let caveats = caveats.map(|piece| String::from_utf8_lossy(anatomy.bytes_of(piece)).into());
    let identifier = anatomy.first(Part::Identifier).ok_or("no identifier")?.to_vec();
    let new = Reading { identifier, caveats: caveats.collect() };
    let minted = library.mint(subkey.expose(), &new)?;
    let mended = issuer.normalize(&format!("mma_{minted}"))?;
    hold(mended == token, format!("{mended} instead of {token}"))
}

fn sealed(
    [_, refresh]: &[Subject; 2],
    issuer: &Issuer,
    library: &mut dyn Library,
) -> Result<(), Trouble> {
    let foreign = library.narrow(refresh.body(), &["action in read"])?;
    let mended = issuer.normalize(&refresh.prefixed(&foreign))?;
    let refusal = ours::judge(&mended, &refresh.subkey, Request::Allowed);
    hold(matches!(refusal, Err(Refusal::Sealed(_))), format!("the crate says {refusal:?}"))?;
    let told = issuer.verify(&mended, Request::Allowed).err().unwrap_or_default();
    hold(told.contains("may not be appended to a refresh token"), told)
}

fn involved(
    [access, _]: &[Subject; 2],
    issuer: &Issuer,
    library: &mut dyn Library,
) -> Result<(), Trouble> {
    let foreign = access.prefixed(&library.involve(access.body())?);
    let refusal = ours::judge(&foreign, &access.subkey, Request::Allowed);
    hold(matches!(refusal, Err(Refusal::Malformed(_))), format!("the crate says {refusal:?}"))?;
    let told = issuer.normalize(&foreign).err().unwrap_or_default();
    hold(told.contains("a caveat of a third party"), told)
}

fn unknown(
    [access, _]: &[Subject; 2],
    issuer: &Issuer,
    library: &mut dyn Library,
) -> Result<(), Trouble> {
    let foreign = library.narrow(access.body(), &["tenant = example"])?;
    let mended = issuer.normalize(&access.prefixed(&foreign))?;
    let refusal = ours::judge(&mended, &access.subkey, Request::Allowed);
    hold(matches!(refusal, Err(Refusal::UnknownCaveat(_))), format!("the crate says {refusal:?}"))?;
    let told = issuer.verify(&mended, Request::Allowed).err().unwrap_or_default();
    hold(told.contains("is not known"), told)
}

/// pymacaroons 0.13 leaves a caveat that is not met out of the signature instead of refusing it.
/// What it admits so is no more than what was signed; we refuse it all the same.
fn passed_over(
    access: &Subject,
    issuer: &Issuer,
    library: &mut dyn Library,
) -> Result<(), Trouble> {
    let forgery = unsigned(&access.token, "time < 5")?;
    let refusal = ours::judge(&forgery, &access.subkey, Request::Allowed);
    hold(refusal == Err(Refusal::Forged), format!("the crate says {refusal:?}"))?;
    let told = issuer.verify(&forgery, Request::Allowed).err().unwrap_or_default();
    hold(told.starts_with("refused: forged"), told)?;
    let outcome = library.verify(body(&forgery), access.secret(), Met::These(&lines(&[])));
    let passes = library.name() == "pymacaroons";
    hold(outcome.is_ok() == passes, format!("{outcome:?}"))
}

fn underived(access: &Subject) -> Result<(), Trouble> {
    let root = MacaroonKey::from(access.subkey.expose());
    holds(access.body(), &MacaroonKey::generate(access.secret()), Met::Any)?;
    hold(holds(access.body(), &root, Met::Any).is_err(), "the subkey itself is the root key")
}

fn padded(access: &Subject, issuer: &Issuer) -> Result<(), Trouble> {
    let mut spellings = Vec::new();
    for label in ["label = x", "label = xx", "label = xxx"] {
        let foreign = access.prefixed(&crate::peer::Crate.narrow(access.body(), &[label])?);
        let refusal = ours::judge(&foreign, &access.subkey, Request::Allowed);
        let mended = issuer.normalize(&foreign)?;
        hold(foreign.trim_end_matches('=') == mended, "more than padding differs")?;
        hold(refusal.is_ok() == (foreign == mended), format!("the crate says {refusal:?}"))?;
        spellings.push(foreign.len() - mended.len());
    }
    spellings.sort_unstable();
    hold(spellings == [0, 1, 2], format!("padded by {spellings:?}"))
}

fn reformatted(access: &Subject, issuer: &Issuer, format: Format) -> Result<(), Trouble> {
    let other = converted(access.body(), format)?;
    for text in [access.prefixed(&other), other] {
        let refusal = ours::judge(&text, &access.subkey, Request::Allowed);
        hold(refusal.is_err(), "the crate admits it")?;
        hold(issuer.verify(&text, Request::Allowed).is_err(), "the command line admits it")?;
        let told = issuer.normalize(&text).err().unwrap_or_default();
        hold(told.contains("not a macaroon of version 2"), told)?;
    }
    Ok(())
}
