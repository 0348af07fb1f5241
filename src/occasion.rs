//! What a request does: from method and path to the action and the room of an occasion.
//!
//! This file finds the row of [`ROUTES`] that a request falls under; it refuses to know tokens. A
//! path is judged as it was sent: split, then decoded segment by segment. Nothing is allocated.

mod path;
mod remaining;
mod route;
mod routes;

pub use path::{MAX_PATH_BYTES, MAX_SEGMENTS, PathError, PathScratch};
pub use remaining::Remaining;
pub use route::{Auth, Method, Prefix, Route};
pub use routes::ROUTES;

use path::Segment;
use route::shape;

use crate::token::{Action, Gate};

/// What the table says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'p> {
    /// Whether it needs a token.
    pub auth: Auth,
    /// What it does; nothing known clears no `action` caveat.
    pub action: Option<Action>,
    /// The one room that it names, which begins with `!`.
    pub room_id: Option<&'p str>,
    /// Whether a locked account may pass (specification, "Account locking").
    pub gate: Gate,
    /// Whether the table has it; every preflight counts.
    pub known: bool,
}

impl Request<'_> {
    /// A preflight: every endpoint answers it and none acts on it (specification, "Web Browser
    /// Clients").
    const PREFLIGHT: Self =
        Self { auth: Auth::None, action: None, room_id: None, gate: Gate::Unlocked, known: true };
    const UNKNOWN: Self = Self { auth: Auth::Required, known: false, ..Self::PREFLIGHT };
}

/// Finds out what a request does.
///
/// `path` is as it was sent, encoded; what follows a `?` is ignored. Methods are in upper case.
/// What is not in the table needs a token, has no action and names no room.
///
/// # Errors
/// Names why the path is not judged; see [`PathError`]. Such a request should go no further.
pub fn request<'p>(
    method: &str,
    path: &str,
    scratch: &'p mut PathScratch,
) -> Result<Request<'p>, PathError> {
    if method == "OPTIONS" {
        return Ok(Request::PREFLIGHT);
    }
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let mut room = [Segment::default(); MAX_SEGMENTS];
    let segments = Segment::split(path, scratch, &mut room)?;
    let place = Place::of(segments);
    let Some(route) = Method::from_name(method).and_then(|method| place.route(method)) else {
        let fault = segments.iter().find_map(|segment| segment.fault);
        return fault.map_or(Ok(Request::UNKNOWN), Err);
    };
    place.check(route)?;
    let &Route { auth, action, gate, .. } = route;
    Ok(Request { auth, action, room_id: place.room(route), gate, known: true })
}

/// The shape of each row, close together: the rows themselves would fill the nearest cache.
const SHAPES: [u32; ROUTES.len()] = {
    let mut shapes = [0; ROUTES.len()];
    let (mut slots, mut rows) = (shapes.as_mut_slice(), ROUTES);
    while let Some((slot, other_slots)) = slots.split_first_mut()
        && let Some((row, other_rows)) = rows.split_first()
    {
        *slot = row.shape();
        (slots, rows) = (other_slots, other_rows);
    }
    shapes
};

/// Where a path leads: its family, its version, and what the patterns are about.
struct Place<'s, 'p> {
    prefix: Prefix,
    version: &'p str,
    segments: &'s [Segment<'p>],
}

impl<'s, 'p> Place<'s, 'p> {
    fn of(segments: &'s [Segment<'p>]) -> Self {
        if let [root, family, version, rest @ ..] = segments
            && root.text == "_matrix"
            && !rest.is_empty()
        {
            let version = version.text;
            match family.text {
                "client" => return Self { prefix: Prefix::Client, version, segments: rest },
                "media" => return Self { prefix: Prefix::Media, version, segments: rest },
                _ => {}
            }
        }
        Self { prefix: Prefix::None, version: "", segments }
    }

    /// The first row that fits.
    fn route(&self, method: Method) -> Option<&'static Route> {
        let shape = shape(self.prefix, self.segments.len(), self.segments.first()?.text);
        let alike = SHAPES.iter().zip(ROUTES).filter(|(other, _)| **other == shape);
        alike.map(|(_, route)| route).find(|route| {
            route.pieces().len() == self.segments.len()
                && route.prefix == self.prefix
                && route.methods.contains(&method)
                && self
                    .with(route)
                    .all(|(piece, segment)| piece.starts_with('{') || piece == segment.text)
                && (route.versions.is_empty() || route.versions.contains(&self.version))
        })
    }

    /// Refuses a spelling that is not harmless at its place.
    fn check(&self, route: &'static Route) -> Result<(), PathError> {
        self.with(route)
            .find(|(piece, segment)| !segment.fits(piece))
            .and_then(|(_, segment)| segment.fault)
            .map_or(Ok(()), Err)
    }

    /// The room that the path names.
    fn room(&self, route: &'static Route) -> Option<&'p str> {
        self.with(route)
            .find(|(piece, _)| matches!(*piece, "{roomId}" | "{roomIdOrAlias}"))
            .map(|(_, segment)| segment.text)
            .filter(|room| room.starts_with('!') && !route.across_rooms)
    }

    fn with(&self, route: &'static Route) -> impl Iterator<Item = (&'static str, &'s Segment<'p>)> {
        route.pieces().iter().copied().zip(self.segments)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOM: &str = "/_matrix/client/v3/rooms/!a:hs";

    /// Judges a path that is fine: its action, and its room as a text of its own.
    fn judged(method: &str, path: &str) -> (Option<Action>, Option<String>) {
        let mut scratch = PathScratch::new();
        let found = request(method, path, &mut scratch).unwrap_or_else(|e| panic!("{path}: {e}"));
        (found.action, found.room_id.map(str::to_owned))
    }

    fn auth(method: &str, path: &str) -> Auth {
        request(method, path, &mut PathScratch::new()).unwrap().auth
    }

    fn refused(path: &str) -> PathError {
        let mut scratch = PathScratch::new();
        request("PUT", path, &mut scratch).map(|found| panic!("{path}: {found:?}")).unwrap_err()
    }

    #[test]
    fn each_kind_of_request_has_its_action() {
        for (method, path, action) in [
            ("GET", "v3/account/whoami", Action::Identify),
            ("GET", "r0/rooms/!a:hs/messages?limit=1", Action::Read),
            ("POST", "v3/search", Action::Read),
            ("GET", "v3/sync?since=s1", Action::Sync),
            ("PUT", "v3/rooms/!a:hs/send/m.room.message/1", Action::Send),
            ("PUT", "v3/rooms/!a:hs/state/m.room.topic", Action::State),
            ("POST", "v3/rooms/!a:hs/ban", Action::Membership),
            ("POST", "v3/createRoom", Action::Membership),
            ("PUT", "v3/sendToDevice/m.room_key/1", Action::Keys),
            ("GET", "v1/media/download/hs/abc", Action::Media),
            ("PUT", "v3/profile/@a:hs/displayname", Action::Profile),
            ("PUT", "v3/devices/ABC", Action::Devices),
            ("DELETE", "v3/devices/ABC", Action::Account),
            ("POST", "v3/logout", Action::Account),
            ("POST", "v3/logout/all", Action::Account),
            ("POST", "v1/login/get_token", Action::Account),
            ("POST", "v3/user/@a:hs/openid/request_token", Action::Account),
            ("POST", "v3/pushers/set", Action::Account),
            ("POST", "v3/keys/device_signing/upload", Action::Account),
            ("POST", "v3/delete_devices", Action::Account),
        ] {
            assert_eq!(
                judged(method, &format!("/_matrix/client/{path}")).0,
                Some(action),
                "{path}"
            );
        }
    }

    #[test]
    fn a_request_names_the_room_of_its_path() {
        let named = |path: &str| judged("POST", &format!("/_matrix/client/v3/{path}")).1;

        assert_eq!(named("rooms/%21a%3Ahs/leave").as_deref(), Some("!a:hs"));
        assert_eq!(named("rooms/%21a%3ahs/leave?x=!b:hs").as_deref(), Some("!a:hs"));
        assert_eq!(named("join/!a:hs").as_deref(), Some("!a:hs"));
        assert_eq!(named("knock/%21a").as_deref(), Some("!a"));
        assert_eq!(named("join/%23a:hs"), None);
        assert_eq!(named("rooms/a:hs/leave"), None);
        assert_eq!(named("search"), None);
        let path = "/_matrix/client/v3/rooms/%21a%3Ahs/send/m.room.message/t1";
        assert_eq!(judged("PUT", path), (Some(Action::Send), Some("!a:hs".to_owned())));
    }

    #[test]
    fn a_walk_through_a_space_names_no_room() {
        let path = "/_matrix/client/v1/rooms/!a:hs/hierarchy";

        assert_eq!(judged("GET", path), (Some(Action::Read), None));
    }

    #[test]
    fn a_membership_sent_as_state_is_membership_however_it_is_spelled() {
        for kind in ["m.room.member", "m%2Eroom%2emember", "%6d.room.member"] {
            for key in ["", "/", "/@b:hs", "/%40b%2Fc%3Ahs"] {
                let path = format!("{ROOM}/state/{kind}{key}");
                assert_eq!(judged("PUT", &path).0, Some(Action::Membership), "{path}");
                assert_eq!(judged("GET", &path).0, Some(Action::Read), "{path}");
            }
        }
        assert_eq!(refused(&format!("{ROOM}/state/m.room.member%2F@b:hs")), PathError::Slash);
    }

    #[test]
    fn what_needs_no_token_is_told_apart() {
        let client = |method, path| auth(method, &format!("/_matrix/client/{path}"));

        assert_eq!(client("POST", "v3/login"), Auth::None);
        assert_eq!(client("POST", "v3/refresh"), Auth::None);
        assert_eq!(client("GET", "v3/auth/m.login.sso/fallback/web"), Auth::None);
        assert_eq!(client("POST", "v3/account/password"), Auth::Optional);
        assert_eq!(client("GET", "v3/profile/@a:hs"), Auth::Optional);
        assert_eq!(client("PUT", "v3/profile/@a:hs/displayname"), Auth::Required);
        assert_eq!(client("GET", "v3/sync"), Auth::Required);
        assert_eq!(auth("GET", "/_matrix/media/v3/download/hs/abc"), Auth::Optional);
        assert_eq!(auth("GET", "/.well-known/matrix/client"), Auth::None);
    }

    #[test]
    fn a_locked_account_may_log_out_and_nothing_else() {
        let gate = |path| request("POST", path, &mut PathScratch::new()).unwrap().gate;

        assert_eq!(gate("/_matrix/client/v3/logout"), Gate::EvenLocked);
        assert_eq!(gate("/_matrix/client/r0/logout/all"), Gate::EvenLocked);
        assert_eq!(gate("/_matrix/client/v3/delete_devices"), Gate::Unlocked);
        assert_eq!(gate("/_matrix/client/v9/logout"), Gate::Unlocked);
    }

    #[test]
    fn what_is_not_in_the_table_has_no_action_and_no_room() {
        for (method, path) in [
            ("GET", "/_matrix/client/v9/rooms/!a:hs/messages"),
            ("GET", "/_matrix/client/v3/rooms/!a:hs/secrets"),
            ("PATCH", "/_matrix/client/v3/rooms/!a:hs/messages"),
            ("get", "/_matrix/client/v3/sync"),
            ("POST", "/_matrix/client/v3/sync"),
            ("GET", "/_matrix/client/v3/SYNC"),
            ("GET", "/_matrix/client/sync"),
            ("GET", "/_synapse/admin/v1/rooms"),
            ("PUT", "/_matrix/media/v3/rooms/!a:hs/send/m.room.message/1"),
        ] {
            let mut scratch = PathScratch::new();
            assert_eq!(request(method, path, &mut scratch), Ok(Request::UNKNOWN), "{path}");
        }
        assert_eq!(Request::UNKNOWN.auth, Auth::Required);
    }

    #[test]
    fn head_counts_as_get_and_a_preflight_does_nothing() {
        let path = format!("{ROOM}/messages");

        assert_eq!(judged("HEAD", &path), judged("GET", &path));
        assert_eq!(judged("OPTIONS", &path), (None, None));
        assert_eq!(auth("OPTIONS", &path), Auth::None);
    }

    proptest! {
        #[test]
        fn no_text_makes_a_path_panic(method in "GET|PUT|POST|DELETE|.*", path in any::<String>()) {
            let _ = request(&method, &path, &mut PathScratch::new());
        }

        #[test]
        fn a_room_is_one_segment_that_begins_with_its_sigil(
            method in "GET|PUT|POST|HEAD",
            begin in "rooms/|join/|room_keys/keys/|user/@a/rooms/",
            room in r"(!|%21|a|:|\.|\.\.|%2e|/|%2[Ff]|%25|%|2|1|\?|\PC){0,6}",
            end in "(/leave|/messages|/send/x/1|/state/m\\.room\\.member|/tags|)",
        ) {
            let path = format!("/_matrix/client/v3/{begin}{room}{end}");
            let mut scratch = PathScratch::new();
            let found = request(&method, &path, &mut scratch);
            if let Ok(Request { room_id: Some(id), known, .. }) = found {
                prop_assert!(known && id.starts_with('!') && !id.contains('/'), "{path} {id}");
                let hex = |two: &str| two.bytes().all(|b| b.is_ascii_hexdigit());
                let again = |(at, _)| id.get(at + 1..at + 3).is_some_and(hex);
                prop_assert!(!id.match_indices('%').any(again), "{path} {id}");
            }
        }
    }
}
