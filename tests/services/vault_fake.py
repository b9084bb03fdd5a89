# SPDX-License-Identifier: Apache-2.0
"""vault_fake.py LOG: a stub that answers as Vault would, or badly, where the real one cannot be brought to. Prints its port; ends when its
standard input does. The part of the path behind /v1/secret/data/ decides; every request is a line "METHOD PATH TOKEN NAMESPACE" in LOG."""

import base64
import http.server
import json
import os
import sys
import threading
import time

SEED = base64.b64encode(bytes([7]) * 32).decode()
GOOD = {"data": {"data": {"key": SEED}, "metadata": {"version": 1, "created_time": "2026-01-01T00:00:00Z"}}}
log = open(sys.argv[1], "a", encoding="utf-8", buffering=1)
lock = threading.Lock()
counts = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body, **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def handle_any(self):
        body = self.body()
        path = self.path.removeprefix("/v1/")
        with lock:
            counts[path] = seen = counts.get(path, 0) + 1
            log.write(f"{self.command} {path} {self.headers.get('X-Vault-Token')} {self.headers.get('X-Vault-Namespace')} {len(body)}\n")
        if path.startswith("auth/"):
            return self.auth(path, seen)
        name = path.removeprefix("secret/data/").split("?")[0]
        getattr(self, "do_" + name.replace("-", "_"), self.missing)(seen)

    do_GET = do_POST = do_PUT = do_LIST = do_DELETE = handle_any

    def auth(self, path, seen):
        if path.endswith("lookup-self"):
            return self.answer(200, {"data": {"ttl": 0, "renewable": False}})
        if path.startswith("auth/slow/"):
            time.sleep(0.3)
        if path.startswith("auth/broken/"):
            return self.answer(200, b"{\"auth\":{\"client_token\":7}}")
        self.answer(200, {"auth": {"client_token": f"t{seen}", "lease_duration": 3600, "renewable": True}})

    def missing(self, seen):
        self.answer(404, {"errors": []})

    def do_good(self, seen):
        self.answer(200, GOOD)

    def do_lingering(self, seen):
        time.sleep(0.2)
        self.answer(200, GOOD)

    def do_error500(self, seen):
        self.answer(500, {"errors": ["internal error"]})

    def do_once500(self, seen):
        self.answer(500 if seen == 1 else 200, {"errors": ["internal error"]} if seen == 1 else GOOD)

    def do_limited(self, seen):
        self.answer(429, {"errors": ["rate limit quota exceeded"]})

    def do_once429(self, seen):
        if seen == 1:
            return self.answer(429, {"errors": ["rate limit quota exceeded"]}, Retry_After="1")
        self.answer(200, GOOD)

    def do_patience(self, seen):
        self.answer(429, {"errors": ["rate limit quota exceeded"]}, Retry_After="600")

    def do_bad_gateway(self, seen):
        self.answer(502, b"<html>")

    def do_backend404(self, seen):
        self.answer(404, b"<html><body>default backend - 404</body></html>")

    def do_foreign404(self, seen):
        self.answer(404, {"message": "no such route"})

    def do_standby(self, seen):
        self.answer(473, {"errors": ["standby"]})

    def do_redirect(self, seen):
        self.answer(307, b"", Location="/v1/secret/data/good")

    def do_late(self, seen):
        time.sleep(8)
        self.answer(200, GOOD)

    def do_drip(self, seen):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(80):
            self.wfile.write(b" ")
            time.sleep(0.1)

    def do_torn(self, seen):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"data":{"data":{"key":"')
        self.close_connection = True

    def do_torn_once(self, seen):
        self.do_torn(seen) if seen == 1 else self.answer(200, GOOD)

    def do_silent(self, seen):
        self.close_connection = True

    def do_chunked(self, seen):
        data = json.dumps(GOOD).encode()
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for i in range(0, len(data), 10):
            part = data[i:i + 10]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def do_escaped(self, seen):
        self.answer(200, json.dumps(GOOD).replace("BwcH", "\\u0042wcH").encode())

    def do_endless(self, seen):
        self.answer(200, b" " * 200000 + json.dumps(GOOD).encode())

    def do_html(self, seen):
        self.answer(200, b"<html><body>welcome</body></html>")

    def do_nothing(self, seen):
        self.answer(200, b"")

    def do_trailing(self, seen):
        self.answer(200, json.dumps(GOOD).encode() + b"}")

    def do_twice(self, seen):
        self.answer(200, b'{"data":{"data":{"key":"%s","key":"%s"},"metadata":{"version":1}}}' % (SEED.encode(), SEED.encode()))

    def do_deep(self, seen):
        self.answer(200, b"[" * 20000 + b"]" * 20000)

    def do_noversion(self, seen):
        self.answer(200, {"data": {"data": {"key": SEED}, "metadata": {}}})

    def do_othersversion(self, seen):
        self.answer(200, {"data": {"data": {"key": SEED}, "metadata": {"version": 4}}})


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


server = Server(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0), Handler)
print(server.server_address[1], flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
os._exit(0)
