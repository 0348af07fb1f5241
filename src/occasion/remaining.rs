//! What a token may still do once all its caveats are taken together.
//!
//! This file reads caveats and the table of endpoints; it refuses to judge anything: a token may do
//! less than this says, by its clock, its address and its facts, and never more.

use super::ROUTES;
use crate::token::{Action, Caveat};

/// What is left of everything that an access token could do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remaining<'t> {
    /// The actions that every `action` caveat lists and that can be done within the rooms.
    pub actions: Vec<Action>,
    /// The rooms that every `room_id` caveat lists; `None` for all.
    pub rooms: Option<Vec<&'t str>>,
    /// The one service that the token is for; `None` for any.
    pub audience: Option<&'t str>,
}

impl<'t> Remaining<'t> {
    /// Takes the caveats that holders have appended together. One that cannot be read, or two
    /// that name different services, leave nothing.
    #[must_use]
    pub fn of(appended: impl IntoIterator<Item = &'t str>) -> Self {
        let mut left = Self { actions: Action::ALL.to_vec(), rooms: None, audience: None };
        for text in appended {
            match Caveat::read(text) {
                Ok(Caveat::Action(names)) => {
                    let listed =
                        |action: &Action| names.members().any(|name| name == action.name());
                    left.actions.retain(listed);
                }
                Ok(Caveat::RoomId(rooms)) => left.within(rooms.members()),
                Ok(Caveat::Audience(name)) => match left.audience {
                    Some(other) if other != name => left.actions.clear(),
                    _ => left.audience = Some(name),
                },
                Ok(
                    Caveat::UserId(_)
                    | Caveat::DeviceId(_)
                    | Caveat::Time(_)
                    | Caveat::Ip(_)
                    | Caveat::Label(_),
                ) => {}
                Err(_) => left.actions.clear(),
            }
        }
        if let Some(rooms) = &left.rooms {
            let some = !rooms.is_empty();
            left.actions.retain(|action| some && in_a_room(*action));
        }
        left
    }

    fn within(&mut self, listed: impl Iterator<Item = &'t str>) {
        let mut listed: Vec<_> = listed.collect();
        if let Some(rooms) = &self.rooms {
            listed.retain(|room| rooms.contains(room));
        }
        self.rooms = Some(listed);
    }
}

/// Whether there is a request that does this and names a room.
fn in_a_room(action: Action) -> bool {
    ROUTES.iter().any(|route| {
        route.action == Some(action) && !route.across_rooms && route.pattern.contains("{roomId")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(caveats: &[&str]) -> String {
        let left = Remaining::of(caveats.iter().copied());
        let actions: Vec<_> = left.actions.iter().map(|action| action.name()).collect();
        format!("{} {:?} {:?}", actions.join(","), left.rooms, left.audience)
    }

    #[test]
    fn caveats_leave_what_all_of_them_list() {
        assert_eq!(left(&["action in read,send", "action in send,sync"]), "send None None");
        assert_eq!(left(&["action in read", "action in send"]), " None None");
        assert_eq!(
            left(&["time < 5", "ip in ::/0", "label = x", "action in read"]),
            "read None None"
        );
    }

    #[test]
    fn within_rooms_there_is_what_names_a_room() {
        let all = "read,send,state,membership,keys,profile";

        assert_eq!(
            left(&["room_id in !a:hs,!b:hs"]),
            format!(r#"{all} Some(["!a:hs", "!b:hs"]) None"#)
        );
        let both = ["room_id in !a:hs,!b:hs", "room_id in !b:hs,!c:hs"];
        assert_eq!(left(&both), format!(r#"{all} Some(["!b:hs"]) None"#));
        assert_eq!(left(&["room_id in !a:hs", "room_id in !b:hs"]), " Some([]) None");
        assert_eq!(left(&["room_id in !a:hs", "action in sync,media"]), r#" Some(["!a:hs"]) None"#);
    }

    #[test]
    fn a_token_for_two_services_is_good_at_none() {
        let all = Action::ALL.map(Action::name).join(",");

        assert_eq!(left(&["audience = media"]), format!(r#"{all} None Some("media")"#));
        assert_eq!(left(&["audience = a", "audience = a"]), format!(r#"{all} None Some("a")"#));
        assert_eq!(left(&["audience = a", "audience = b"]), r#" None Some("a")"#);
    }

    #[test]
    fn a_caveat_that_nobody_knows_leaves_nothing() {
        assert_eq!(left(&["tenant = north"]), " None None");
    }
}
