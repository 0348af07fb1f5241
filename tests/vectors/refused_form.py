"""The vectors whose tokens are refused for how they are written, each for one reason."""

import json

from macaroon import (
    ACCESS, END, IDENTIFIER, KINDS, LOCATION, PREFIX, SIGNATURE, VERIFICATION, Token, base64url,
    length, packet, refused,
)

USER = "user_id = @alice:example.com"
GOOD = Token()
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def foreign():
    """What does not begin with a prefix of ours."""
    rows = {
        "empty": ("an empty text", ""),
        "prefix-short": ("three characters", "mma"),
        "prefix-upper-case": ("a prefix in upper case", "MMA_" + GOOD.text()[4:]),
        "prefix-space-before": ("a space before the prefix", " " + GOOD.text()),
        "prefix-none": ("a macaroon without prefix", GOOD.text()[4:]),
        "prefix-unknown": ("a prefix of nobody", "mmx_" + GOOD.text()[4:]),
        "json": ("a macaroon as JSON", json_macaroon()),
        "bearer": ("the scheme of the header left on", "Bearer " + GOOD.text()),
    }
    for name, (comment, text) in rows.items():
        yield f"refused-{name}", refused("Foreign", comment, text)


def predecessors():
    """What Synapse and the authentication service beside it issue or issued."""
    for prefix in ("syt", "syr", "syl", "mat", "mar", "mct", "mcr", "mpt"):
        text = f"{prefix}_YWxpY2U_AbCdEfGhIjKlMnOpQrSt_0AbCdE"
        yield f"refused-predecessor-{prefix}", refused("Predecessor", f"the prefix {prefix}_", text)
    for place in ("hs", "example.com", "matrix.example.com", "a-homeserver.somewhere.example.com"):
        comment = f"a macaroon of version 1 with the location {place}"
        text = base64url(v1_macaroon(place))
        yield f"refused-v1-location-{len(place)}", refused("Predecessor", comment, text)


def json_macaroon():
    """The reference token in libmacaroons' JSON form."""
    caveats = [{"i": line.decode()} for line in GOOD.lines()]
    name, tag = base64url(GOOD.identifier()), base64url(GOOD.tag())
    return json.dumps({"v": 2, "i64": name, "c": caveats, "s64": tag}, separators=(",", ":"))


def v1_macaroon(place):
    """The reference token in libmacaroons' first binary form."""
    def line(key, value):
        body = key + b" " + value + b"\n"
        return b"%04x" % (len(body) + 4) + body
    caveats = b"".join(line(b"cid", text) for text in GOOD.lines())
    head = line(b"location", place.encode()) + line(b"identifier", GOOD.identifier())
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
        "umlaut": ("Malformed(Alphabet)", "a letter of two bytes", text[:60] + "ä" + text[61:]),
        "loose-bits-2": ("Malformed(LooseBits)", "one loose bit of two", loosened(three)),
        "loose-bits-4": ("Malformed(LooseBits)", "one loose bit of four", loosened(two)),
        "trailing-byte": ("Malformed(TrailingBytes)", "a byte behind the tag",
                          GOOD.spelled(GOOD.raw() + b"\0")),
        "trailing-macaroon": ("Malformed(TrailingBytes)", "a second macaroon behind the first",
                              GOOD.spelled(GOOD.raw() * 2)),
    }
    for name, (why, comment, spelling) in rows.items():
        yield f"refused-{name}", refused(why, comment, spelling)
    for whole in map(widened, range(3)):
        behind = len(whole) % 4
        comment = f"one more character, where {behind} stand in the last group"
        yield f"refused-one-more-character-{behind}", refused(
            "Malformed(TrailingBytes)", comment, whole + "A")


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


def malformed(rows):
    """The reference token with some of its pieces replaced."""
    for name, (why, comment, changed) in rows.items():
        yield f"refused-{name}", refused(f"Malformed({why})", comment, GOOD.text(**changed))


def framed_wrongly():
    """Bytes that no MAC covers, or that are not a V2 macaroon as we write it."""
    tag, identifier = GOOD.tag(), GOOD.identifier()
    return malformed({
        "location": ("Location", "a location",
                     {"location": packet(LOCATION, b"https://example.com")}),
        "location-empty": ("Location", "an empty location, as pymacaroons adds",
                           {"location": packet(LOCATION, b"")}),
        "identifier-length-long": ("Length", "ad 00 for 2d: a length not in its shortest form",
                                   {"identifier": packet(IDENTIFIER, identifier, spare=1)}),
        "identifier-44": ("Identifier", "an identifier of 44 bytes",
                          {"identifier": packet(IDENTIFIER, identifier[:44])}),
        "identifier-46": ("Identifier", "an identifier of 46 bytes",
                          {"identifier": packet(IDENTIFIER, identifier + b"\0")}),
        "version-1": ("Framing", "version byte 1", {"version": b"\x01"}),
        "version-3": ("Framing", "version byte 3", {"version": b"\x03"}),
        "header-not-ended": ("Framing", "no end behind the header", {"header_end": b""}),
        "caveats-not-ended": ("Framing", "no end behind the caveats", {"end": b""}),
        "tag-31": ("Framing", "a tag of 31 bytes", {"tag": packet(SIGNATURE, tag[:31])}),
        "tag-33": ("Framing", "a tag of 33 bytes", {"tag": packet(SIGNATURE, tag + b"\0")}),
        "tag-field-unknown": ("Framing", "a field of type 7 for the tag", {"tag": packet(7, tag)}),
    })


def caveats_framed_wrongly():
    """Caveats that are not a type, a length in its shortest form, a text and an end."""
    lines, end = GOOD.lines(), bytes([END])
    first, second = (packet(IDENTIFIER, line) + end for line in lines)
    third = packet(IDENTIFIER, b"ticket") + packet(VERIFICATION, bytes(32)) + end
    long_lines = b"".join(packet(IDENTIFIER, line, spare=1) + end for line in lines)
    verified = first[:-1] + packet(VERIFICATION, b"") + end
    stranger = first[:-1] + packet(5, b"x") + end
    three_bytes = b"\x02" + length(20, spare=2) + bytes(20)
    rows = {
        "caveat-length-long": ("Length", "9c 00 for 1c: not in its shortest form", long_lines),
        "caveat-length-3-bytes": ("Length", "a length of three bytes", first + three_bytes),
        "caveat-length-endless": ("Length", "a length without end", first + b"\x02" + b"\xff" * 9),
        "caveat-not-ended": ("Framing", "no end behind a caveat", first[:-1] + second),
        "caveat-field-unknown": ("Framing", "a field of type 5 in a caveat", stranger + second),
        "third-party": ("ThirdParty", "a caveat with a verification id", first + second + third),
        "verification-on-user": ("ThirdParty", "user_id with a verification id", verified + second),
        "caveat-location": ("ThirdParty", "a caveat with a location",
                            packet(LOCATION, b"") + first + second),
    }
    changed = {name: (why, words, {"caveats": piece}) for name, (why, words, piece) in rows.items()}
    return malformed(changed)


def of_another_form():
    """Macaroons in libmacaroons' other two forms, behind our prefix."""
    others = {"v1-prefixed": v1_macaroon("example.com"), "json-prefixed": json_macaroon().encode()}
    for name, raw in others.items():
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


PARTS = (foreign, predecessors, truncated, spelled_loosely, framed_wrongly,
         caveats_framed_wrongly, of_another_form, identified_wrongly, unprintable)
