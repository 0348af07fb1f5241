//! The table of what a Matrix request does, row by row from the client-server specification.
//!
//! This file knows endpoints; it refuses to know how a path is read, and who asks.

use super::route::{Method, Route, open, row};
use crate::token::Action::{
    Account, Devices, Identify, Keys, Media, Membership, Profile, Read, Send, State, Sync,
};

const GET: &[Method] = &[Method::Get];
const POST: &[Method] = &[Method::Post];
const PUT: &[Method] = &[Method::Put];
const DELETE: &[Method] = &[Method::Delete];
const GET_POST: &[Method] = &[Method::Get, Method::Post];
const GET_PUT: &[Method] = &[Method::Get, Method::Put];
const PUT_DELETE: &[Method] = &[Method::Put, Method::Delete];
const GET_PUT_DELETE: &[Method] = &[Method::Get, Method::Put, Method::Delete];

const NONE: &[&str] = &[];
/// `r0` until v1.1 of the specification, `v3` since; Synapse has nearly all under `unstable`, too.
const V3: &[&str] = &["r0", "v3", "unstable"];
const V1: &[&str] = &["v1"];
const V1_UNSTABLE: &[&str] = &["v1", "unstable"];
const MEDIA: &[&str] = &["r0", "v1", "v3"];
const UNSTABLE: &[&str] = &["unstable"];

/// Every endpoint of the client-server specification up to v1.19, and some that are deployed before
/// they are specified. The first row that fits a request is the one that counts.
#[rustfmt::skip] // one line a row
pub const ROUTES: &[Route] = &[
    // Discovery. A narrowed client asks for versions with its token, which Synapse then judges.
    open(GET, NONE, "/.well-known/matrix/client"),
    open(GET, NONE, "/.well-known/matrix/support"),
    open(GET, NONE, "/.well-known/matrix/policy_server"),
    row(GET, NONE, "/_matrix/client/versions", Read).optional(),
    open(GET, V1, "/auth_metadata"),
    row(GET, V3, "/capabilities", Read),

    // Login and logout.
    open(GET, NONE, "/_matrix/static/client/login/"),
    open(GET_POST, V3, "/login"),
    open(GET, V3, "/login/sso/redirect"),
    open(GET, V3, "/login/sso/redirect/{idpId}"),
    open(GET, V3, "/login/cas/redirect"),
    open(GET, V3, "/login/cas/ticket"),
    row(POST, V1, "/login/get_token", Account),
    open(POST, &["v1", "v3"], "/refresh"),
    row(POST, V3, "/logout", Account).even_locked(),
    row(POST, V3, "/logout/all", Account).even_locked(),
    open(GET_POST, V3, "/auth/{authType}/fallback/web"),

    // Registration.
    open(POST, V3, "/register"),
    open(GET, V3, "/register/available"),
    open(POST, V3, "/register/email/requestToken"),
    open(POST, V3, "/register/msisdn/requestToken"),
    open(GET, V1, "/register/m.login.registration_token/validity"),

    // Account. Addresses are credentials, so reading them is `account`, too; and so is whatever an
    // administrator does to accounts. `whois` lists somebody's sessions.
    row(GET, V3, "/account/whoami", Identify),
    row(POST, V3, "/account/password", Account).optional(),
    open(POST, V3, "/account/password/email/requestToken"),
    open(POST, V3, "/account/password/msisdn/requestToken"),
    row(POST, V3, "/account/deactivate", Account).optional(),
    row(GET_POST, V3, "/account/3pid", Account),
    row(POST, V3, "/account/3pid/add", Account),
    row(POST, V3, "/account/3pid/bind", Account),
    row(POST, V3, "/account/3pid/delete", Account),
    row(POST, V3, "/account/3pid/unbind", Account),
    open(POST, V3, "/account/3pid/email/requestToken"),
    open(POST, V3, "/account/3pid/msisdn/requestToken"),
    row(POST, V3, "/user/{userId}/openid/request_token", Account),
    row(GET_PUT, V1, "/admin/lock/{userId}", Account),
    row(GET_PUT, V1, "/admin/suspend/{userId}", Account),
    row(GET, V3, "/admin/whois/{userId}", Devices),

    // Devices. A pusher sends what the account receives to anywhere; hence `account`.
    row(GET, V3, "/devices", Devices),
    row(GET_PUT, V3, "/devices/{deviceId}", Devices),
    row(DELETE, V3, "/devices/{deviceId}", Account),
    row(POST, V3, "/delete_devices", Account),
    row(GET, V3, "/pushers", Read),
    row(POST, V3, "/pushers/set", Account),

    // Keys and to-device messages. Cross-signing keys say which devices are the account's.
    row(POST, V3, "/keys/upload", Keys),
    row(POST, V3, "/keys/query", Keys),
    row(POST, V3, "/keys/claim", Keys),
    row(GET, V3, "/keys/changes", Keys),
    row(POST, V3, "/keys/signatures/upload", Keys),
    row(POST, V3, "/keys/device_signing/upload", Account),
    row(GET_PUT_DELETE, V3, "/room_keys/keys", Keys),
    row(GET_PUT_DELETE, V3, "/room_keys/keys/{roomId}", Keys),
    row(GET_PUT_DELETE, V3, "/room_keys/keys/{roomId}/{sessionId}", Keys),
    row(GET_POST, V3, "/room_keys/version", Keys),
    row(GET_PUT_DELETE, V3, "/room_keys/version/{version}", Keys),
    row(PUT, V3, "/sendToDevice/{eventType}/{txnId}", Keys),

    // Sync. A filter is made in order to be named by `/sync`, so making one is the same action.
    row(GET, V3, "/sync", Sync),
    row(POST, V3, "/user/{userId}/filter", Sync),
    row(GET, V3, "/user/{userId}/filter/{filterId}", Read),
    row(GET, V3, "/events", Read),
    row(GET, V3, "/events/{eventId}", Read),
    row(GET, V3, "/initialSync", Read),
    row(GET, V3, "/notifications", Read),

    // Reading one room. `hierarchy` shows every room that a space points to, and anybody who may
    // send state there makes it point: it is a request across rooms.
    row(GET, V3, "/rooms/{roomId}/event/{eventId}", Read),
    row(GET, V3, "/rooms/{roomId}/context/{eventId}", Read),
    row(GET, V3, "/rooms/{roomId}/messages", Read),
    row(GET, V3, "/rooms/{roomId}/members", Read),
    row(GET, V3, "/rooms/{roomId}/joined_members", Read),
    row(GET, V3, "/rooms/{roomId}/aliases", Read),
    row(GET, V3, "/rooms/{roomId}/initialSync", Read),
    row(GET, V3, "/rooms/{roomId}/state", Read),
    row(GET, V3, "/rooms/{roomId}/state/{eventType}", Read),
    row(GET, V3, "/rooms/{roomId}/state/{eventType}/{stateKey}", Read),
    row(GET, V1, "/rooms/{roomId}/hierarchy", Read).across_rooms(),
    row(GET, V1, "/rooms/{roomId}/threads", Read),
    row(GET, V1, "/rooms/{roomId}/timestamp_to_event", Read),
    row(GET, V1_UNSTABLE, "/rooms/{roomId}/relations/{eventId}", Read),
    row(GET, V1_UNSTABLE, "/rooms/{roomId}/relations/{eventId}/{relType}", Read),
    row(GET, V1_UNSTABLE, "/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}", Read),

    // Sending into one room. A membership sent as state bans and invites like the endpoints below.
    row(PUT, V3, "/rooms/{roomId}/send/{eventType}/{txnId}", Send),
    row(PUT, V3, "/rooms/{roomId}/redact/{eventId}/{txnId}", Send),
    row(POST, V3, "/rooms/{roomId}/receipt/{receiptType}/{eventId}", Send),
    row(POST, V3, "/rooms/{roomId}/read_markers", Send),
    row(PUT, V3, "/rooms/{roomId}/typing/{userId}", Send),
    row(POST, V3, "/rooms/{roomId}/report", Send),
    row(POST, V3, "/rooms/{roomId}/report/{eventId}", Send),
    row(POST, V3, "/users/{userId}/report", Send),
    row(PUT, V3, "/rooms/{roomId}/state/m.room.member", Membership),
    row(PUT, V3, "/rooms/{roomId}/state/m.room.member/{stateKey}", Membership),
    row(PUT, V3, "/rooms/{roomId}/state/{eventType}", State),
    row(PUT, V3, "/rooms/{roomId}/state/{eventType}/{stateKey}", State),

    // Membership.
    row(POST, V3, "/createRoom", Membership),
    row(POST, V3, "/join/{roomIdOrAlias}", Membership),
    row(POST, V3, "/knock/{roomIdOrAlias}", Membership),
    row(POST, V3, "/rooms/{roomId}/join", Membership),
    row(POST, V3, "/rooms/{roomId}/leave", Membership),
    row(POST, V3, "/rooms/{roomId}/forget", Membership),
    row(POST, V3, "/rooms/{roomId}/invite", Membership),
    row(POST, V3, "/rooms/{roomId}/kick", Membership),
    row(POST, V3, "/rooms/{roomId}/ban", Membership),
    row(POST, V3, "/rooms/{roomId}/unban", Membership),
    row(POST, V3, "/rooms/{roomId}/upgrade", Membership),

    // Directories. What is public needs no token by the specification; homeservers often want one.
    // An alias and a room's visibility are facts about the room that all see: `state`.
    row(GET, V3, "/joined_rooms", Read),
    row(GET, V1, "/mutual_rooms", Read),
    row(GET, V3, "/publicRooms", Read).optional(),
    row(POST, V3, "/publicRooms", Read),
    row(GET, V1, "/room_summary/{roomIdOrAlias}", Read).optional(),
    row(GET, V3, "/directory/room/{roomAlias}", Read).optional(),
    row(PUT_DELETE, V3, "/directory/room/{roomAlias}", State),
    row(GET, V3, "/directory/list/room/{roomId}", Read).optional(),
    row(PUT, V3, "/directory/list/room/{roomId}", State),
    row(PUT, V3, "/directory/list/appservice/{networkId}/{roomId}", State),
    row(POST, V3, "/search", Read),
    row(POST, V3, "/user_directory/search", Read),
    row(GET, V3, "/thirdparty/protocols", Read),
    row(GET, V3, "/thirdparty/protocol/{protocol}", Read),
    row(GET, V3, "/thirdparty/location", Read),
    row(GET, V3, "/thirdparty/location/{protocol}", Read),
    row(GET, V3, "/thirdparty/user", Read),
    row(GET, V3, "/thirdparty/user/{protocol}", Read),
    row(GET, V3, "/voip/turnServer", Read),

    // The user's own settings; tags and push rules are nobody else's business, hence `profile`.
    row(GET, V3, "/profile/{userId}", Read).optional(),
    row(GET, V3, "/profile/{userId}/{keyName}", Read).optional(),
    row(PUT_DELETE, V3, "/profile/{userId}/{keyName}", Profile),
    row(GET, V3, "/presence/{userId}/status", Read),
    row(PUT, V3, "/presence/{userId}/status", Profile),
    row(GET, V3, "/user/{userId}/account_data/{type}", Read),
    row(PUT, V3, "/user/{userId}/account_data/{type}", Profile),
    row(GET, V3, "/user/{userId}/rooms/{roomId}/account_data/{type}", Read),
    row(PUT, V3, "/user/{userId}/rooms/{roomId}/account_data/{type}", Profile),
    row(GET, V3, "/user/{userId}/rooms/{roomId}/tags", Read),
    row(PUT_DELETE, V3, "/user/{userId}/rooms/{roomId}/tags/{tag}", Profile),
    row(GET, V3, "/pushrules/", Read),
    row(GET, V3, "/pushrules/global/", Read),
    row(GET, V3, "/pushrules/global/{kind}/{ruleId}", Read),
    row(PUT_DELETE, V3, "/pushrules/global/{kind}/{ruleId}", Profile),
    row(GET, V3, "/pushrules/global/{kind}/{ruleId}/actions", Read),
    row(PUT, V3, "/pushrules/global/{kind}/{ruleId}/actions", Profile),
    row(GET, V3, "/pushrules/global/{kind}/{ruleId}/enabled", Read),
    row(PUT, V3, "/pushrules/global/{kind}/{ruleId}/enabled", Profile),

    // Media. The older downloads need no token by the specification.
    row(POST, V1, "/create", Media).media(),
    row(POST, MEDIA, "/upload", Media).media(),
    row(PUT, MEDIA, "/upload/{serverName}/{mediaId}", Media).media(),
    row(GET, MEDIA, "/config", Media).media(),
    row(GET, MEDIA, "/preview_url", Media).media(),
    row(GET, MEDIA, "/download/{serverName}/{mediaId}", Media).media().optional(),
    row(GET, MEDIA, "/download/{serverName}/{mediaId}/{fileName}", Media).media().optional(),
    row(GET, MEDIA, "/thumbnail/{serverName}/{mediaId}", Media).media().optional(),
    row(GET, V1, "/media/config", Media),
    row(GET, V1, "/media/preview_url", Media),
    row(GET, V1, "/media/download/{serverName}/{mediaId}", Media),
    row(GET, V1, "/media/download/{serverName}/{mediaId}/{fileName}", Media),
    row(GET, V1, "/media/thumbnail/{serverName}/{mediaId}", Media),

    // For application services alone, whose tokens are not ours.
    row(POST, V1, "/appservice/{appserviceId}/ping", Account),

    // Deployed before they are specified: what needs no token, and what clients cannot do without.
    open(GET, UNSTABLE, "/org.matrix.msc2965/auth_metadata"),
    open(GET, UNSTABLE, "/org.matrix.msc2965/auth_issuer"),
    open(POST, UNSTABLE, "/org.matrix.msc2918/refresh"),
    open(GET, UNSTABLE, "/org.matrix.msc2858/login/sso/redirect/{idpId}"),
    row(POST, UNSTABLE, "/org.matrix.msc3882/login/get_token", Account),
    open(POST, UNSTABLE, "/org.matrix.msc4108/rendezvous"),
    row(GET_POST, UNSTABLE, "/io.element.msc4388/rendezvous", Account).optional(),
    open(GET_PUT_DELETE, UNSTABLE, "/io.element.msc4388/rendezvous/{id}"),
    row(POST, UNSTABLE, "/org.matrix.msc4140/delayed_events/{delayId}", State).optional(),
    open(POST, UNSTABLE, "/org.matrix.msc4140/delayed_events/{delayId}/{action}"),
    row(POST, UNSTABLE, "/org.matrix.simplified_msc3575/sync", Sync),
    row(GET, UNSTABLE, "/uk.tcpip.msc4133/profile/{userId}/{keyName}", Read).optional(),
    row(PUT_DELETE, UNSTABLE, "/uk.tcpip.msc4133/profile/{userId}/{keyName}", Profile),
    row(GET, UNSTABLE, "/im.nheko.summary/rooms/{roomIdOrAlias}/summary", Read).optional(),
    row(GET, UNSTABLE, "/im.nheko.summary/summary/{roomIdOrAlias}", Read).optional(),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::occasion::path::Segment;
    use crate::occasion::{Auth, MAX_SEGMENTS, PathScratch, Place, Prefix, request};

    /// Every request that the row is about, with something in the place of its placeholders.
    fn samples(route: &Route) -> Vec<(&'static str, String)> {
        let fill = |path: String| {
            let piece = |piece: &str| match piece {
                "{roomId}" | "{roomIdOrAlias}" => "!r:hs".to_owned(),
                piece => piece.trim_matches(['{', '}']).to_owned(),
            };
            path.split('/').map(piece).collect::<Vec<_>>().join("/")
        };
        let methods = route.methods.iter().map(|method| method.name());
        methods.flat_map(|name| route.paths().map(move |path| (name, fill(path)))).collect()
    }

    #[test]
    fn the_table_has_169_rows_for_486_requests() {
        let requests: usize = ROUTES.iter().map(|route| samples(route).len()).sum();

        assert_eq!((ROUTES.len(), requests), (169, 486));
    }

    #[test]
    fn every_row_is_reached_by_the_requests_it_is_about() {
        for route in ROUTES {
            for (method, path) in samples(route) {
                let (mut scratch, mut room) = Default::default();
                let segments = Segment::split(&path, &mut scratch, &mut room).unwrap();
                let found = Place::of(segments).route(Method::from_name(method).unwrap());
                assert_eq!(found, Some(route), "{method} {path}");

                let mut scratch = PathScratch::new();
                let found = request(method, &path, &mut scratch).unwrap();
                let named = route.pattern.contains("{roomId") && !route.across_rooms;
                assert_eq!(found.room_id, named.then_some("!r:hs"), "{method} {path}");
                assert_eq!((found.auth, found.action), (route.auth, route.action), "{path}");
                assert!(found.known);
            }
        }
    }

    #[test]
    fn no_request_has_two_rows() {
        let mut seen = std::collections::HashSet::new();
        for sample in ROUTES.iter().flat_map(samples) {
            assert!(seen.insert(sample.clone()), "{sample:?}");
        }
    }

    #[test]
    fn patterns_are_whole_and_begin_with_a_literal() {
        for route in ROUTES {
            assert_eq!(format!("/{}", route.pieces().join("/")), route.pattern);
            assert!(!route.pieces().first().unwrap().starts_with('{'), "{}", route.pattern);
            assert_eq!(route.versions.is_empty(), route.prefix == Prefix::None);
            assert!(route.pieces().len() + 3 <= MAX_SEGMENTS);
        }
    }

    #[test]
    fn what_needs_a_token_has_an_action_and_what_needs_none_has_not() {
        for route in ROUTES {
            assert_eq!(route.action.is_some(), route.auth != Auth::None, "{}", route.pattern);
        }
    }

    /// Some programs decode a path first and split it then. Whatever they take for a row of this
    /// table we refuse, or judge the same.
    #[test]
    fn slashes_hidden_in_a_segment_lead_to_no_other_verdict() {
        for route in ROUTES {
            for (method, path) in samples(route) {
                let slashes: Vec<_> = path.match_indices('/').map(|(at, _)| at).skip(1).collect();
                for hidden in 1_u32..1 << slashes.len() {
                    let bit =
                        |at: usize| slashes.iter().position(|s| *s == at).map(|n| hidden >> n & 1);
                    for escape in ["%2F", "%252F"] {
                        let spelled = path.char_indices().map(|(at, c)| match bit(at) {
                            Some(1) => escape.to_owned(),
                            _ => c.to_string(),
                        });
                        let spelled: String = spelled.collect();
                        let mut scratch = PathScratch::new();
                        if let Ok(found) = request(method, &spelled, &mut scratch) {
                            assert_eq!(found.action, route.action, "{spelled}");
                            assert_eq!(found.auth, route.auth, "{spelled}");
                            assert!(matches!(found.room_id, None | Some("!r:hs")), "{spelled}");
                        }
                    }
                }
            }
        }
    }
}
