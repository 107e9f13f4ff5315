"""A server of files on this machine that misbehaves on request."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What a server does.

    Attributes:
        content: the bytes of the one file it has, under ``/file``.
        drops: byte counts after which one connection each is broken.
        ranges: whether it goes on in the middle of a file.
        asked: the Range headers that came, "" without one.
        type: its Content-Type.
    """

    content: bytes
    drops: list[int] = field(default_factory=list)
    ranges: bool = True
    asked: list[str] = field(default_factory=list)
    type: str = "application/octet-stream"
    address: str = ""


@contextmanager
def serving(site: Site) -> Generator[Site]:
    """Serves a site on 127.0.0.1 while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "/file")
                self.end_headers()
                return
            if self.path != "/file":
                self.send_error(404)
                return
            wanted = self.headers.get("Range", "")
            site.asked.append(wanted)
            begin = int(wanted[6:-1]) if wanted and site.ranges else 0
            body = site.content[begin:]
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", site.type)
            self.send_header("ETag", '"one"')
            self.end_headers()
            self.wfile.write(body[: site.drops.pop(0)] if site.drops else body)
            self.close_connection = True

        def log_request(self, code: object = "-", size: object = "-") -> None:
            del code, size

        def log_error(self, *words: object) -> None:
            del words

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    site.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
