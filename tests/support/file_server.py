"""A server on 127.0.0.1 that serves files, and fails as it is told."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PIECE = 1 << 14  # bytes


@dataclass
class Page:
    """How one path is answered.

    Args:
        body: The file.
        status: The HTTP status.
        kind: The content type.
        ranges: Whether a part can be asked for.
        breaks: Bytes after which each connection is closed, one number for
            each; those after the last are not closed.
        pause: Seconds before each piece of 16 KiB.
        etag: What tells this file from another under the same path.
    """

    body: bytes
    status: int = 200
    kind: str = 'application/octet-stream'
    ranges: bool = True
    breaks: list[int] = field(default_factory=list)
    pause: float = 0.0
    etag: str = '"first"'


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # noqa: N802
        wanted = self.headers.get('Range', '')
        self.server.requests.append((self.path, wanted))
        page = self.server.pages.get(self.path) or Page(b'', status=404)
        same = self.headers.get('If-Range', page.etag) == page.etag
        found = re.fullmatch(r'bytes=(\d+)-', wanted)
        start = int(found[1]) if found and page.ranges and same else 0
        if start and start >= len(page.body):
            self.send_error(416)
            return
        if page.status != 200:
            self.send_error(page.status)
            return
        rest = page.body[start:]
        self.send_response(206 if start else 200)
        self.send_header('Content-Type', page.kind)
        self.send_header('Content-Length', str(len(rest)))
        self.send_header('ETag', page.etag)
        if start:
            whole = len(page.body)
            part = f'bytes {start}-{whole - 1}/{whole}'
            self.send_header('Content-Range', part)
        self.end_headers()
        self._send(rest, page)

    def _send(self, rest: bytes, page: Page) -> None:
        if page.breaks:
            rest = rest[: page.breaks.pop(0)]
        try:
            for begin in range(0, len(rest), _PIECE):
                time.sleep(page.pause)
                self.wfile.write(rest[begin : begin + _PIECE])
        except ConnectionError:
            pass  # the client was killed
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class FileServer(ThreadingHTTPServer):
    """Serves `pages`, and writes down (path, Range) of each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(('127.0.0.1', 0), _Handler)
        self.pages: dict[str, Page] = {}
        self.requests: list[tuple[str, str]] = []

    @property
    def address(self) -> str:
        """What the paths are added to."""
        return f'http://127.0.0.1:{self.server_port}'


@contextmanager
def file_server() -> Iterator[FileServer]:
    """Serve for a time."""
    with FileServer() as server:
        thread = threading.Thread(
            target=server.serve_forever, args=(0.02,), daemon=True
        )
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
