"""A cell over HTTP for agree.py: its files, the party that asks, and an evidence route that a test can bend."""
import http.server, json, threading


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def granted(self):
        return self.headers.get("Authorization") == "Bearer secret"

    def do_GET(self):
        served = self.server
        if self.path == "/v1/party" and self.granted():
            return self.answer(200, json.dumps(served.party).encode())
        if self.path in served.moved:
            self.send_response(302)
            self.send_header("Location", served.moved[self.path])
            self.send_header("Content-Length", "0")
            return self.end_headers()
        path = served.cell / self.path.removeprefix("/")
        if self.path.startswith("/ledger/tile/rows/"):
            path = served.cell / "rows" / self.path.removeprefix("/ledger/tile/rows/")
            if not self.granted():
                return self.answer(401)
        self.answer(200, path.read_bytes()) if path.is_file() else self.answer(404)

    def do_POST(self):
        ask = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.granted() or self.headers.get("Bourn-Purpose") != "dpv:LegalCompliance":
            return self.answer(403)
        self.server.asked.append((ask["from"], ask["to"]))
        self.answer(200, self.server.evidence(ask["from"], ask["to"]))


def serve(cell):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.cell, server.asked, server.moved = cell, [], {}
    server.party = {"index": 8, "name": "watchdog", "purposes": [{"purpose": "dpv:LegalCompliance"}]}
    server.all = items((cell / "evidence.cborseq").read_bytes())
    server.evidence = lambda a, b: b"".join(x for i, x in server.all if a <= i < b)
    server.url = f"http://127.0.0.1:{server.server_address[1]}/ledger"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def items(data):
    """The evidence file cut into (index, bytes): maps {1: uint, 2: bytes, 3: uint, 4: bytes, 5: bytes}."""
    def head(at):
        low = data[at] & 31
        n = {24: 1, 25: 2, 26: 4}.get(low, 0)
        return (int.from_bytes(data[at + 1:at + 1 + n], "big") if n else low), at + 1 + n
    at, out = 0, []
    while at < len(data):
        start, index = at, None
        pairs, at = head(at)
        for _ in range(pairs):
            key, at = head(at)
            major = data[at] >> 5
            value, at = head(at)
            at += value if major == 2 else 0
            index = value if key == 1 else index
        out.append((index, data[start:at]))
    return out


def without(all, status):
    """The first opened item called otherwise, or left out; and its index."""
    index, item = next((i, x) for i, x in all if x[0] == 0xa5)
    short = bytes([0xa3]) + item[1:item.index(b"\x03\x01", 3)] + bytes([3, status]) if status else b""
    return index, [(i, short if x is item else x) for i, x in all]
