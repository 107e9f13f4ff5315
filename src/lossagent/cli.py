"""The command line. Exit status: 0 done, 1 failed, 2 refused, 3 interrupted and resumable, 4 waiting for a person."""

from __future__ import annotations

import sys
from collections.abc import Callable
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


def main() -> None:
    """Runs the command line; errors become one clear message and an exit status."""
    from lossagent import commands

    commands.register(app)
    sys.exit(guarded(lambda: app(standalone_mode=False)))


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
