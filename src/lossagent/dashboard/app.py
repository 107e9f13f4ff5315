"""The application: pages, log-in, the API, and the shield before them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from lossagent.dashboard.api import Api, answer
from lossagent.dashboard.auth import FORM, Gate
from lossagent.dashboard.errors import AlreadyAnswered, NoSuch
from lossagent.dashboard.finding import Runs
from lossagent.dashboard.shield import BODY, Shield, TooLong
from lossagent.errors import Damaged, LossAgentError

STATIC = Path(__file__).parent / "static"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Kinds of files that the package serves; others are not."""


def application(root: Path, password: str | None = None, hosts: Iterable[str] = ()) -> ASGIApp:
    """The dashboard of a folder as an ASGI application.

    Args:
        root: a run folder, or one that holds them.
        password: what everybody is asked for; ``None`` for nobody.
        hosts: names it may be asked by besides loopback ones, where there is no password.

    Raises:
        Refused: no such folder.
    """
    gate = Gate(password)
    api, entrance = Api(Runs(root), gate), Entrance(gate)
    inner = Starlette(
        routes=[
            Route("/", _index),
            Route("/static/{file:path}", _static),
            Route("/login", entrance.form),
            Route("/login", entrance.enter, methods=["POST"]),
            Route("/logout", entrance.leave, methods=["POST"]),
            *api.routes,
        ],
        exception_handlers={
            HTTPException: _http_error,
            LossAgentError: _refused,
            TooLong: _too_long,
            Exception: _unforeseen,
        },
    )
    return Shield(inner, gate, hosts)


class Entrance:
    """The log-in form.

    Args:
        gate: who may come in.
    """

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def form(self, request: Request) -> Response:
        """The form, or the page where nothing is asked for."""
        inside = self.gate.admits(request.cookies.get(self.gate.cookie))
        return RedirectResponse("/", 303) if inside else HTMLResponse(FORM.format(message=""))

    async def enter(self, request: Request) -> Response:
        """Tries a password."""
        address = request.client.host if request.client is not None else ""
        if wait := self.gate.wait(address):
            seconds = math.ceil(wait)
            page = FORM.format(message=f"Too many tries. Wait {seconds} seconds.")
            return HTMLResponse(page, 429, headers={"retry-after": str(seconds)})
        body = (await request.body()).decode("utf-8", errors="replace")
        try:
            password = parse_qs(body, max_num_fields=8).get("password", [""])[0]
        except ValueError:
            password = ""
        session = self.gate.enter(address, password)
        if session is None:
            return HTMLResponse(FORM.format(message="That is not the password."), 403)
        response = RedirectResponse("/", 303)
        response.set_cookie(self.gate.cookie, session, httponly=True, samesite="strict", path="/")
        return response

    def leave(self, request: Request) -> Response:
        """Ends the session."""
        self.gate.leave(request.cookies.get(self.gate.cookie))
        response = answer({})
        response.delete_cookie(self.gate.cookie, httponly=True, samesite="strict", path="/")
        return response


def _index(request: Request) -> Response:
    del request
    return _file("index.html")


def _static(request: Request) -> Response:
    return _file(request.path_params["file"])


def _file(name: str) -> Response:
    # What is asked for is looked up among what is there: no path is made of it.
    there = {path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.suffix in TYPES}
    path = there.get(name)
    if path is None or not path.is_file():
        raise NoSuch("there is no such page.")
    return Response(path.read_bytes(), headers={"content-type": TYPES[path.suffix], "cache-control": "no-cache"})


def _http_error(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)
    words = {404: "there is no such page.", 405: "this address takes another method."}
    return answer({"error": words.get(error.status_code, error.detail)}, error.status_code)


def _refused(request: Request, error: Exception) -> Response:
    del request
    status = 404 if isinstance(error, NoSuch | Damaged) else 409 if isinstance(error, AlreadyAnswered) else 400
    return answer({"error": str(error)}, status)


def _too_long(request: Request, error: Exception) -> Response:
    del request, error
    return answer({"error": f"a request may have at most {BODY} bytes."}, 413)


def _unforeseen(request: Request, error: Exception) -> Response:
    del request
    return answer({"error": f"the dashboard failed ({type(error).__name__}); its terminal says more."}, 500)
