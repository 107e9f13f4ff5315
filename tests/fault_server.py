"""A chat server on 127.0.0.1 that misbehaves as it is told."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Request:
    """What a client sent; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class FaultServer:
    """Plays a script: one act for each request, the last one again and again.

    Use ``with FaultServer() as server: server.play(status(500), answer("ok"))``.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.stopped = threading.Event()
        self._acts: list[Act] = [answer("ok")]
        self._played = 0
        self._lock = threading.Lock()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", 0))
                raw = self.rfile.read(length)
                request = Request(self.path, {k.lower(): v for k, v in self.headers.items()}, json.loads(raw or b"{}"))
                with suppress(OSError):
                    owner._next(request)(Reply(self, request, owner.stopped))
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                del format, args

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> FaultServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def url(self) -> str:
        """Base URL for a client."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def play(self, *acts: Act) -> None:
        """Sets the script and forgets earlier requests."""
        with self._lock:
            self._acts, self._played = list(acts), 0
            self.requests.clear()

    def _next(self, request: Request) -> Act:
        with self._lock:
            self.requests.append(request)
            act = self._acts[min(self._played, len(self._acts) - 1)]
            self._played += 1
            return act


class Reply:
    """What an act works with."""

    def __init__(self, handler: BaseHTTPRequestHandler, request: Request, stopped: threading.Event) -> None:
        self.handler, self.request, self.stopped = handler, request, stopped

    def send(self, status: int, body: bytes, headers: dict[str, str] | None = None, length: int | None = None) -> None:
        """Sends a response; ``length`` lies about its size."""
        self.handler.send_response(status)
        sent = {
            "content-type": "application/json",
            "content-length": str(len(body) if length is None else length),
        }
        for name, value in {**sent, **(headers or {})}.items():
            self.handler.send_header(name, value)
        self.handler.end_headers()
        self.handler.wfile.write(body)
        self.handler.wfile.flush()


Act = Callable[[Reply], None]


def completion(
    text: str | None, finish: str = "stop", usage: object = None, model: str = "served", **more: object
) -> dict[str, Any]:
    """A chat.completion object."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": model,
        "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3} if usage is None else usage,
        **more,
    }


def answer(text: str | Callable[[Request], str], **facts: Any) -> Act:
    """A proper answer, fixed or by a function of the request."""

    def act(reply: Reply) -> None:
        words = text(reply.request) if callable(text) else text
        reply.send(200, json.dumps(completion(words, **facts)).encode())

    return act


def raw(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Act:
    """Bytes as they are."""
    return lambda reply: reply.send(status, body, headers)


def status(code: int, message: str = "trouble", headers: dict[str, str] | None = None) -> Act:
    """An error in the form of the OpenAI protocol."""
    return raw(json.dumps({"error": {"message": message, "code": code}}).encode(), code, headers)


def redirect(to: str) -> Act:
    """307 to another address."""
    return raw(b"", 307, {"location": to})


def hang(reply: Reply) -> None:
    """Says nothing."""
    reply.stopped.wait(60)


def drop(reply: Reply) -> None:
    """Closes the connection without a word."""
    reply.handler.connection.shutdown(socket.SHUT_RDWR)


def cut(reply: Reply) -> None:
    """Promises more bytes than it sends."""
    body = json.dumps(completion("ok")).encode()
    reply.send(200, body[: len(body) // 2], length=len(body))


def drip(reply: Reply) -> None:
    """A byte of the body every 0.2 s."""
    reply.send(200, b"", length=100_000)
    _drip(reply, b" ")


def drip_headers(reply: Reply) -> None:
    """A byte of the headers every 0.2 s."""
    reply.handler.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
    _drip(reply, b"a")


def flood(size: int, declared: bool = True) -> Act:
    """An answer of so many bytes, with its length said in the headers or not."""

    def act(reply: Reply) -> None:
        body = json.dumps(completion("x" * size)).encode()
        if declared:
            reply.send(200, body)
        else:
            reply.handler.wfile.write(b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n" + body)

    return act


def in_turn(acts: Sequence[Act]) -> Act:
    """The acts one after the other, for use inside another script."""
    remaining = iter(acts)
    return lambda reply: next(remaining)(reply)


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _drip(reply: Reply, byte: bytes) -> None:
    while not reply.stopped.wait(0.2):
        reply.handler.wfile.write(byte)
        reply.handler.wfile.flush()
