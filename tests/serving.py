"""A web server on this machine that answers requests for ranges, counts what it sends, and can be made to die."""

import math
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class RangeServer(ThreadingHTTPServer):
    """Serves the files of a folder; `sent` holds the bytes sent by name, `requests` the requests by name.

    Once it has sent `dies_after_bytes`, it breaks off every answer; while it is `silent` it gives none.
    """

    daemon_threads = True

    def __init__(self, folder: Path, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), RangeHandler)
        self.folder = folder
        self.sent: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.dies_after_bytes: float = math.inf
        self.silent = False
        self.silent_of_others = False  # of files that are not there
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: Any) -> None:
        """Say nothing: clients that break off are part of the play."""


class RangeHandler(BaseHTTPRequestHandler):
    """Answers HEAD and GET, with one range or without."""

    protocol_version = "HTTP/1.1"
    server: RangeServer

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        name = self.path.split("?")[0].lstrip("/")
        self.server.requests[name] += 1
        path = self.server.folder / name
        silent = self.server.silent or (self.server.silent_of_others and not path.is_file())
        if silent:
            self.server.ended.wait()
        if silent or self.server.sent.total() > self.server.dies_after_bytes:
            self.close_connection = True
            return
        if not path.is_file():
            self._send(404, b"", {}, with_body)
            return
        content = path.read_bytes()
        headers = {"Accept-Ranges": "bytes", "ETag": f'"{path.stat().st_mtime_ns:x}"'}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is None:
            self._send(200, content, headers, with_body, name)
            return
        first, last = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
        if first >= len(content):
            self._send(416, b"", headers, with_body)
            return
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        self._send(206, content[first : last + 1], headers, with_body, name)

    def _send(self, code: int, body: bytes, headers: dict[str, str], with_body: bool, name: str = "") -> None:
        self.send_response(code)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if with_body:
            self.server.sent[name] += len(body)
            self.wfile.write(body)


@contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[RangeServer]:
    """Serve a folder while the block runs."""
    server = RangeServer(folder, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
