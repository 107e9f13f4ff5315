"""lossagent schema: the JSON Schema of the files that people write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lossagent.errors import Refused
from lossagent.runs import write_atomically
from lossagent.schema import schema


def schema_command(
    kind: Annotated[str, typer.Argument(help="experiment, study or loop.")],
    out: Annotated[Path | None, typer.Option(help="File to write; it is printed where this is left out.")] = None,
) -> None:
    """Prints the JSON Schema of experiments, studies or loops, for editors that complete and check YAML.

    Example: lossagent schema experiment --out experiment.schema.json
    """
    text = json.dumps(schema(kind), indent=2, ensure_ascii=False) + "\n"
    if out is None:
        typer.echo(text, nl=False)
        return
    if not out.parent.is_dir():
        raise Refused(f"--out: {out.parent} is no folder.")
    write_atomically(out, text)
    typer.echo(f"{out}: name it in the first line of a file: # yaml-language-server: $schema={out.name}")
