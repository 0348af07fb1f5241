"""Ports for whatever is started here."""

import random
import socket


def port():
    """A port that is free now, and none of those that the system gives to whoever connects."""
    while True:
        number = random.randrange(12_000, 32_000)
        with socket.socket() as chosen:
            try:
                chosen.bind(("127.0.0.1", number))
            except OSError:
                continue
            return number
