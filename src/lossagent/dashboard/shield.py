"""What every request must be and every answer carries: hosts, sessions, other sites' requests, headers, size limits."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lossagent.dashboard.auth import Gate

BODY = 64 * 1024
"""Bytes of a request body."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not "no-referrer": with it browsers send "Origin: null" from our own log-in form.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
OUTSIDE = frozenset({"/login", "/static/style.css"})
"""What is shown without a session."""


class Shield:
    """Stands before the application.

    Args:
        app: the application.
        gate: sessions.
        hosts: names that a ``Host`` header may have besides loopback ones, where no password is set. A site whose name
            was made to point here (DNS rebinding) sends its own.
    """

    def __init__(self, app: ASGIApp, gate: Gate, hosts: Iterable[str] = ()) -> None:
        self.app, self.gate = app, gate
        self.hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses, or passes on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        if scope["type"] != "http":
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, with_headers)
            return
        await self.app(scope, _limited(receive), with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        connection, headers = HTTPConnection(scope), Headers(scope=scope)
        path, method = scope["path"], scope["method"]
        if not self.gate.closed and not self._here(headers.get("host", "")):
            return _error(403, "this host name is not served; open the address that was printed at the start.")
        if method not in ("GET", "HEAD") and (refusal := _foreign(path, headers)) is not None:
            return refusal
        if path in OUTSIDE or self.gate.admits(connection.cookies.get(self.gate.cookie)):
            return None
        return _error(401, "log in first.") if path.startswith("/api/") else RedirectResponse("/login", 303)

    def _here(self, host: str) -> bool:
        name = _name(host)
        return name in self.hosts or is_loopback(name)


def is_loopback(name: str) -> bool:
    """Whether a host name or address is this machine's own."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _name(host: str) -> str:
    """The name in ``name:port`` or ``[address]:port``, in small letters."""
    try:
        return (urlsplit(f"//{host}").hostname or "") if not set(host) & set("/?#@\\") else ""
    except ValueError:
        return ""


def _foreign(path: str, headers: Headers) -> Response | None:
    """Refuses what another site may have made a browser send."""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        return _error(403, "the request comes from another site.")
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return _error(403, "the request comes from another site.")
    if path != "/login" and headers.get("x-lossagent") != "1":
        return _error(403, "the header 'X-Lossagent: 1' is missing.")
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > BODY:
        return _error(413, f"a request may have at most {BODY} bytes.")
    return None


def _error(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status)


class TooLong(Exception):
    """A body without a stated length went over the limit; becomes status 413."""


def _limited(receive: Receive) -> Receive:
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > BODY:
            raise TooLong
        return message

    return limited
