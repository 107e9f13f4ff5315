"""``lossagent dashboard``."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Annotated

import typer

from lossagent.errors import MissingPackage, Refused


def dashboard(
    folder: Annotated[Path, typer.Argument(metavar="RUN|DIR", help="Run folder, or a folder that holds run folders.")],
    host: Annotated[str, typer.Option(help="Address to listen on; others than this machine need a password.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes any free one.")] = 8765,
    password_env: Annotated[str | None, typer.Option(help="Environment variable that holds the password.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="File whose first line is the password.")] = None,
) -> None:
    """Serves a page about runs while they go on: curves, images, decisions, and the feedback of people.

    It reads run folders and writes letters into their mailboxes; training goes on whether it runs or not.

    Example: lossagent dashboard runs
    """
    for package in ("starlette", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            raise MissingPackage(package, "dashboard", "The dashboard")
    from lossagent.dashboard.serving import serve

    password = password_of(password_env, password_file)

    def say(url: str) -> None:
        typer.echo(f"Dashboard of {folder}: {url} (Ctrl-C ends it)")

    serve(folder, host, port, password, say)


def password_of(variable: str | None, file: Path | None) -> str | None:
    """The password from where the user keeps it; ``None`` where there is none.

    Raises:
        Refused: both places are named, or there is nothing in the one that is.
    """
    if variable is not None and file is not None:
        raise Refused("--password-env and --password-file say the same; give one of them.")
    if variable is not None:
        if not os.environ.get(variable, "").strip():
            raise Refused(f"--password-env: the environment variable {variable!r} is not set, or empty.")
        return os.environ[variable]
    if file is None:
        return None
    try:
        password = file.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"--password-file: {file} cannot be read ({type(error).__name__}).") from error
    if not password.strip():
        raise Refused(f"--password-file: the first line of {file} is empty.")
    return password
