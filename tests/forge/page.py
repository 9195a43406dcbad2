"""web/verify.mjs in a browser: Chromium opens page.html from a server on loopback, takes one ledger after the other from it,
and sends the reports back. What many.mjs does in Node, with the files coming over HTTP."""
import http.server, json, os, queue, shutil, subprocess, tempfile, threading, urllib.parse
from pathlib import Path

HERE = Path(__file__).resolve().parent
WEB = HERE.parent.parent / "web"
TYPES = {".mjs": "text/javascript", ".html": "text/html; charset=utf-8"}
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage")
PATIENCE_S = 300


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", type_="text/plain"):
        self.send_response(status)
        self.send_header("Content-Type", type_)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def give(self, path):
        if path.is_file() and not path.is_symlink():
            self.answer(200, path.read_bytes(), TYPES.get(path.suffix, "application/octet-stream"))
        else:
            self.answer(404)

    def do_GET(self):
        path = urllib.parse.unquote(self.path)
        if path == "/next":
            job = self.server.jobs.get()
            self.answer(200 if job else 204, json.dumps(job).encode() if job else b"")
        elif path == "/":
            self.give(HERE / "page.html")
        elif path.startswith("/web/"):
            self.give(WEB / path.removeprefix("/web/"))
        elif path.startswith("/file/"):
            self.give(Path(path.removeprefix("/file")))
        else:
            self.answer(404)

    def do_POST(self):
        self.server.reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer(204)


class Page:
    """One page for all: starting a browser costs more than most cases."""
    def __init__(self, browser):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.jobs, self.server.reports = queue.Queue(), queue.Queue()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.home = tempfile.mkdtemp(prefix="bourn-page-")
        self.log = open(os.path.join(self.home, "log"), "wb")
        self.p = subprocess.Popen([browser, *FLAGS, f"--user-data-dir={self.home}/profile", f"http://127.0.0.1:{self.server.server_address[1]}/"],
                                  stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def verify(self, o):
        self.server.jobs.put(o)
        try:
            answer = self.server.reports.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise AssertionError("the page does not answer:\n" + Path(self.home, "log").read_text(errors="replace")[-2000:]) from None
        assert "crash" not in answer, answer["crash"]
        return answer

    def close(self):
        self.server.jobs.put(None)
        self.p.terminate()
        self.p.wait()
        self.server.shutdown()
        self.server.server_close()
        self.log.close()
        shutil.rmtree(self.home, ignore_errors=True)
