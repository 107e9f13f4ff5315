"""Flat JSON objects in answers: found, read strictly, and matched with the names that were asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lossagent.agents.llm.formats import readable, thoughts_of
from lossagent.errors import Refused


def key(name: str) -> str:
    """A name as a JSON string."""
    return json.dumps(name, ensure_ascii=False)


def refuse_thoughts_as_name(names: Iterable[str]) -> None:
    """The key ``thoughts`` is taken.

    Raises:
        Refused: a loss is called so.
    """
    if any(n.lower() == "thoughts" for n in names):
        raise Refused("a loss cannot be called 'thoughts' with JSON answers; rename it or use answer: pattern.")


def string_rule(limit: int) -> str:
    """GBNF rule ``string``: a JSON string without escapes, of at most ``limit`` characters."""
    return f'string ::= "\\"" [^"\\\\\\x00-\\x1F\\x7F]{{1,{limit}}} "\\""'


def split(text: str) -> tuple[str, dict[str, Any]]:
    """(thoughts, the other keys and values) of the one object in a text; words around it are ignored.

    Thoughts may be left out, since nothing depends on them.

    Raises:
        Refused: no object, broken JSON, a key given twice, NaN or infinity, or thoughts that are no text.
    """
    text = readable(text)
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise Refused("There was no JSON object in the answer.")
    try:
        found = json.loads(text[start : end + 1], object_pairs_hook=_once, parse_constant=_constant)
    except Refused:
        raise
    except RecursionError:
        raise Refused("The JSON object must be flat; found many levels of brackets.") from None
    except ValueError as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "a number of too many digits"
        raise Refused(f"The answer was not valid JSON: {reason}.") from None
    thoughts = found.pop("thoughts", "")
    if not isinstance(thoughts, str):
        raise Refused('The value of "thoughts" must be a text.')
    return thoughts_of(thoughts), found


def by_name(found: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The values in the order of the names, matched in any case.

    Raises:
        Refused: a name that is missing, unknown, or given twice.
    """
    lower = {n.lower(): n for n in names}
    values: dict[str, Any] = {}
    for given, value in found.items():
        name = lower.get(given.strip().lower())
        if name is None:
            raise Refused(f"The keys must be {', '.join(names)}; found {given[:40]!r} too.")
        if name in values:
            raise Refused(f"The key {name} was given twice.")
        values[name] = value
    if missing := [n for n in names if n not in values]:
        raise Refused(f"The keys must be {', '.join(names)}; missing: {', '.join(missing)}.")
    return {n: values[n] for n in names}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Refused("Each key must be given once; found one twice.")
    return found


def _constant(text: str) -> float:
    raise Refused(f"Numbers must be finite; found {text}.")
