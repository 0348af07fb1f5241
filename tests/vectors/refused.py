"""The vectors whose tokens must be refused, each for one reason."""

import json

from macaroon import (
    ACCESS, END, EXPIRES, IDENTIFIER, INNER, ISSUED, KEY, KINDS, LOCATION, LOGIN, NOW, OTHER_KEY,
    PREFIX, REFRESH, SIGNATURE, VERIFICATION, Token, base64url, key_id, length, packet, subkey,
    vector,
)

USER = "user_id = @alice:example.com"
DEVICE = "device_id = ABCDEFGHIJ"
GOOD = Token()
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def refused(why, comment, token, purpose="request", **occasion):
    """A vector whose token must be refused for this reason."""
    text = token.text() if isinstance(token, Token) else token
    return vector(comment, f"refused: {why}", purpose, text, **occasion)


def foreign():
    """What does not begin with a prefix of ours."""
    rows = {
        "empty": ("an empty text", ""),
        "prefix-short": ("three characters", "mma"),
        "prefix-upper-case": ("a prefix in upper case", "MMA_" + GOOD.text()[4:]),
        "prefix-space-before": ("a space before the prefix", " " + GOOD.text()),
        "prefix-none": ("a macaroon without prefix", GOOD.text()[4:]),
        "prefix-unknown": ("a prefix of nobody", "mmx_" + GOOD.text()[4:]),
        "prefix-synapse": ("an access token of Synapse", "syt_YWxpY2U_AbCdEfGhIjKlMnOpQrSt_0AbCdE"),
        "prefix-mas": ("an access token of another service", "mat_AbCdEfGhIjKlMnOpQrStUvWxYz012345_1AbCdE"),
        "json": ("a macaroon as JSON", json_macaroon()),
        "v1": ("a macaroon of version 1", base64url(v1_macaroon())),
        "bearer": ("the scheme of the header left on", "Bearer " + GOOD.text()),
    }
    for name, (comment, text) in rows.items():
        yield f"refused-{name}", refused("Foreign", comment, text)


def json_macaroon():
    """The reference token in libmacaroons' JSON form."""
    caveats = [{"i": line.decode()} for line in GOOD.lines()]
    fields = {"v": 2, "i64": base64url(GOOD.identifier()), "c": caveats, "s64": base64url(GOOD.tag())}
    return json.dumps(fields, separators=(",", ":"))


def v1_macaroon():
    """The reference token in libmacaroons' first binary form."""
    def line(key, value):
        body = key + b" " + value + b"\n"
        return b"%04x" % (len(body) + 4) + body
    caveats = b"".join(line(b"cid", text) for text in GOOD.lines())
    head = line(b"location", b"https://example.com") + line(b"identifier", GOOD.identifier())
    return head + caveats + line(b"signature", GOOD.tag())


def truncated():
    """What ends early, cut in each part of the token."""
    text = GOOD.text()
    long = Token(caveats=["label = ".ljust(200, "x")])
    prefix, raw = PREFIX[ACCESS], GOOD.raw()
    two_bytes = long.raw().index(packet(IDENTIFIER, long.lines()[2])) + 2
    user = raw.index(USER.encode())
    rows = {
        "behind-prefix": text[:4],
        "in-version": text[:5],
        "behind-version": prefix + base64url(raw[:1]),
        "before-length": prefix + base64url(raw[:2]),
        "before-identifier": prefix + base64url(raw[:3]),
        "in-identifier": text[:40],
        "behind-identifier": prefix + base64url(raw[:48]),
        "behind-header": prefix + base64url(raw[:49]),
        "before-caveat-length": prefix + base64url(raw[:user - 1]),
        "before-caveat": prefix + base64url(raw[:user]),
        "in-caveat": prefix + base64url(raw[:user + 12]),
        "behind-caveat": prefix + base64url(raw[:user + len(USER)]),
        "between-caveats": prefix + base64url(raw[:user + len(USER) + 1]),
        "in-long-length": prefix + base64url(long.raw()[:two_bytes]),
        "behind-caveats": prefix + base64url(raw[:-34]),
        "in-tag-header": prefix + base64url(raw[:-33]),
        "before-tag": prefix + base64url(raw[:-32]),
        "in-tag": prefix + base64url(raw[:-16]),
        "minus-1": text[:-1],
        "minus-2": text[:-2],
        "minus-3": text[:-3],
        "minus-4": text[:-4],
    }
    for name, cut in rows.items():
        comment = f"cut off: {name.replace('-', ' ')}"
        yield f"refused-truncated-{name}", refused("Truncated", comment, cut)


def spelled_loosely():
    """Good tokens in other spellings of base64."""
    text = GOOD.text()
    body = next(t for t in numbered() if "-" in t.text()[4:] and "_" in t.text()[4:]).text()[4:]
    standard = body.replace("-", "+").replace("_", "/")
    two = next(t for t in map(widened, range(3)) if len(t) % 4 == 2)
    three = next(t for t in map(widened, range(3)) if len(t) % 4 == 3)
    rows = {
        "padding": ("Malformed(Alphabet)", "padded with =", text + "="),
        "standard-alphabet": ("Malformed(Alphabet)", "+ and / for - and _", "mma_" + standard),
        "space-behind": ("Malformed(Alphabet)", "a space behind the token", text + " "),
        "umlaut": ("Malformed(Alphabet)", "a letter that is not ASCII", text[:60] + "ä" + text[61:]),
        "loose-bits-2": ("Malformed(LooseBits)", "one loose bit of two", loosened(three)),
        "loose-bits-4": ("Malformed(LooseBits)", "one loose bit of four", loosened(two)),
        "one-more-character": ("Malformed(TrailingBytes)", "one more character", text + "A"),
        "trailing-byte": ("Malformed(TrailingBytes)", "a byte behind the tag",
                          GOOD.spelled(GOOD.raw() + b"\0")),
        "trailing-macaroon": ("Malformed(TrailingBytes)", "a second macaroon behind the first",
                              GOOD.spelled(GOOD.raw() * 2)),
    }
    for name, (why, comment, spelling) in rows.items():
        yield f"refused-{name}", refused(why, comment, spelling)


def widened(by):
    """A good token, `by` bytes longer than the reference token."""
    return Token(device="ABCDEFGHIJ" + "K" * by).text()


def numbered():
    """Good tokens without end."""
    return (Token(generation=n) for n in range(1 << 16))


def loosened(text):
    """The token with its last unused bit set."""
    assert len(text[4:]) % 4 in (2, 3), "nothing to loosen"
    return text[:-1] + ALPHABET[ALPHABET.index(text[-1]) | 1]


def framed_wrongly():
    """Bytes that no MAC covers, or that are not a V2 macaroon as we write it."""
    place = packet(LOCATION, b"https://example.com")
    tag, lines, end = GOOD.tag(), GOOD.lines(), bytes([END])
    first, second = (packet(IDENTIFIER, line) + end for line in lines)
    third = packet(IDENTIFIER, b"ticket") + packet(VERIFICATION, bytes(32)) + end
    at_home = packet(LOCATION, b"") + first
    long_lines = [packet(IDENTIFIER, line, spare=1) + end for line in lines]
    rows = {
        "location": ("Location", "a location", {"location": place}),
        "location-empty": ("Location", "an empty location, as pymacaroons adds",
                           {"location": packet(LOCATION, b"")}),
        "identifier-length-long": ("Length", "ad 00 for 2d: a length not in its shortest form",
                                   {"identifier": packet(IDENTIFIER, GOOD.identifier(), spare=1)}),
        "caveat-length-long": ("Length", "9c 00 for 1c: a length not in its shortest form",
                               {"caveats": b"".join(long_lines)}),
        "caveat-length-3-bytes": ("Length", "a length of three bytes",
                                  {"caveats": first + b"\x02" + length(20, spare=2) + bytes(20)}),
        "caveat-length-endless": ("Length", "a length without end",
                                  {"caveats": first + b"\x02" + b"\xff" * 9}),
        "identifier-44": ("Identifier", "an identifier of 44 bytes",
                          {"identifier": packet(IDENTIFIER, GOOD.identifier()[:44])}),
        "identifier-46": ("Identifier", "an identifier of 46 bytes",
                          {"identifier": packet(IDENTIFIER, GOOD.identifier() + b"\0")}),
        "version-1": ("Framing", "version byte 1", {"version": b"\x01"}),
        "version-3": ("Framing", "version byte 3", {"version": b"\x03"}),
        "header-not-ended": ("Framing", "no end behind the header", {"header_end": b""}),
        "caveats-not-ended": ("Framing", "no end behind the caveats", {"end": b""}),
        "caveat-not-ended": ("Framing", "no end behind a caveat", {"caveats": first[:-1] + second}),
        "caveat-field-unknown": ("Framing", "a field of type 5 in a caveat",
                                 {"caveats": first[:-1] + packet(5, b"x") + end + second}),
        "tag-31": ("Framing", "a tag of 31 bytes", {"tag": packet(SIGNATURE, tag[:31])}),
        "tag-33": ("Framing", "a tag of 33 bytes", {"tag": packet(SIGNATURE, tag + b"\0")}),
        "tag-field-unknown": ("Framing", "a field of type 7 for the tag", {"tag": packet(7, tag)}),
        "third-party": ("ThirdParty", "a caveat with a verification id",
                        {"caveats": first + second + third}),
        "verification-on-user": ("ThirdParty", "user_id with a verification id",
                                 {"caveats": first[:-1] + packet(VERIFICATION, b"") + end + second}),
        "caveat-location": ("ThirdParty", "a caveat with a location", {"caveats": at_home + second}),
    }
    for name, (why, comment, changed) in rows.items():
        yield f"refused-{name}", refused(f"Malformed({why})", comment, GOOD.text(**changed))
    for name, raw in {"v1-prefixed": v1_macaroon(), "json-prefixed": json_macaroon().encode()}.items():
        comment = "another form of macaroon behind our prefix"
        yield f"refused-{name}", refused("Malformed(Framing)", comment, GOOD.spelled(raw))
    json_text = "mma_" + json_macaroon()
    yield "refused-json-bare", refused("Malformed(Alphabet)", "JSON behind our prefix", json_text)


def identified_wrongly():
    """Identifiers that are signed and yet say what must not be said."""
    for number in (0, 2, 255):
        token = Token(format=number)
        yield f"refused-format-{number}", refused("UnknownFormat", f"format {number}", token)
    for number in (0, 5, 255):
        token = Token(kind_byte=number)
        yield f"refused-kind-{number}", refused("UnknownFormat", f"kind {number}", token)
    for kind, name in KINDS.items():
        for other, prefix in PREFIX.items():
            if kind != other:
                comment = f"kind {name} behind the prefix {prefix}"
                yield f"refused-prefix-{prefix[:3]}-for-{name}", refused(
                    "WrongPrefix", comment, Token(kind, prefix=prefix))
    for bit in range(2, 8):
        token = Token(flags=1 | 1 << bit)
        yield f"refused-flag-{1 << bit}", refused(
            "ReservedBits", f"flag {1 << bit}, which is reserved", token)
    yield "refused-flags-all", refused("ReservedBits", "every flag", Token(flags=0xFF))


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
        "user-again-prefix": (unmet.format("user_id"), {"caveats": ["user_id = @alice:example.co"]}),
        "device-again-other": (unmet.format("device_id"), {"caveats": ["device_id = OTHER"]}),
        "device-where-none": ("Unmet(1 device_id)", {"device": None, "caveats": [DEVICE]}),
        "user-last-other": ("Unmet(4 user_id)",
                            {"caveats": [USER, DEVICE, "user_id = @bob:example.com"]}),
    }
    for name, (why, fields) in rows.items():
        comment = f"signed by the issuer: {name.replace('-', ' ')}"
        yield f"refused-{name}", refused(why, comment, Token(**fields))


def unprintable():
    """Caveats that are no text, or too many of them, though the chain holds."""
    rows = {
        "empty": b"",
        "newline": b"label = a\nb",
        "nul": b"label = a\0b",
        "delete": b"label = a\x7fb",
        "c1-control": "label = a\u0085b".encode(),
        "not-utf8": b"label = \xff\xfe",
        "overlong-utf8": b"label = \xc0\xaf",
        "surrogate": b"label = \xed\xa0\x80",
    }
    for name, line in rows.items():
        yield f"refused-caveat-{name}", refused(
            "Malformed(Unprintable)", f"a caveat, {name}", Token(caveats=[line]))
    many = Token(caveats=[f"label = {n}" for n in range(31)])
    yield "refused-33-caveats", refused("Malformed(TooManyCaveats)", "33 caveats in all", many)
    longest = Token(caveats=["label = ".ljust(1389, "x")]).text()
    yield "refused-2049-characters", refused("TooLong", "2049 characters", longest + "A")
    signed = Token(caveats=["label = ".ljust(1390, "x")])
    assert len(signed.text()) == 2050, len(signed.text())
    yield "refused-2050-characters", refused("TooLong", "2050 characters, signed", signed)


def forged():
    """Chains that do not hold."""
    def flipped(at, bit):
        raw = bytearray(GOOD.raw())
        raw[at] ^= 1 << bit
        return GOOD.spelled(bytes(raw))
    offsets = {"route": 3, "session-beginning": 13, "session-random": 28, "generation": 32,
               "issued-at": 38, "expires-at": 44}
    rows = {f"{name}-changed": (f"{name} changed", flipped(3 + at, 0))
            for name, at in offsets.items()}
    narrow = Token(caveats=["action in read", "time < 1790000600000"])
    fewer = Token(caveats=["action in read"])
    lines = [packet(IDENTIFIER, line) + bytes([END]) for line in GOOD.lines()]
    inserted = lines[0] + packet(IDENTIFIER, b"time < 1790000600000") + bytes([END]) + lines[1]
    swapped = Token(caveats=["time < 1790000600000", "action in read"])
    bob = Token(user="@bob00:example.com")
    rows |= {
        "tag-first-bit": ("the first bit of the tag flipped", flipped(-32, 7)),
        "tag-last-bit": ("the last bit of the tag flipped", flipped(-1, 0)),
        "tag-zeros": ("a tag of zeros", GOOD.text(tag=packet(SIGNATURE, bytes(32)))),
        "tag-of-identifier": ("the tag of the bare identifier",
                              Token(issuer=[]).text(caveats=GOOD.packets()["caveats"])),
        "guest-flag-dropped": ("a guest made a user", Token(guest=True).text(
            identifier=GOOD.packets()["identifier"])),
        "caveat-dropped": ("the last caveat dropped", narrow.text(caveats=fewer.packets()["caveats"])),
        "caveats-all-dropped": ("every appended caveat dropped",
                                narrow.text(caveats=GOOD.packets()["caveats"])),
        "caveats-swapped": ("appended caveats in another order than signed",
                            narrow.text(caveats=swapped.packets()["caveats"])),
        "caveat-unsigned": ("a caveat the tag does not know",
                            GOOD.text(caveats=narrow.packets()["caveats"])),
        "user-exchanged": ("another user's name", GOOD.text(caveats=bob.packets()["caveats"])),
        "identifier-exchanged": ("another token's identifier",
                                 GOOD.text(identifier=Token(generation=1).packets()["identifier"])),
        "subkey-of-other-kind": ("signed with the refresh subkey",
                                 Token(secret=subkey(KEY, REFRESH))),
        "key-for-subkey": ("signed with the key itself", Token(secret=KEY)),
        "root-not-derived": ("signed with the subkey as root key",
                             Token(derive=False)),
        "other-key-under-this-name": ("signed with another key under this key's id",
                                      Token(key=OTHER_KEY, named_key=key_id(KEY))),
    }
    for name, (comment, token) in rows.items():
        yield f"refused-{name}", refused("Forged", comment, token)
    comment = "a holder's caveat inserted before device_id"
    yield "refused-caveat-before-device", refused(
        "Malformed(Identity)", comment, GOOD.text(caveats=inserted))


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
            "UnknownCaveat(2)", f"not in the vocabulary: {text}", Token(caveats=[text]), **everything)
    sealed = {
        "action": "action in read", "room_id": "room_id in !room:example.com",
        "audience": "audience = media", "label": "label = bot", "user_id": USER,
    }
    for key, text in sealed.items():
        yield f"refused-sealed-{key}", refused(
            f"Sealed(2 {key})", f"on a refresh token: {text}", Token(REFRESH, caveats=[text]),
            "refresh", **everything)
    yield "refused-sealed-unknown", refused(
        "UnknownCaveat(2)", "on a refresh token: tenant = x", Token(REFRESH, caveats=["tenant = x"]),
        "refresh")


PARTS = (foreign, truncated, spelled_loosely, framed_wrongly, identified_wrongly, misplaced,
         unprintable, forged, unknown_keys, purposes, occasions, unreadable)
