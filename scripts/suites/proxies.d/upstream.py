"""A server that tells what reached it, in JSON: the stand-in for a homeserver behind a proxy.

    python3 upstream.py PORT NAME

A request may ask for a status of its own in X-Wanted-Status. It knows no tokens.
"""

import asyncio
import json
import sys


class Told(asyncio.Protocol):
    name = ""

    def connection_made(self, transport):
        self.transport = transport
        self.buffer = b""

    def data_received(self, data):
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, rest = self.buffer.split(b"\r\n\r\n", 1)
            lines = head.decode("latin-1").split("\r\n")
            headers = [line.split(": ", 1) if ": " in line else [line.rstrip(":"), ""]
                       for line in lines[1:]]
            headers = [[name.lower(), value] for name, value in headers]
            fields = dict(map(tuple, headers))
            length = int(fields.get("content-length", 0))
            if fields.get("transfer-encoding") == "chunked":
                length = rest.find(b"0\r\n\r\n") + 5
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            self.answer(lines[0], headers, fields)

    def answer(self, line, headers, fields):
        method, target, _ = line.split(" ", 2)
        status = fields.get("x-wanted-status", "200")
        told = {"server": self.name, "method": method, "target": target, "headers": headers}
        body = json.dumps(told).encode()
        if method == "HEAD":
            body = b""
        self.transport.write(
            f"HTTP/1.1 {status} Told\r\nContent-Type: application/json\r\n"
            f"Access-Control-Allow-Origin: *\r\nX-Server: {self.name}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode() + body)


async def serve(port, name):
    Told.name = name
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Told, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
