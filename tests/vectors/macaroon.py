"""The token format on hmac, hashlib and base64: keys, identifier, chain, framing, vector files."""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field

ACCESS, REFRESH, LOGIN, INNER = 1, 2, 3, 4
KINDS = {ACCESS: "access", REFRESH: "refresh", LOGIN: "login", INNER: "inner"}
PREFIX = {ACCESS: "mma_", REFRESH: "mmr_", LOGIN: "mml_", INNER: "mmi_"}

# Field types of libmacaroons' second binary format.
END, LOCATION, IDENTIFIER, VERIFICATION, SIGNATURE = 0, 1, 2, 4, 6

ISSUED = 1_790_000_000_000
EXPIRES = ISSUED + 900_000
NOW = ISSUED + 1000

# Public, and therefore good for vectors only.
KEY = hashlib.sha256(b"amaretti test vectors, key one").digest()
OTHER_KEY = hashlib.sha256(b"amaretti test vectors, key two").digest()


def mac(key, message):
    """HMAC-SHA256."""
    return hmac.new(key, message, hashlib.sha256).digest()


def key_id(key):
    """The four bytes a key is named by."""
    return mac(key, b"amaretti 1 key id")[:4]


def subkey(key, kind):
    """The secret that tokens of one kind are signed with."""
    return mac(key, b"amaretti 1 " + KINDS[kind].encode())


def tag_of(secret, identifier, caveats, derive=True):
    """The tag of a macaroon; libmacaroons derives its root key from the secret."""
    tag = mac(b"macaroons-key-generator", secret) if derive else secret
    for link in [identifier, *caveats]:
        tag = mac(tag, link)
    return tag


def length(number, spare=0):
    """A length: seven bits a byte, low bits first; `spare` bytes more than it needs."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    for _ in range(spare):
        out[-1] |= 0x80
        out.append(0)
    return bytes(out)


def packet(kind, content, spare=0):
    """Type, length and content."""
    return bytes([kind]) + length(len(content), spare) + content


def base64url(raw):
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class Token:
    """A token, and each way in which it can be wrong though it is signed."""

    kind: int = ACCESS
    user: str = "@alice:example.com"
    device: str | None = "ABCDEFGHIJ"
    guest: bool = False
    generation: int = 0
    issued_at: int = ISSUED
    expires_at: int = EXPIRES
    session: bytes = (ISSUED - 60_000).to_bytes(6, "big") + bytes(range(0xA0, 0xAA))
    caveats: list = field(default_factory=list)
    key: bytes = KEY
    # Said instead of what follows from the fields above.
    format: int = 1
    kind_byte: int | None = None
    flags: int | None = None
    named_key: bytes | None = None
    issuer: list | None = None
    secret: bytes | None = None
    derive: bool = True
    prefix: str | None = None

    def identifier(self):
        """The 45 bytes."""
        flags = (1 if self.device is not None else 0) | (2 if self.guest else 0)
        return b"".join([
            bytes([self.format]),
            bytes([self.kind if self.kind_byte is None else self.kind_byte]),
            bytes([flags if self.flags is None else self.flags]),
            hashlib.sha256(self.user.encode()).digest()[:6],
            self.named_key or key_id(self.key),
            self.session,
            self.generation.to_bytes(4, "big"),
            self.issued_at.to_bytes(6, "big"),
            self.expires_at.to_bytes(6, "big"),
        ])

    def lines(self):
        """Every caveat as bytes, the issuer's first."""
        issuer = self.issuer
        if issuer is None:
            device = [] if self.device is None else [f"device_id = {self.device}"]
            issuer = [f"user_id = {self.user}", *device]
        return [c if isinstance(c, bytes) else c.encode() for c in [*issuer, *self.caveats]]

    def tag(self):
        """The tag that holds for identifier and caveats."""
        secret = self.secret or subkey(self.key, self.kind)
        return tag_of(secret, self.identifier(), self.lines(), self.derive)

    def packets(self):
        """The macaroon in pieces, for those who want to misplace one."""
        return {
            "version": b"\x02",
            "location": b"",
            "identifier": packet(IDENTIFIER, self.identifier()),
            "header end": bytes([END]),
            "caveats": b"".join(packet(IDENTIFIER, c) + bytes([END]) for c in self.lines()),
            "end": bytes([END]),
            "tag": packet(SIGNATURE, self.tag()),
        }

    def raw(self, **changed):
        """The macaroon in binary form, with pieces replaced."""
        changed = {name.replace("_", " "): piece for name, piece in changed.items()}
        return b"".join({**self.packets(), **changed}.values())

    def text(self, **changed):
        """The token."""
        return self.spelled(self.raw(**changed))

    def spelled(self, raw):
        """Prefix and base64url of these bytes."""
        return (self.prefix or PREFIX[self.kind]) + base64url(raw)

    def subkey_header(self):
        """What a side service holds that verifies this kind alone."""
        return f"{KINDS[self.kind]} {key_id(self.key).hex()} {subkey(self.key, self.kind).hex()}"


def vector(comment, expect, purpose, token, expected=None, caveats=(), **occasion):
    """The text of a vector file."""
    holds = {"subkey": occasion.pop("subkey")} if "subkey" in occasion else {}
    if not holds:
        holds = {"key": occasion.pop("key", KEY).hex()}
    headers = {
        "comment": comment,
        "expect": expect,
        "purpose": purpose,
        **holds,
        "now": occasion.pop("now", NOW),
        **occasion,
        **(expected or {}),
    }
    pairs = [(name, value) for name, value in headers.items() if value is not None]
    lines = [f"{name}: {value}" for name, value in [*pairs, *caveats]]
    assert not any("\n" in line for line in [*lines, token])
    return "\n".join([*lines, "", token, ""])


def refused(why, comment, token, purpose="request", **occasion):
    """A vector whose token must be refused for this reason."""
    text = token.text() if isinstance(token, Token) else token
    return vector(comment, f"refused: {why}", purpose, text, **occasion)
