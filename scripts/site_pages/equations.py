"""Blocks ``math`` of pages as MathML, set by the browser itself: no script, no font from elsewhere."""

from __future__ import annotations

import re
from typing import Any

from latex2mathml.converter import convert

_TAG = re.compile(r"\\tag\{(\d+)\}")


def fence(source: str, language: str, css_class: str, options: Any, md: Any, **kwargs: Any) -> str:
    """A formatter of pymdownx.superfences: one equation a line, ``\\tag{1}`` numbers it."""
    del language, css_class, options, md, kwargs
    return "".join(_equation(line) for line in source.splitlines() if line.strip())


def _equation(line: str) -> str:
    number = _TAG.search(line)
    formula = convert(_TAG.sub("", line).strip(), display="block")
    label = f'<span class="equation-number">({number[1]})</span>' if number is not None else ""
    return f'<div class="equation">{formula}{label}</div>\n'
