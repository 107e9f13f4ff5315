"""One HTTP request under one clock.

A client's own time-outs run anew for each read, so a server that sends a byte now and then keeps it for ever, in
the headers as much as in the body. Here the whole request (name look-up, connection, headers, body) is one task
that is cancelled when its time is up. It runs in a thread of its own, so that it works where an event loop
runs already (notebooks), and so that a look-up which cannot be cancelled delays nobody.
"""

from __future__ import annotations

import asyncio
import ipaddress
import threading
from collections.abc import Mapping
from dataclasses import dataclass

import httpx


@dataclass(frozen=True)
class Response:
    """What came back: status, headers with lower-case names, and the body as bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class TooLarge(Exception):
    """The body is larger than the limit; the rest was not read."""


def post(url: str, headers: Mapping[str, str], body: bytes, seconds: float, limit: int) -> Response:
    """POSTs and reads the answer. Redirects are not followed; TLS certificates are verified.

    Proxies of the environment are used, but not towards this machine itself.

    Args:
        url: where to.
        headers: sent as they are.
        body: the bytes to send.
        seconds: time for everything together.
        limit: largest body, in bytes.

    Raises:
        TimeoutError: the time was up.
        TooLarge: the body is larger than ``limit``.
        httpx.HTTPError: no connection, or one that broke.
    """
    outcome: list[Response | BaseException] = []

    def work() -> None:
        try:
            outcome.append(asyncio.run(_post(url, headers, body, seconds, limit)))
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=work, name="lossagent-http", daemon=True)
    thread.start()
    thread.join(seconds + 0.1)
    result = outcome[0] if outcome else TimeoutError()
    if isinstance(result, BaseException):
        raise result
    return result


async def _post(url: str, headers: Mapping[str, str], body: bytes, seconds: float, limit: int) -> Response:
    async with (
        asyncio.timeout(seconds),
        httpx.AsyncClient(trust_env=not is_loopback(url), follow_redirects=False, timeout=None) as client,
        # Compressed answers are not asked for: a few bytes could unpack to any size.
        client.stream("POST", url, headers={**headers, "Accept-Encoding": "identity"}, content=body) as reply,
    ):
        declared = reply.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            raise TooLarge
        parts: list[bytes] = []
        size = 0
        async for part in reply.aiter_raw():
            size += len(part)
            if size > limit:
                raise TooLarge
            parts.append(part)
        return Response(reply.status_code, {k.lower(): v for k, v in reply.headers.items()}, b"".join(parts))
    raise TimeoutError  # unreachable: asyncio.timeout raises


def is_loopback(url: str) -> bool:
    """Whether a URL points at this machine."""
    host = httpx.URL(url).host
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
