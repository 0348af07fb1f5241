"""CPU a request costs the same proxy with forward-auth and without, and what the node has of it.

Counted is processor time, in nanoseconds as the kernel keeps it, so other work on the machine
disturbs little. Rounds of both are taken in turn.
"""

import http.client
import pathlib
import statistics

import judged
import proxies

ROUNDS, REQUESTS = 7, 3000


def _family(pid):
    """A process and its children."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *[one for child in children for one in _family(int(child))]]


def _cpu(process):
    """Nanoseconds on a processor so far, of all threads of a process and its children."""
    spent = 0
    for pid in _family(process.pid):
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            spent += int((task / "schedstat").read_text().split()[0])
    return spent


def _round(proxy, node, token):
    """Microseconds a request, of the proxy and of the node."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.at, timeout=30)
    before = _cpu(proxy.process), _cpu(node.process)
    for _ in range(REQUESTS):
        connection.request("GET", judged.SYNC, headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        response.read()
        assert response.status == 200, response.status
    connection.close()
    return tuple((after - b) / REQUESTS / 1000
                 for after, b in zip((_cpu(proxy.process), _cpu(node.process)), before))


def measure(kind, node, behind):
    token = node.login("alice")["access_token"]
    plain = proxies.Proxy(kind, node, behind[:1], ["--homeserver", "synapse"], f"{kind}-plain")
    asking = proxies.Proxy(kind, node, behind[:1])
    rounds = [(_round(plain, node, token), _round(asking, node, token)) for _ in range(ROUNDS)][1:]
    median = lambda take: statistics.median(take(both) for both in rounds)
    without = median(lambda both: both[0][0])
    with_it = median(lambda both: both[1][0])
    of_node = median(lambda both: both[1][1] - both[0][1])
    print(f"{kind}: CPU us a request: {without:.1f} without forward-auth; with it {with_it:.1f} in the "
          f"proxy and {of_node:.1f} in the node (medians of {ROUNDS - 1} rounds of {REQUESTS})",
          flush=True)
    for proxy in (plain, asking):
        proxies.stage.stop(proxy.process)
