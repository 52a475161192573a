"""An HTTP server that misbehaves as it is told, for tests of downloads.

object_server.py FOLDER [CERTIFICATE KEY]: prints "PORT n", then serves the files of FOLDER. The
first part of a path says how, as KEY=VALUE;KEY=VALUE, the last one which file: /fail=2/a.bin.
/_log answers with what was asked for since it was asked the last time, as JSON.
"""

import hashlib
import http.server
import json
import pathlib
import ssl
import sys
import threading
import time
import urllib.parse


class Memory:
    """What all connections share."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.lock = threading.Lock()
        self.log = []
        self.count = {}

    def number_of(self, path):
        with self.lock:
            self.count[path] = self.count.get(path, 0) + 1
            return self.count[path]

    def take_log(self):
        with self.lock:
            log, self.log = self.log, []
            return log


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    memory = None

    def log_message(self, *_):
        pass

    def note(self, status):
        with self.memory.lock:
            self.memory.log.append({
                "path": urllib.parse.unquote(self.path), "status": status,
                "range": self.headers.get("Range", ""),
                "if_range": self.headers.get("If-Range", ""),
                "if_none_match": self.headers.get("If-None-Match", "")})

    def answer(self, status, body=b"", **headers):
        self.note(status)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/_log":
            body = json.dumps(self.memory.take_log()).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        path = urllib.parse.unquote(self.path)
        parts = path.strip("/").split("/")
        rules = dict((rule.split("=", 1) + [""])[:2] for rule in parts[0].split(";"))
        number = self.memory.number_of(path)
        if "pause" in rules:
            time.sleep(float(rules["pause"]))
        if number <= int(rules.get("fail", 0)):
            self.answer(500, b"no", Retry_After=rules.get("after", "0"))
        elif "status" in rules:
            self.answer(int(rules["status"]), b"<Code>Secret</Code>")
        elif "redirect" in rules:
            targets = {"here": "/plain/" + parts[-1], "file": "file:///etc/passwd",
                       "loop": self.path}
            self.answer(302, Location=targets[rules["redirect"]])
        else:
            self.send_file(self.memory.folder / parts[-1], rules, number)

    def send_file(self, file, rules, number):
        if not file.is_file():
            self.answer(404)
            return
        content = file.read_bytes()
        if "flip" in rules and number <= int(rules["flip"]):
            content = content[:-1] + bytes([content[-1] ^ 1])
        etag = rules.get("etag", '"' + hashlib.md5(file.read_bytes()).hexdigest() + '"')
        if "newetag" in rules:
            etag = '"' + str(number) + '"'
        if "noetag" not in rules and self.headers.get("If-None-Match") == etag:
            self.answer(304, ETag=etag)
            return
        start = 0
        wanted = self.headers.get("Range", "")
        same = self.headers.get("If-Range", etag) == etag
        if wanted.startswith("bytes=") and "norange" not in rules and same:
            start = int(wanted[len("bytes="):].split("-")[0])
        if start >= len(content) > 0:
            self.answer(416)
            return
        self.send_part(content, start, etag, rules, number)

    def send_part(self, content, start, etag, rules, number):
        body = content[start:]
        status = 206 if start > 0 else 200
        self.note(status)
        self.send_response(status)
        if "noetag" not in rules:
            self.send_header("ETag", etag)
        if "gzip" in rules:
            self.send_header("Content-Encoding", "gzip")
        if start > 0:
            shift = int(rules.get("shift", 0))
            self.send_header("Content-Range", "bytes %d-%d/%d" %
                             (start + shift, len(content) - 1, len(content)))
        if "chunked" in rules:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(body) + int(rules.get("long", 0))))
        self.end_headers()
        if number <= int(rules.get("times", 1)) and "cut" in rules:
            body = body[:int(rules["cut"])]
            self.close_connection = True
        if "stall" in rules and number == 1:
            self.wfile.write(body[:len(body) // 2])
            self.wfile.flush()
            time.sleep(float(rules["stall"]))
            self.close_connection = True
            return
        if "rate" in rules:
            for i in range(0, len(body), int(rules["rate"])):
                self.wfile.write(body[i:i + int(rules["rate"])])
                time.sleep(0.1)
        else:
            self.wfile.write(body)
        if "long" in rules or "chunked" in rules:
            self.close_connection = True


def serve(handler, folder, certificate=()):
    handler.memory = Memory(folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # a client that goes away is part of the tests
    print("PORT", server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(Handler, sys.argv[1], sys.argv[2:4])
