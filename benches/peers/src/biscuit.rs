//! Biscuits: public keys and Datalog. Policy and queries are parsed before, and cloned.

use std::time::Duration;

use biscuit_auth::builder::{AuthorizerBuilder, BiscuitBuilder, BlockBuilder, Rule};
use biscuit_auth::{AuthorizerLimits, Biscuit, KeyPair, PublicKey, error};

use crate::Outcome;
use crate::support::sessions::Pool;

pub(crate) struct Biscuits {
    minted: Vec<Biscuit>,
    keys: Vec<PublicKey>,
    policy: AuthorizerBuilder,
    names: Rule,
}

impl Biscuits {
    /// Fewer tokens than of other schemes: minting one takes 30 us and each block as much again.
    pub(crate) fn new(pool: &Pool, tokens: usize) -> Outcome<Self> {
        let pairs: Vec<_> = pool.secrets.iter().map(|_| KeyPair::new()).collect();
        let mut minted = Vec::new();
        for (at, session) in pool.sessions.iter().take(tokens).enumerate() {
            let which = at % pairs.len();
            let pair = pairs.get(which).ok_or("no key")?;
            let code = format!(
                "user(\"{}\"); device(\"{}\"); session(\"{}\"); check if time($t), $t < 2096-10-02T07:06:40Z;",
                session.user, session.device, session.id
            );
            minted.push(BiscuitBuilder::new().code(code)?.root_key_id(which as u32).build(pair)?);
        }
        // Whoever is interrupted for a millisecond would be refused for it.
        let limits = AuthorizerLimits { max_time: Duration::from_secs(60), ..Default::default() };
        let policy = AuthorizerBuilder::new().code("allow if user($u);")?.set_limits(limits);
        let names = Rule::try_from("names($u, $d) <- user($u), device($d)")?;
        let keys = pairs.iter().map(KeyPair::public).collect();
        Ok(Self { minted, keys, policy, names })
    }

    pub(crate) fn tokens(&self, appended: usize) -> Outcome<Vec<String>> {
        let mut tokens = Vec::new();
        for minted in &self.minted {
            let mut token = minted.clone();
            for _ in 0..appended {
                let block =
                    BlockBuilder::new().code("check if time($t), $t < 2096-10-02T07:06:39Z;")?;
                token = token.append(block)?;
            }
            tokens.push(token.to_base64()?);
        }
        Ok(tokens)
    }

    pub(crate) fn admits(&self, text: &str) -> bool {
        let judge = || {
            let key = |id: Option<u32>| {
                let key = id.and_then(|id| self.keys.get(id as usize)).copied();
                key.ok_or(error::Format::UnknownPublicKey)
            };
            let token = Biscuit::from_base64(text, key)?;
            let mut authorizer = self.policy.clone().time().build(&token)?;
            authorizer.authorize()?;
            let names: Vec<(String, String)> = authorizer.query(self.names.clone())?;
            Ok::<_, error::Token>(names)
        };
        judge().is_ok_and(|names| std::hint::black_box(names).len() == 1)
    }
}
