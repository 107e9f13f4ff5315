"""Which options a metric of pyiqa takes, read from its source: a wrong one is refused before anything is imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from lossagent.errors import Refused
from lossagent.iqa.listing import Entry, folder

Scalar = str | int | float | bool
"""What an option may be."""

Definition = ast.FunctionDef | ast.ClassDef


def check_options(entry: Entry, options: Mapping[str, Scalar]) -> None:
    """Refuses what the metric does not take.

    Args:
        entry: the metric.
        options: name -> value, e.g. ``{"color_space": "ycbcr", "crop_border": 4}``.

    Raises:
        Refused: an option that its class does not name, or a value of another type than its default.
    """
    if not options:
        return
    known = known_options(entry)
    for name, value in options.items():
        if name not in known:
            raise Refused(
                f"metric {entry.full_name!r} has no option {name!r}; it takes {', '.join(sorted(known)) or 'none'}."
            )
        usual = known[name]
        if usual is not None and not _fits(value, usual):
            raise Refused(
                f"metric {entry.full_name!r}: option {name!r} must be {type(usual).__name__}, as its default "
                f"{usual!r}; found {value!r}."
            )


def known_options(entry: Entry) -> Mapping[str, object]:
    """Options of a metric -> their defaults; ``None`` where a default is none or no plain value."""
    found = dict(_signature(folder(), entry.kind))
    found.update({name: value for name, value in entry.options.items() if isinstance(value, str | int | float)})
    return found


def _fits(value: Scalar, usual: object) -> bool:
    if isinstance(usual, bool) or isinstance(value, bool):
        return isinstance(usual, bool) and isinstance(value, bool)
    if isinstance(usual, float):
        return isinstance(value, int | float)
    return isinstance(value, type(usual))


@cache
def _signature(place: Path, kind: str) -> Mapping[str, object]:
    for path in sorted((place / "archs").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if re.search(rf"^(class|def) {kind}\b", text, re.MULTILINE):
            body = [node for node in ast.parse(text).body if isinstance(node, Definition)]
            return _arguments({node.name: node for node in body}, kind)
    return {}


def _arguments(body: Mapping[str, Definition], kind: str) -> Mapping[str, object]:
    """Named arguments of a class; where it hands the others on, those of the function of its name too (``psnr``)."""
    node = body[kind]
    inner = node.body if isinstance(node, ast.ClassDef) else [node]
    makers = [f for f in inner if isinstance(f, ast.FunctionDef) and f.name in ("__init__", kind)]
    found: dict[str, object] = {}
    for maker in makers:
        found |= _defaults(maker)
        helper = body.get(kind.lower())
        if maker.args.kwarg is not None and isinstance(helper, ast.FunctionDef):
            found = _defaults(helper) | found
    return found


def _defaults(function: ast.FunctionDef) -> dict[str, object]:
    named = [*function.args.posonlyargs, *function.args.args]
    usual = function.args.defaults
    optional = zip(named[len(named) - len(usual) :], usual, strict=True)
    keyword = [
        (a, d) for a, d in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True) if d is not None
    ]
    return {argument.arg: _plain(default) for argument, default in [*optional, *keyword]}


def _plain(node: ast.expr) -> object:
    try:
        value: object = ast.literal_eval(node)
    except ValueError:
        return None
    return value if isinstance(value, str | int | float) else None
