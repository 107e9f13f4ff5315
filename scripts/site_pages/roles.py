"""Makes docstrings Markdown before the API reference parses them, without changing what they say."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):`~?([\w.]+)`")
_SEVERAL = re.compile(r"(?m)^(?P<indent> {4})(?P<names>[a-z_]\w*(?:, [a-z_]\w*)+): (?P<text>.*(?:\n {8,}.*)*)")


def markdown(docstring: str) -> str:
    """``:class:`X` `` as code, ``low, high: ...`` as an entry for each, ``::`` before a block as nothing.

    A line that begins with a comparison (``>= 0``) is no quotation.
    """
    text = _ROLE.sub(r"`\1`", docstring)
    text = re.sub(r"(?m)^(\s*(?:[a-z_]\w*: )?)>(?=[= \d])", r"\1\\>", text)
    text = re.sub(r"(?m)^::\n", "", text)
    text = re.sub(r"(?m)(?<=\w)::$", ":", text)
    return _SEVERAL.sub(_one_by_one, text)


def _one_by_one(entry: re.Match[str]) -> str:
    first, *others = entry["names"].split(", ")
    lines = [f"{entry['indent']}{first}: {entry['text']}"]
    lines += [f"{entry['indent']}{name}: as `{first}`." for name in others]
    return "\n".join(lines)


class Roles(griffe.Extension):
    """Rewrites each docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called with each object, once it is known."""
        del kwargs
        if obj.docstring is not None:
            obj.docstring.value = markdown(obj.docstring.value)
