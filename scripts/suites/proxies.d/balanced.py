"""Balancing by user, with no key: every token of a user goes to one server, and users spread."""

import base64
import collections
import hashlib
import http.client
import json
import threading

from stage import ask, attenuate, check, secrets

USERS = 10_000
VERSIONS = "/_matrix/client/versions"


def of_a_user(proxy, node):
    """All real tokens of a user, whatever became of them, reach one server."""
    for user in ("alice", "bob"):
        tokens = []
        for device in ("ONE", "TWO"):
            login = node.login(user, device_id=device, refresh_token=True)
            tokens.append(login["access_token"])
            for _ in range(3):
                body = json.dumps({"refresh_token": login["refresh_token"]}).encode()
                login = ask(node.public, "POST", "/_matrix/client/v3/refresh", body=body).json
                secrets.append(login["access_token"])
                tokens.append(login["access_token"])
        tokens.append(attenuate(tokens[0], "action in read"))
        servers = {proxy.ask("GET", VERSIONS, token).json["server"] for token in tokens}
        servers |= {proxy.ask("GET", f"{VERSIONS}?access_token={tokens[3]}").json["server"]}
        check(f"{proxy.kind}: {len(tokens)} tokens of {user}, of two devices, refreshed and narrowed, "
              "in the header and in the query, reach one server", len(servers) == 1, servers)


def _token(number):
    """A text with the route of a user; nobody looks at the rest of it here."""
    route = hashlib.sha256(f"@user{number}:example.com".encode()).digest()[:6]
    rest = hashlib.sha256(str(number).encode()).digest() * 4
    text = bytes([2, 1, 45, 1, 1, 1]) + route + rest
    return "mma_" + base64.urlsafe_b64encode(text).decode().rstrip("=")


def _count(proxy, numbers, counts):
    connection = http.client.HTTPConnection("127.0.0.1", proxy.at, timeout=30)
    for number in numbers:
        connection.request("GET", VERSIONS, headers={"Authorization": f"Bearer {_token(number)}"})
        response = connection.getresponse()
        response.read()
        counts[response.getheader("X-Server")] += 1
    connection.close()


def spread(proxy, servers, bound):
    """Ten thousand users over the servers; with three degrees of freedom, chi-square is below 16.3
    in 999 of 1000 draws of a perfect hash."""
    counts = [collections.Counter() for _ in range(4)]
    threads = [threading.Thread(target=_count, args=(proxy, range(n, USERS, 4), counts[n]))
               for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = sum(counts, collections.Counter())
    even = USERS / servers
    chi_square = sum((total[name] - even) ** 2 / even for name in map(str, range(servers)))
    check(f"{proxy.kind}: {USERS} users over {servers} servers: {sorted(total.values())}, "
          f"chi-square {chi_square:.1f}, at most {bound}",
          sum(total.values()) == USERS and chi_square <= bound, total)
