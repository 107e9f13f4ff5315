"""Copying a file from a public address, over connections that may drop."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

import httpx

from lossagent.errors import LossAgentError

NETWORK_SECONDS = 60.0
PARTIAL = 206
TRIES = 4
"""A dropped connection is taken up again where it broke, where the server can do that."""


class Unreachable(LossAgentError):
    """The address did not give a file; the message says why. Callers turn this into advice."""


class _Dropped(Exception):
    """The connection broke; what came is kept."""


def copy(address: str, out: BinaryIO, report: Callable[[int, int | None], None]) -> None:
    """Writes the file at an address to a stream, from the stream's position on.

    Args:
        address: http or https; redirects are followed, proxies and certificates taken from the environment.
        out: where to write; it must be seekable and is cut back where a server starts anew.
        report: told (bytes so far, bytes in all or ``None``).

    Raises:
        Unreachable: no connection, an answer other than success, a web page instead of a file, or a connection that
            broke :data:`TRIES` times.
    """
    begin, tag, reason = out.tell(), "", ""
    headers = {"User-Agent": "lossagent", "Accept-Encoding": "identity"}
    with httpx.Client(follow_redirects=True, timeout=NETWORK_SECONDS, headers=headers) as client:
        for attempt in range(TRIES):
            have = out.tell() - begin
            ranged = {"Range": f"bytes={have}-", "If-Range": tag} if have and tag else {}
            try:
                with client.stream("GET", address, headers=ranged) as response:
                    _check(response, address)
                    if response.status_code != PARTIAL:
                        out.seek(begin)
                        out.truncate()
                    tag = response.headers.get("ETag", "")
                    _receive(response, out, begin, report)
                return
            except _Dropped as error:
                reason = str(error)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if attempt == 0 and not have:
                    raise Unreachable(f"{address}: {_words(error)}") from error
                reason = _words(error)
        raise Unreachable(f"{address}: the connection broke {TRIES} times, at last with: {reason}")


def _check(response: httpx.Response, address: str) -> None:
    if not response.is_success:
        raise Unreachable(f"{address}: the server answers {response.status_code} {response.reason_phrase}")
    if "text/html" in response.headers.get("Content-Type", ""):
        raise Unreachable(f"{address}: the server gives a web page instead of a file")


def _receive(response: httpx.Response, out: BinaryIO, begin: int, report: Callable[[int, int | None], None]) -> None:
    length = response.headers.get("Content-Length", "")
    total = out.tell() - begin + int(length) if length.isdigit() else None
    try:
        for chunk in response.iter_raw():
            out.write(chunk)
            report(out.tell() - begin, total)
    except httpx.TransportError as error:
        raise _Dropped(_words(error)) from error


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
