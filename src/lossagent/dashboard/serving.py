"""Puts the dashboard on a port: this machine's own address, or another one behind a password."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from lossagent.dashboard.app import application
from lossagent.dashboard.shield import is_loopback
from lossagent.errors import Failed, Refused

GRACE = 3
"""Seconds that answers under way get when it ends."""


def serve(root: Path, host: str, port: int, password: str | None, say: Callable[[str], None]) -> None:
    """Serves until it is interrupted.

    Args:
        root: a run folder, or one that holds them.
        host: name or address to listen on.
        port: 0 for any that is free.
        password: ``None`` for none, which only a loopback host may have.
        say: gets the address once it can be opened.

    Raises:
        Refused: no such folder, another host without a password, an empty password, or a port that cannot be had.
    """
    app = application(root, checked(password), hosts=(host,))
    opened = bind(host, port, password)
    with opened:
        say(url(opened))
        try:
            _server(app).run(sockets=[opened])
        except KeyboardInterrupt:
            return


@contextmanager
def background(root: Path, password: str | None = None, port: int = 0) -> Generator[str]:
    """A dashboard on this machine while the block runs; yields its address.

    Raises:
        Refused: see :func:`serve`.
        Failed: it did not start.
    """
    app = application(root, checked(password))
    with bind("127.0.0.1", port, password) as opened:
        server = _server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
        thread.start()
        while not server.started:
            if not thread.is_alive():
                raise Failed("the dashboard did not start.")
            time.sleep(0.005)
        try:
            yield url(opened)
        finally:
            server.should_exit = True
            thread.join()


def checked(password: str | None) -> str | None:
    """The password.

    Raises:
        Refused: it is empty.
    """
    if password is not None and not password.strip():
        raise Refused("the password is empty; give one that is not.")
    return password


def bind(host: str, port: int, password: str | None) -> socket.socket:
    """A socket that listens there.

    Raises:
        Refused: the host is not loopback and there is no password, the name is unknown, or the port is taken.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError, OverflowError) as error:
        raise Refused(f"host {host!r} with port {port} is no address of this machine ({error}).") from error
    family, kind, protocol, _, address = found[0]
    if password is None and not is_loopback(str(address[0])):
        raise Refused(
            f"host {host!r} can be reached from other machines, and there is no password. Everybody there could "
            "steer the run. Set one (--password-env NAME or --password-file FILE), or use --host 127.0.0.1."
        )
    opened = socket.socket(family, kind, protocol)
    try:
        # A port whose last connections are still closing is free; one that is listened on is not.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(128)
    except OSError as error:
        opened.close()
        raise Refused(_advice(host, port, error)) from error
    return opened


def url(opened: socket.socket) -> str:
    """What to open in a browser."""
    host, port = opened.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _advice(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is taken, perhaps by another dashboard. Choose another --port (0: any)."
    if error.errno == errno.EACCES:
        return f"port {port} may not be opened by this user. Choose a --port above 1023 (0: any)."
    return f"{host}, port {port} cannot be listened on: {error.strerror}."


def _server(app: object) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,  # pyright: ignore[reportArgumentType]
            log_config=None,
            access_log=False,
            lifespan="off",
            loop="asyncio",
            http="h11",
            ws="none",
            # An address that a client states itself must not stand for its own: wrong tries are counted by it.
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE,
            limit_concurrency=200,
        )
    )
