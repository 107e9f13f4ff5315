"""Flat JSON objects as answers: told to engines and in words, found, read strictly, and matched with names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lossagent.agents.llm.formats import Thoughts, literal, readable, thoughts_of
from lossagent.chat.base import AnswerFormat
from lossagent.errors import Refused

REASONS = "thoughts"

_T = TypeVar("_T")


@dataclass(frozen=True)
class Field:
    """What may stand under a key.

    Attributes:
        schema: as a JSON schema.
        rule: as a GBNF expression.
    """

    schema: Mapping[str, Any]
    rule: str


@dataclass(frozen=True)
class Flat:
    """One object with reasons under ``thoughts`` and a value under each other key.

    Attributes:
        thoughts: whether the reasons come first, last or not at all.
        limit: characters of reasons that schema and grammar allow.
    """

    thoughts: Thoughts = "first"
    limit: int = 160

    def answer_format(self, name: str, fields: Mapping[str, Field], max_tokens: int, *rules: str) -> AnswerFormat:
        """Schema and grammar of the object, keys in the order that is asked for.

        Args:
            name: of the form.
            fields: key -> what may stand under it.
            max_tokens: tokens of an answer.
            rules: further rules that the fields' expressions name.

        """
        every = self._ordered(fields, Field({"type": "string", "maxLength": self.limit}, "string"))
        schema = {
            "type": "object",
            "properties": {name: dict(field.schema) for name, field in every.items()},
            "required": list(every),
            "additionalProperties": False,
        }
        starts = ("{", *[", "] * (len(every) - 1))
        pairs = [f"{literal(s + key(n) + ': ')} {f.rule}" for s, (n, f) in zip(starts, every.items(), strict=True)]
        lines = [f'root ::= {" ".join(pairs)} "}}"', *rules]
        if self.thoughts != "off":
            lines.insert(1, string_rule(self.limit))
        return AnswerFormat(name, schema, "\n".join(lines), max_tokens)

    def told(self, keys: str, first: str = "") -> str:
        """The object in words: ``keys``, and the key of the reasons where it stands, with ``first`` before it there."""
        reasons = f"the key {key(REASONS)} with a short reason"
        order = {"first": f"{first}{reasons}, then {keys}", "last": f"{keys}, then {reasons}", "off": keys}
        return f"Answer with one JSON object and nothing else: {order[self.thoughts]}."

    def example(self, values: Mapping[str, str]) -> str:
        """An object with these values, which are JSON already."""
        pairs = ", ".join(f"{key(n)}: {v}" for n, v in self._ordered(values, key("why")).items())
        return f"For example: {{{pairs}}}"

    def _ordered(self, values: Mapping[str, _T], reasons: _T) -> dict[str, _T]:
        match self.thoughts:
            case "first":
                return {REASONS: reasons, **values}
            case "last":
                return {**values, REASONS: reasons}
            case "off":
                return dict(values)


def key(name: str) -> str:
    """A name as a JSON string."""
    return json.dumps(name, ensure_ascii=False)


def refuse_thoughts_as_name(names: Iterable[str]) -> None:
    """The key ``thoughts`` is taken.

    Raises:
        Refused: a loss is called so.
    """
    if any(n.lower() == REASONS for n in names):
        raise Refused("a loss cannot be called 'thoughts' with JSON answers; rename it or use answer: pattern.")


def string_rule(limit: int) -> str:
    """GBNF rule ``string``: a JSON string without escapes, of at most ``limit`` characters."""
    return f'string ::= "\\"" [^"\\\\\\x00-\\x1F\\x7F]{{1,{limit}}} "\\""'


def split(text: str) -> tuple[str, dict[str, Any]]:
    """(thoughts, the other keys and values) of the one object in a text; words around it are ignored.

    Thoughts may stand anywhere or be left out, since nothing depends on them.

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
    thoughts = found.pop(REASONS, "")
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
