"""A server on this machine that serves one file, well or badly."""

import hashlib
import http.server
import io
import threading
import time
import zipfile
from contextlib import contextmanager

from protocols.images.archive import COMMIT

BODY = bytes(range(256)) * 4000  # 1 MB


class Server(http.server.ThreadingHTTPServer):
    """Serves `body`, in `pieces` with a `pause` in seconds before each.

    `cuts` says after how many bytes each answer breaks off (None: never).
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.body, self.status, self.delay = BODY, None, 0.0
        self.pieces, self.pause = 1, 0.0
        self.cuts, self.asked, self.ranges, self.wrong_place = [], [], True, False
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, start = self.server, 0
        asked = self.headers.get("Range")
        server.asked.append((self.path, asked))
        if server.status:
            return self.send_error(server.status)
        if asked and server.ranges:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(server.body):
                return self.send_error(416)
            self.send_response(206)
            shown = 0 if server.wrong_place else start
            last = len(server.body) - 1
            self.send_header("Content-Range", f"bytes {shown}-{last}/{last + 1}")
        else:
            self.send_response(200)
        rest = server.body[start:]
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        cut = server.cuts.pop(0) if server.cuts else None
        time.sleep(server.delay)
        rest = rest[:cut]
        step = max(1, -(-len(rest) // server.pieces))
        for start in range(0, len(rest), step):
            time.sleep(server.pause)
            self.wfile.write(rest[start : start + step])

    def log_message(self, *_):
        pass


@contextmanager
def serving():
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def packed(files):
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as pack:
        for name, data in files.items():
            pack.writestr(f"wbc-classification-{COMMIT}/{name}", data)
    return body.getvalue()


FILES = {"labels.csv": b"a,b\n", "images/TRAIN/x.jpeg": b"\xff\xd8" * 50}
ENTRIES = [(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in FILES.items()]
