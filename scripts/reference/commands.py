"""docs/reference/command-line.md: every command and option."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer

from lossagent.cli import COMMANDS, register

INTRODUCTION = """\
# Command line

<!-- Written by scripts/write_reference.py from the commands themselves. -->

`lossagent COMMAND --help` prints the same. Exit status: 0 done, 1 failed, 2 refused (nothing was started), 3
interrupted and resumable, 4 waiting for a person.

"""
_NOTE = re.compile(r"\s*\[(?P<note>(?:default: |required).*)\]$")


def page() -> str:
    """The whole page."""
    commands = list(commands_of(command_line(), ()))
    rows = ["| command | |", "|---|---|"]
    rows += [f"| [`{' '.join(path)}`](#lossagent-{'-'.join(path)}) | {_first(command)} |" for path, command in commands]
    sections = (_section(f"lossagent {' '.join(path)}", command) for path, command in commands)
    return INTRODUCTION + "\n".join(rows) + "\n\n" + "\n".join(sections)


def command_line() -> Any:
    """The command group ``lossagent`` with all its commands."""
    app = typer.Typer(name="lossagent", no_args_is_help=True, rich_markup_mode=None)
    register(app, [])
    return typer.main.get_command(app)


def commands_of(group: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The commands of a group in the order in which help lists them, groups opened."""
    order = list(COMMANDS) if not path else sorted(group.commands)
    for name in sorted(group.commands, key=order.index):
        command = group.commands[name]
        if hasattr(command, "commands"):
            yield from commands_of(command, (*path, name))
        else:
            yield (*path, name), command


def _section(name: str, command: Any) -> str:
    with command.make_context(name, [], resilient_parsing=True) as context:
        parameters = [p for p in command.get_params(context) if p.name != "help" and not getattr(p, "hidden", False)]
        rows = [_row(p, (p.get_help_record(context) or ("", ""))[1]) for p in parameters]
    usage = " ".join([name, "[OPTIONS]", *(_placeholder(p) for p in parameters if _is_argument(p))])
    table = "\n".join(["| argument or option | | default |", "|---|---|---|", *rows]) + "\n" if rows else ""
    return f"## {name}\n\n{_help(command)}\n\n```text\n{usage}\n```\n\n{table}"


def _row(parameter: Any, text: str) -> str:
    """A parameter with what its help says; how values are called there changes with typer's version."""
    names = [_placeholder(parameter)] if _is_argument(parameter) else [*parameter.opts, *parameter.secondary_opts]
    note = _NOTE.search(text)
    default = "" if note is None else note["note"].removeprefix("default: ")
    default = "**required**" if default.startswith("required") else f"`{default}`" if default else ""
    shown = ", ".join(f"`{name}`" for name in names)
    return f"| {shown} | {_cell(_NOTE.sub('', text))} | {_cell(default)} |"


def _is_argument(parameter: Any) -> bool:
    return parameter.param_type_name == "argument"


def _placeholder(parameter: Any) -> str:
    name = parameter.name.upper() + ("..." if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _help(command: Any) -> str:
    """The help as Markdown: examples are code."""
    return re.sub(r"(?m)^(Example: )?(lossagent .*)$", r"\1`\2`", inspect.cleandoc(command.help or ""))


def _first(command: Any) -> str:
    return _cell(inspect.cleandoc(command.help or "").split("\n\n")[0])


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
