# Answers questions about macaroons with pymacaroons, one line for each line it is asked.
#
# A line is words with spaces between; what is not a macaroon's text is hexadecimal, and `-` stands
# for nothing. An answer is `yes` and what was asked for, or `no` and the reason.
#
#   read    TEXT                        the identifier and the caveats
#   verify  TEXT SECRET any             whether the signature holds; every caveat counts as met
#   verify  TEXT SECRET these CAVEAT..  whether it holds and every caveat is one of these
#   narrow  TEXT CAVEAT..               the text with caveats appended
#   involve TEXT                        the text with a caveat of a third party appended
#   mint    SECRET IDENTIFIER CAVEAT..  the text of a new macaroon

import sys

from pymacaroons import MACAROON_V2, Macaroon, Verifier


def read(text):
    macaroon = Macaroon.deserialize(text)
    if macaroon.third_party_caveats():
        raise ValueError("a caveat of a third party")
    return [macaroon.identifier_bytes, *(c.caveat_id_bytes for c in macaroon.caveats)]


def verify(text, secret, which, *caveats):
    verifier = Verifier()
    if which == "any":
        verifier.satisfy_general(lambda _: True)
    for caveat in caveats:
        verifier.satisfy_exact(bytes.fromhex(caveat))
    if verifier.verify(Macaroon.deserialize(text), bytes.fromhex(secret)) is not True:
        raise ValueError("neither verified nor refused")
    return []


def narrow(text, *caveats):
    return append(Macaroon.deserialize(text), caveats)


def involve(text):
    macaroon = Macaroon.deserialize(text)
    macaroon.add_third_party_caveat("https://third.example", b"a key of 32 bytes for the third.", b"id")
    return [macaroon.serialize()]


def mint(secret, identifier, *caveats):
    identifier, secret = bytes.fromhex(identifier), bytes.fromhex(secret)
    macaroon = Macaroon(identifier=identifier, key=secret, version=MACAROON_V2)
    return append(macaroon, caveats)


def append(macaroon, caveats):
    for caveat in caveats:
        macaroon.add_first_party_caveat(bytes.fromhex(caveat))
    return [macaroon.serialize()]


QUESTIONS = {ask.__name__: ask for ask in (read, verify, narrow, involve, mint)}


def answer(line):
    name, *words = line.split()
    try:
        told = QUESTIONS[name](*("" if word == "-" else word for word in words))
    except Exception as error:  # whatever it raises is its refusal
        return f"no {type(error).__name__}: {error}".replace("\n", " ")
    return " ".join(["yes", *(word if isinstance(word, str) else word.hex() for word in told)])


for line in sys.stdin:
    print(answer(line), flush=True)
