"""The command line. Exit status: 0 done, 1 failed, 2 refused, 3 interrupted and resumable, 4 waiting for a person."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import typer
from rich.console import Console

from lossagent.errors import Interrupted, LossAgentError, Refused

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
    "recipe": "recipe:recipe",
    "score": "score:score",
    "restore": "restore:restore_command",
    "report": "report:report",
    "assets": "assets:app",
    "doctor": "doctor:doctor",
}
"""Command -> where it is."""


def main() -> None:
    """Runs the command line; errors become one clear message and an exit status."""
    register(app, sys.argv[1:])
    sys.exit(guarded(lambda: app(standalone_mode=False)))


def register(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Adds the commands; only the one that is asked for is imported, since torch takes seconds."""
    asked = next((a for a in arguments if not a.startswith("-")), None)
    names = [asked] if asked in COMMANDS else list(COMMANDS)
    for name in names:
        module, attribute = COMMANDS[name].split(":")
        command = getattr(importlib.import_module(f"lossagent.commands.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    if len(names) == 1:
        app.callback()(lambda: None)  # with one command alone, typer would take its name for an argument


def guarded(call: Callable[[], Any]) -> int:
    """Runs a command and turns what it raises into an exit status."""
    from click.exceptions import Abort, ClickException, Exit

    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    try:
        result = call()
    except Exit as request:
        return request.exit_code
    except ClickException as error:
        error.show()
        return 2
    except Refused as error:
        console.print(f"Refused: {error}")
        return 2
    except (Interrupted, KeyboardInterrupt, Abort) as error:
        console.print(f"Interrupted. {error}")
        return 3
    except LossAgentError as error:
        console.print(f"Failed: {error}")
        return 1
    return result if isinstance(result, int) else 0
