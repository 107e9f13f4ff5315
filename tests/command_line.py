"""The command line inside the test's own process."""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import yaml

from lossagent import cli


class Outcome(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str


def command(*arguments: object) -> Outcome:
    """Runs ``lossagent ARGUMENTS``; what ``main`` raises beside its exit comes through."""
    fresh = importlib.reload(cli)  # commands are added to the module's app: each call starts with an empty one
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["lossagent", *map(str, arguments)]),
        mock.patch.dict("os.environ", {"COLUMNS": "200"}),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            fresh.main()
        except SystemExit as end:
            status = end.code
        else:
            raise AssertionError("main always exits")
    assert isinstance(status, int)
    return Outcome(status, out.getvalue(), err.getvalue())


def written(data: dict[str, Any], root: Path, name: str = "experiment.yaml") -> Path:
    """An experiment file."""
    file = root / name
    file.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return file
