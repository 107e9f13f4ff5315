"""The command line. Exit status: 0 done, 1 failed, 2 refused, 3 interrupted and resumable, 4 waiting for a person."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import ParamSpec

import typer
from rich.console import Console

from lossagent.errors import Interrupted, LossAgentError, Refused, Waiting

P = ParamSpec("P")

app = typer.Typer(
    name="lossagent",
    help="Steer the training of an image restoration network towards an objective that cannot be differentiated.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

COMMANDS = {
    "demo": "demo:demo",
    "run": "run:run",
    "resume": "run:resume",
    "steer": "steer:steer_command",
    "rate": "rate:rate",
    "dashboard": "dashboard:dashboard",
    "recipe": "recipe:recipe",
    "schema": "schema:schema_command",
    "score": "score:score",
    "restore": "restore:restore_command",
    "evaluate": "evaluate:evaluate",
    "compare": "compare:compare",
    "report": "report:report",
    "probe": "probe:probe",
    "replay": "replay:replay",
    "simulate": "simulate:app",
    "export": "export:export",
    "prepare": "prepare:app",
    "assets": "assets:app",
    "doctor": "doctor:doctor",
}
"""Command -> where it is."""


def main() -> None:
    """Runs the command line and exits."""
    arguments = spread(sys.argv[1:])
    register(app, arguments)
    app(args=arguments)


def spread(arguments: Sequence[str]) -> list[str]:
    """``evaluate METHOD --sets A B`` as ``--sets A --sets B``: the parser takes one value at a time.

    Words without "=" are methods wherever they stand.
    """
    result: list[str] = []
    spreading = False
    for word in arguments:
        if word.startswith("-") or "evaluate" not in result:
            spreading = word == "--sets"
            result.append(word)
        elif spreading and result[-1] != "--sets" and "=" in word:
            result += ["--sets", word]
        else:
            result.append(word)
    return result


def register(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Adds the commands; only the one that is asked for is imported, since torch takes seconds."""
    asked = next((a for a in arguments if not a.startswith("-")), None)
    names = [asked] if asked in COMMANDS else list(COMMANDS)
    for name in names:
        module, attribute = COMMANDS[name].split(":")
        command = getattr(importlib.import_module(f"lossagent.commands.{module}"), attribute)
        if isinstance(command, typer.Typer):
            for inner in command.registered_commands:
                inner.callback = guarded(inner.callback) if inner.callback is not None else None
            app.add_typer(command, name=name)
        else:
            app.command(name)(guarded(command))
    if len(names) == 1:
        app.callback()(lambda: None)  # with one command alone, typer would take its name for an argument


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """The command with its errors turned into one clear message and an exit status."""

    @functools.wraps(command)
    def carried_out(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (KeyboardInterrupt, LossAgentError) as error:
            what, status = verdict(error)
            console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
            console.print(what)
            raise typer.Exit(status) from None

    return carried_out


def verdict(error: KeyboardInterrupt | LossAgentError) -> tuple[str, int]:
    """(message, exit status) of an error."""
    if isinstance(error, Interrupted):
        return f"Interrupted: {error}", 3
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted.", 3
    if isinstance(error, Waiting):
        return f"Waiting: {error}", 4
    return (f"Refused: {error}", 2) if isinstance(error, Refused) else (f"Failed: {error}", 1)
