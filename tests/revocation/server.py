# SPDX-License-Identifier: Apache-2.0
"""server.py LIST LOG [CERT KEY [CLIENT_CA]]: a web server on loopback that serves the bytes of the file LIST, well or badly, by path. It
prints its port (that of the variable PORT, if set), appends "PATH IF-NONE-MATCH AUTHORIZATION" of each request to LOG, and ends when its
standard input does."""

import base64
import hashlib
import http.server
import json
import os
import socket
import ssl
import sys
import threading
import time

LIST, LOG = sys.argv[1], sys.argv[2]


def content():
    with open(LIST, "rb") as file:
        return file.read()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        tag = self.headers.get("If-None-Match", "-")
        with open(LOG, "a", encoding="utf-8") as log:
            log.write(f"{self.path} {tag} {self.headers.get('Authorization', '-')}\n")
        getattr(self, "get_" + self.path.strip("/"), lambda: self.answer(404))()

    def get_list(self):
        body = content()
        tag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
        if self.headers.get("If-None-Match") == tag:
            self.answer(304, ETag=tag)
        else:
            self.answer(200, body, ETag=tag)

    def get_untagged(self):
        self.answer(200, content())

    def get_json(self):
        body = {"srl": base64.b64encode(content()).decode(), "version": 1}
        self.answer(200, json.dumps(body).encode(), Content_Type="application/json")

    def get_sametag(self):  # lies: the tag never changes, whatever is served
        if self.headers.get("If-None-Match") == '"same"':
            self.answer(304)
        else:
            self.answer(200, content(), ETag='"same"')

    def get_unasked304(self):
        self.answer(304)

    def get_empty(self):
        self.answer(200)

    def get_longtag(self):
        self.answer(200, content(), ETag='"' + "x" * 4000 + '"')

    def get_error(self):
        self.answer(500, b"no")

    def get_busy(self):
        self.answer(503, b"later", Retry_After="2")

    def get_denied(self):
        self.answer(401)

    def get_redirect(self):
        self.answer(302, Location="/list")

    def get_token(self):
        self.answer(200 if self.headers.get("Authorization") == "Bearer s3cret" else 403, content())

    def get_big(self):  # says how long it is
        self.send_response(200)
        self.send_header("Content-Length", str(1 << 40))
        self.end_headers()
        self.pour(1 << 20)

    def get_endless(self):  # says nothing, and does not end
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.pour(1 << 28)

    def pour(self, most):
        self.close_connection = True
        block = b"x" * 65536
        try:
            for _ in range(most // len(block)):
                self.wfile.write(block)
        except OSError:
            pass

    def get_drip(self):
        body = content()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.close_connection = True
        try:
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(0.1)
        except OSError:
            pass

    def get_late(self):
        time.sleep(2)
        try:
            self.answer(200, content())
        except OSError:
            pass

    def get_dies(self):
        body = content()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def get_garbage(self):
        self.wfile.write(b"\x00\xff not HTTP at all\r\n\r\n")
        self.close_connection = True

    def get_halfjson(self):
        self.answer(200, b'{"srl": "AAAA"')

    def get_otherjson(self):
        self.answer(200, b'{"error": "no list"}')

    def get_notbase64(self):
        self.answer(200, b'{"srl": "****", "version": 1}')

    def get_bomb(self):
        self.answer(200, b'{"srl": [' + b"0," * 500000 + b"0]}")

    def get_nested(self):
        self.answer(200, b'{"srl":' + b"[" * 500000)

    def get_zip(self):  # compressed although nobody asked for it
        self.answer(200, b"\x1f\x8b" + content(), Content_Encoding="gzip")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args):
        pass


def main():
    server = Server(("127.0.0.1", int(os.environ.get("PORT", "0"))), Handler)
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
        if len(sys.argv) > 5:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(sys.argv[5])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    os._exit(0)


main()
