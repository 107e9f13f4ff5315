"""What docstrings say of settings: the entries of their "Attributes:" and "Args:" sections."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Mapping
from functools import cache

SECTIONS = ("Attributes:", "Args:")
_ENTRY = re.compile(r"^(?P<names>[A-Za-z_]\w*(?:, [A-Za-z_]\w*)*): (?P<text>.*)$")
_CLASS = re.compile(r":class:`~?([\w.]+)`")
_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr):`~?([\w.]+)`")


def entries(docstring: str | None) -> dict[str, str]:
    """name -> what is said of it, in one line; ``low, high: ...`` is said of both.

    Args:
        docstring: with sections in Google's style.
    """
    found: dict[str, str] = {}
    names: tuple[str, ...] = ()
    inside = False
    for line in inspect.cleandoc(docstring or "").splitlines():
        depth = len(line) - len(line.lstrip())
        text = line.strip()
        if depth == 0:
            inside = text in SECTIONS if text else inside
        elif inside and depth == 4 and (entry := _ENTRY.match(text)):
            names = tuple(entry["names"].split(", "))
            found.update(dict.fromkeys(names, entry["text"]))
        elif inside and text:
            found.update({name: f"{found[name]} {text}" for name in names})
    return found


def summary(owner: type) -> str:
    """The first paragraph of a class's own docstring in one line, as Markdown; empty where it has none."""
    return plain(" ".join(inspect.cleandoc(owner.__doc__ or "").split("\n\n")[0].split()))


def plain(text: str) -> str:
    """Markdown as readers of YAML want it: ``:class:`X` `` and double backticks as single ones, ``None`` as null."""
    single = _ROLE.sub(r"`\1`", text).replace("``", "`")
    return single.replace("`None`", "`null`").replace("`True`", "`true`").replace("`False`", "`false`")


@cache
def said_of(owner: type) -> Mapping[str, str]:
    """name -> what the docstrings of a class and its bases say of its fields, as Markdown.

    A class goes before its bases. Where the first paragraph names another class (``see :class:`Climb` ``), what that
    one says of its own parameters counts, too, after the class's own words; so does an entry ``see :class:`X` ``.
    """
    found: dict[str, str] = {}
    for one in owner.__mro__:
        if one.__module__.split(".")[0] != "pydantic":  # it speaks of its own machinery
            found = {**_own(one), **found}
    return {name: plain(text) for name, text in found.items()}


def _own(owner: type) -> dict[str, str]:
    """What one class says, without its bases."""
    first = inspect.cleandoc(owner.__doc__ or "").split("\n\n")[0]
    found: dict[str, str] = {}
    for other in _classes(first, owner):
        found.update(_parameters(other))
    found.update(_parameters(owner))
    return found


def _parameters(owner: type) -> dict[str, str]:
    """The entries of a class and of its constructor; those that say "see X" have X's words."""
    found = {**entries(owner.__init__.__doc__), **entries(owner.__doc__)}
    for name, text in found.items():
        for other in _classes(text, owner) if "see :class:" in text else ():
            found[name] = entries(other.__doc__).get(name, text)
    return found


def _classes(text: str, owner: type) -> list[type]:
    """The classes that a text names, by their names where the owner was defined, or by their full paths."""
    found: list[type] = []
    for path in _CLASS.findall(text):
        module, _, name = path.rpartition(".")
        other = getattr(sys.modules.get(module or owner.__module__), name, None)
        if isinstance(other, type) and other is not owner:
            found.append(other)
    return found
