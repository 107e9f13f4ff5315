"""``lossagent recipe``."""

from __future__ import annotations

from typing import Annotated

import typer

from lossagent import recipes


def recipe(
    name: Annotated[
        str,
        typer.Argument(
            help=f"An experiment: {', '.join(recipes.names())}. A study of the paper: {', '.join(recipes.studies())}."
        ),
    ],
    scale: Annotated[
        str | None,
        typer.Option(help="paper (many GPUs; what is taken without a word), small (two CPU cores), smoke (seconds)."),
    ] = None,
) -> None:
    """Prints a complete experiment to edit and `run`, or a study to `compare`.

    Example: lossagent recipe classical-sr --scale small > experiment.yaml
    """
    typer.echo(recipes.text(name, scale), nl=False)
