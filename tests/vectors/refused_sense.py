"""The vectors whose tokens are well formed and refused for what they say, or who signed them."""

from macaroon import (
    ACCESS, END, EXPIRES, IDENTIFIER, INNER, ISSUED, KEY, KINDS, LOGIN, NOW, OTHER_KEY, REFRESH,
    SIGNATURE, Token, key_id, packet, refused, subkey,
)

USER = "user_id = @alice:example.com"
DEVICE = "device_id = ABCDEFGHIJ"
GOOD = Token()


def misplaced():
    """The issuer's caveats, signed and out of place, and what a holder may not say after them."""
    identity = "Malformed(Identity)"
    unmet = "Unmet(2 {})"
    rows = {
        "flag-device-without-caveat": (identity, {"flags": 1, "device": None}),
        "flag-device-caveat-other": (identity, {"issuer": [USER, "time < 1790000600000"]}),
        "caveat-device-without-flag": ("Unmet(1 device_id)", {"flags": 0}),
        "issuer-reordered": (identity, {"issuer": [DEVICE, USER]}),
        "device-first": (identity, {"issuer": [DEVICE]}),
        "device-first-no-flag": (identity, {"issuer": [DEVICE], "flags": 0}),
        "user-missing": (identity, {"issuer": [], "flags": 0}),
        "user-second": (identity, {"issuer": ["time < 1790000600000", USER], "flags": 0}),
        "user-unspaced": (identity, {"issuer": ["user_id=@alice:example.com", DEVICE]}),
        "user-two-spaces": (identity, {"issuer": ["user_id =  @alice:example.com", DEVICE]}),
        "user-without-sigil": (identity, {"issuer": ["user_id = alice:example.com", DEVICE]}),
        "user-without-server": (identity, {"issuer": ["user_id = @alice", DEVICE]}),
        "user-empty": (identity, {"issuer": ["user_id = ", DEVICE]}),
        "user-space": (identity, {"issuer": ["user_id = @al ice:example.com", DEVICE]}),
        "user-256": (identity, {"user": "@" + "a" * 243 + ":example.com"}),
        "device-256": (identity, {"device": "D" * 256}),
        "device-empty": (identity, {"device": ""}),
        "user-again-other": (unmet.format("user_id"), {"caveats": ["user_id = @bob:example.com"]}),
        "user-again-prefix": (unmet.format("user_id"),
                              {"caveats": ["user_id = @alice:example.co"]}),
        "device-again-other": (unmet.format("device_id"), {"caveats": ["device_id = OTHER"]}),
        "device-where-none": ("Unmet(1 device_id)", {"device": None, "caveats": [DEVICE]}),
        "user-last-other": ("Unmet(4 user_id)",
                            {"caveats": [USER, DEVICE, "user_id = @bob:example.com"]}),
    }
    for name, (why, fields) in rows.items():
        comment = f"signed by the issuer: {name.replace('-', ' ')}"
        yield f"refused-{name}", refused(why, comment, Token(**fields))


def tampered():
    """Tokens changed after they were signed."""
    def flipped(at, bit):
        raw = bytearray(GOOD.raw())
        raw[at] ^= 1 << bit
        return GOOD.spelled(bytes(raw))
    fields = {"route": 3, "session-beginning": 13, "session-random": 28, "generation": 32,
              "issued-at": 38, "expires-at": 44}
    for name, at in fields.items():
        yield f"refused-{name}-changed", refused("Forged", f"{name} changed", flipped(3 + at, 0))
    bits = {"first": flipped(-32, 7), "last": flipped(-1, 0)}
    for name, text in bits.items():
        comment = f"the {name} bit of the tag flipped"
        yield f"refused-tag-{name}-bit", refused("Forged", comment, text)
    lines = [packet(IDENTIFIER, line) + bytes([END]) for line in GOOD.lines()]
    inserted = lines[0] + packet(IDENTIFIER, b"time < 1790000600000") + bytes([END]) + lines[1]
    yield "refused-caveat-before-device", refused(
        "Malformed(Identity)", "a holder's caveat inserted before device_id",
        GOOD.text(caveats=inserted))


def recombined():
    """Pieces of good tokens put together anew."""
    narrow = Token(caveats=["action in read", "time < 1790000600000"])
    named = {
        "fewer": Token(caveats=["action in read"]),
        "swapped": Token(caveats=["time < 1790000600000", "action in read"]),
        "bob": Token(user="@bob00:example.com"),
        "next": Token(generation=1),
        "bare": Token(issuer=[]),
        "guest": Token(guest=True),
    }
    piece = {name: token.packets() for name, token in named.items()}
    good, narrower = GOOD.packets()["caveats"], narrow.packets()["caveats"]
    bare, guest = named["bare"], named["guest"]
    rows = {
        "caveat-dropped": ("the last caveat dropped",
                           narrow.text(caveats=piece["fewer"]["caveats"])),
        "caveats-all-dropped": ("every appended caveat dropped", narrow.text(caveats=good)),
        "caveats-swapped": ("appended caveats in another order than signed",
                            narrow.text(caveats=piece["swapped"]["caveats"])),
        "caveat-unsigned": ("caveats the tag does not know", GOOD.text(caveats=narrower)),
        "user-exchanged": ("another user's name", GOOD.text(caveats=piece["bob"]["caveats"])),
        "identifier-exchanged": ("another token's identifier",
                                 GOOD.text(identifier=piece["next"]["identifier"])),
        "guest-flag-dropped": ("a guest made a user",
                               guest.text(identifier=GOOD.packets()["identifier"])),
        "tag-of-identifier": ("the tag of the bare identifier", bare.text(caveats=good)),
    }
    for name, (comment, text) in rows.items():
        yield f"refused-{name}", refused("Forged", comment, text)


def signed_wrongly():
    """Whole chains that begin with another secret."""
    zeros = GOOD.text(tag=packet(SIGNATURE, bytes(32)))
    rows = {
        "tag-zeros": ("a tag of zeros", zeros),
        "subkey-of-other-kind": ("signed with the refresh subkey",
                                 Token(secret=subkey(KEY, REFRESH))),
        "key-for-subkey": ("signed with the key itself", Token(secret=KEY)),
        "root-not-derived": ("signed with the subkey as root key", Token(derive=False)),
        "other-key-under-this-name": ("signed with another key under this key's id",
                                      Token(key=OTHER_KEY, named_key=key_id(KEY))),
    }
    for name, (comment, token) in rows.items():
        yield f"refused-{name}", refused("Forged", comment, token)


def unknown_keys():
    """Key ids that are not held."""
    why = f"UnknownKey({key_id(OTHER_KEY).hex()})"
    yield "refused-key-unknown", refused(why, "signed with a key not held", Token(key=OTHER_KEY))
    yield "refused-key-id-changed", refused(
        why, "the key id changed to one not held", Token(named_key=key_id(OTHER_KEY)))
    zeros = Token(named_key=bytes(4))
    yield "refused-key-id-zero", refused("UnknownKey(00000000)", "key id of zeros", zeros)
    mine = f"UnknownKey({key_id(KEY).hex()})"
    for kind in (REFRESH, LOGIN, INNER):
        comment = f"kind {KINDS[kind]} where the access subkey alone is held"
        yield f"refused-subkey-{KINDS[kind]}", refused(
            mine, comment, Token(kind), subkey=GOOD.subkey_header())


def purposes():
    """Good tokens used for something else."""
    uses = {"request": [ACCESS], "refresh": [REFRESH], "login": [LOGIN],
            "introspection": [ACCESS, INNER]}
    for purpose, kinds in uses.items():
        for kind, name in KINDS.items():
            if kind not in kinds:
                yield f"refused-{name}-for-{purpose}", refused(
                    f"WrongKind({name})", f"kind {name} for {purpose}", Token(kind), purpose)


def occasions():
    """Good tokens, at the wrong time or place."""
    room = {"room_id": "!room:example.com"}
    rows = {
        "time-reached": ("time", f"time < {NOW}", {}),
        "time-passed": ("time", f"time < {ISSUED}", {}),
        "action-other": ("action", "action in read,sync", {"action": "send"}),
        "action-unknown": ("action", "action in read", {}),
        "room-other": ("room_id", "room_id in !other:example.com", room),
        "room-longer": ("room_id", "room_id in !room:example.com.org", room),
        "room-unknown": ("room_id", "room_id in !room:example.com", {}),
        "ip-other": ("ip", "ip in 192.0.2.0/24", {"address": "192.0.3.0"}),
        "ip-family": ("ip", "ip in ::/0", {"address": "192.0.2.7"}),
        "ip-unknown": ("ip", "ip in 0.0.0.0/0,::/0", {}),
        "audience-other": ("audience", "audience = media", {"audience": "bridge"}),
        "audience-unknown": ("audience", "audience = media", {}),
    }
    for name, (key, text, occasion) in rows.items():
        yield f"refused-caveat-{name}", refused(
            f"Unmet(2 {key})", f"{text}: does not clear", Token(caveats=[text]), **occasion)
    yield "refused-caveat-second", refused(
        "Unmet(3 action)", "the second appended caveat does not clear",
        Token(caveats=["time < 1790000600000", "action in read"]), action="send")
    for name, now in {"now": EXPIRES, "later": EXPIRES + 1}.items():
        yield f"refused-expired-{name}", refused("Expired", "at its expiry or after", GOOD, now=now)
    late = Token(REFRESH, caveats=["time < 1790000000001"])
    yield "refused-refresh-time", refused("Unmet(2 time)", "a late exchange", late, "refresh")
    homed = Token(REFRESH, caveats=["ip in 192.0.2.0/24"])
    yield "refused-refresh-ip", refused(
        "Unmet(2 ip)", "an exchange from elsewhere", homed, "refresh", address="192.0.3.1")


def unreadable():
    """Caveats that nobody understands, and what may not stand on a refresh token."""
    rows = {
        "unknown": "tenant = x", "case": "Time < 1790000600000", "no-spaces": "time<1790000600000",
        "two-spaces": "time <  1790000600000", "operator": "time > 1790000000000",
        "one-word": "admin", "value-empty": "action in ", "value-words": "time < tomorrow",
        "value-signed": "time < +1790000600000", "value-large": "time < 281474976710656",
        "action-foreign": "action in read,fly", "action-gap": "action in read,",
        "room-no-sigil": "room_id in room:example.com", "ip-name": "ip in localhost",
        "ip-length": "ip in 192.0.2.0/33", "gen": "gen = 1", "audience-words": "audience = a b",
    }
    everything = {"action": "read", "room_id": "!room:example.com", "address": "192.0.2.7"}
    for name, text in rows.items():
        yield f"refused-unreadable-{name}", refused(
            "UnknownCaveat(2)", f"not in the vocabulary: {text}", Token(caveats=[text]),
            **everything)
    sealed = {
        "action": "action in read", "room_id": "room_id in !room:example.com",
        "audience": "audience = media", "label": "label = bot", "user_id": USER,
    }
    for key, text in sealed.items():
        yield f"refused-sealed-{key}", refused(
            f"Sealed(2 {key})", f"on a refresh token: {text}", Token(REFRESH, caveats=[text]),
            "refresh", **everything)
    yield "refused-sealed-unknown", refused(
        "UnknownCaveat(2)", "on a refresh token: tenant = x",
        Token(REFRESH, caveats=["tenant = x"]), "refresh")


PARTS = (misplaced, tampered, recombined, signed_wrongly, unknown_keys, purposes, occasions,
         unreadable)
