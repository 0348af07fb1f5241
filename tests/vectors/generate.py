#!/usr/bin/env python3
"""Writes every test vector of this folder, from the description in README.md alone.

    tests/vectors/generate.py            rewrites the *.txt files
    tests/vectors/generate.py --check    writes nothing; fails where a file is not what it would be

It is a second implementation of the token format on Python's standard library and shares no code
with the crate. What is written is the same on every run.
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True

import refused_form  # noqa: E402
import refused_sense  # noqa: E402
from macaroon import (  # noqa: E402
    ACCESS, EXPIRES, INNER, KEY, KINDS, LOGIN, REFRESH, Token, vector,
)

PURPOSE = {ACCESS: "request", REFRESH: "refresh", LOGIN: "login", INNER: "introspection"}


def admitted(comment, token, purpose=None, by_subkey=False, **occasion):
    """A vector whose token must be admitted, with everything it says."""
    expected = {
        "kind": KINDS[token.kind],
        "user_id": token.user,
        "device_id": token.device,
        "session": token.session.hex(),
        "guest": "yes" if token.guest else "no",
        "generation": token.generation,
        "issued_at": token.issued_at,
        "expires_at": token.expires_at or "never",
    }
    if by_subkey:
        occasion["subkey"] = token.subkey_header()
    caveats = [("caveat", text) for text in token.caveats]
    purpose = purpose or PURPOSE[token.kind]
    return vector(comment, "admitted", purpose, token.text(), expected, caveats, **occasion)


def golden_kinds():
    """One token of each kind in each plain form."""
    for kind, name in KINDS.items():
        forms = {
            "device": ("on a device", {}),
            "no-device": ("without a device", {"device": None}),
            "guest": ("of a guest", {"guest": True}),
            "guest-no-device": ("of a guest without a device", {"guest": True, "device": None}),
            "never": ("that never expires", {"expires_at": 0}),
            "subkey": ("verified with its subkey alone", {}),
        }
        for form, (words, fields) in forms.items():
            token = Token(kind, **fields)
            comment = f"a token of kind {name} {words}"
            by_subkey = form == "subkey"
            yield f"golden-{name}-{form}", admitted(comment, token, by_subkey=by_subkey)


def golden_caveats():
    """Each term of the vocabulary, appended, on an occasion where it clears."""
    room, many = "!room:example.com", "room_id in !other:example.com,!room:example.com"
    rows = {
        "user_id": ("user_id = @alice:example.com", {}),
        "device_id": ("device_id = ABCDEFGHIJ", {}),
        "time": (f"time < {EXPIRES - 1000}", {"now": EXPIRES - 1001}),
        "action": ("action in read", {"action": "read"}),
        "action-many": ("action in sync,send,keys", {"action": "send"}),
        "room_id": (f"room_id in {room}", {"room_id": room}),
        "room_id-many": (many, {"room_id": room}),
        "ip-v4": ("ip in 192.0.2.0/24", {"address": "192.0.2.255"}),
        "ip-v6": ("ip in 192.0.2.0/24,2001:db8::/32", {"address": "2001:db8::7"}),
        "ip-one": ("ip in 192.0.2.7", {"address": "192.0.2.7"}),
        "ip-mapped-caller": ("ip in 192.0.2.0/24", {"address": "::ffff:192.0.2.7"}),
        "ip-mapped-network": ("ip in ::ffff:192.0.2.0/120", {"address": "192.0.2.7"}),
        "audience": ("audience = media", {"audience": "media"}),
        "label": ("label = ansible on host7", {}),
        "label-unicode": ("label = größer als 日本", {}),
    }
    for name, (text, occasion) in rows.items():
        comment = f"an appended caveat that clears: {text}"
        yield f"golden-caveat-{name}", admitted(comment, Token(caveats=[text]), **occasion)
    several = ["action in read", f"room_id in {room}", "time < 1790000600000", "label = bot"]
    occasion = {"action": "read", "room_id": room}
    yield "golden-caveat-several", admitted(
        "four appended caveats that all clear", Token(caveats=several), **occasion)


def golden_exchanges():
    """At an exchange time and ip are judged, the other caveats are carried on."""
    for name, text in {"time": "time < 1790000600000", "ip": "ip in 192.0.2.0/24"}.items():
        token = Token(REFRESH, caveats=[text])
        comment = f"what may be appended to a refresh token: {name}"
        yield f"golden-refresh-caveat-{name}", admitted(comment, token, address="192.0.2.7")
    carried = ["action in read", "room_id in !a:example.com", "audience = media"]
    yield "golden-login-caveats", admitted(
        "a login does not judge action, room_id and audience: it carries them on",
        Token(LOGIN, caveats=carried))
    yield "golden-introspection-access", admitted(
        "introspection takes access tokens too", Token(), purpose="introspection")


def golden_bounds():
    """The outermost tokens that are still good."""
    yield "golden-route-one", admitted(
        "shares its route with golden-route-other", Token(user="@u6cf61dc50e47:example.com"))
    yield "golden-route-other", admitted(
        "shares its route with golden-route-one", Token(user="@ud68cbcb7376b:example.com"))
    yield "golden-last-millisecond", admitted(
        "one millisecond before its expiry", Token(), now=EXPIRES - 1)
    yield "golden-far-numbers", admitted(
        "the greatest generation and the greatest instants",
        Token(generation=2**32 - 1, issued_at=2**48 - 1, expires_at=2**48 - 1))
    yield "golden-user-255", admitted(
        "a user id of 255 bytes", Token(user="@" + "a" * 242 + ":example.com"))
    yield "golden-device-255", admitted("a device id of 255 bytes", Token(device="D" * 255))
    yield "golden-user-historical", admitted(
        "a user id of the historical grammar", Token(user="@Älice!B~:example.com:8448"))
    yield "golden-device-words", admitted(
        "a device id with spaces and umlauts", Token(device="My phone = größer"))
    for length in (127, 128):
        text = "label = ".ljust(length, "x")
        yield f"golden-caveat-{length}-bytes", admitted(
            f"a caveat of {length} bytes: its length takes {1 + length // 128} bytes",
            Token(caveats=[text]))
    yield "golden-32-caveats", admitted(
        "32 caveats in all", Token(caveats=[f"label = {n}" for n in range(30)]))
    longest = Token(caveats=["label = ".ljust(1389, "x")])
    assert len(longest.text()) == 2048, len(longest.text())
    yield "golden-2048-characters", admitted("the longest token: 2048 characters", longest)


def all_vectors():
    """Every vector by the name of its file."""
    found = {}
    good = (golden_kinds, golden_caveats, golden_exchanges, golden_bounds)
    for part in (*good, *refused_form.PARTS, *refused_sense.PARTS):
        for name, text in part():
            assert name not in found, name
            found[f"{name}.txt"] = text
    return found


def main():
    """Writes the files, or compares them."""
    here = Path(__file__).resolve().parent
    wanted = all_vectors()
    present = {path.name: path.read_bytes() for path in here.glob("*.txt")}
    if sys.argv[1:] == ["--check"]:
        names = sorted(wanted.keys() | present.keys())
        wrong = [name for name in names if wanted.get(name, "").encode() != present.get(name)]
        sys.exit(f"not what generate.py writes: {', '.join(wrong)}" if wrong else 0)
    for name in present.keys() - wanted.keys():
        (here / name).unlink()
    for name, text in wanted.items():
        (here / name).write_bytes(text.encode())
    good = sum(name.startswith("golden-") for name in wanted)
    print(f"{good} admitted, {len(wanted) - good} refused, key {KEY.hex()}")


if __name__ == "__main__":
    main()
