"""What is wrong with an experiment, in sentences: the key as a file has it, what was wanted, what was found."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lossagent.experiment.images import ONE, PARTS
from lossagent.experiment.whole import Experiment

PASSED = frozenset({ONE, PARTS})
"""Names that pydantic puts into a location for a member of a union that no key picked."""
Location = tuple[int | str, ...]
"""Keys, and kinds that picked members of unions."""
SCALARS = ("bool", "int", "float", "str")
"""Members of the union that an option's value is one of."""
NO_MAPPING = frozenset({"model_type", "model_attributes_type", "dataclass_type"})
NO_LIST = frozenset({"tuple_type", "list_type", "set_type"})


def complaints(error: ValidationError, whole: type[BaseModel] = Experiment) -> list[str]:
    """One sentence for each problem, in the order of the experiment; of values no more than a few words are shown.

    Args:
        error: what was wrong.
        whole: what was validated.
    """
    sentences: dict[str, None] = {}
    for one in _told(error):
        place = tuple(part for part in one["loc"] if part not in PASSED)
        sentences[_sentence(place, _wanted(one, place, whole), one.get("input"), one["type"], whole)] = None
    return list(sentences)


def _told(error: ValidationError) -> list[ErrorDetails]:
    """The errors that are worth telling: what a metric's facts would have filled in is not missing."""
    errors = error.errors()
    unnamed = {e["loc"][:-1] for e in errors if e["loc"][:1] == ("goal",) and e["loc"][-1] == "metric"}
    return [e for e in errors if not (e["loc"][:-1] in unnamed and e["loc"][-1] in ("direction", "unit"))]


def _wanted(error: ErrorDetails, location: Location, whole: type[BaseModel]) -> str:
    """What was wanted, in words of YAML rather than of the library that validates."""
    context = error.get("ctx", {})
    last = location[-1] if location else None
    match error["type"]:
        case "union_tag_invalid":
            return f"kind must be one of {context['expected_tags']}; found {context['tag']!r}"
        case "union_tag_not_found":
            kinds = ", ".join(repr(kind) for kind in _kinds(location, whole))
            return f"kind is required, one of {kinds}; found {_keys(error['input'])}"
        case "missing":
            return f"is required; found {_keys(error['input'])}"
        case "string_pattern_mismatch" if last == "[key]":
            return f"a name must match the pattern {context['pattern']}"
        case "path_type":
            return "must be a path"
        case _ if last in SCALARS:
            return "must be a text, a number, or true or false"
        case "dict_type":
            return "must be a mapping of names"
        case kind if kind in NO_MAPPING:
            kinds = _kinds(location, whole)
            keys = _known_keys(location, whole) if len(kinds) < 2 else ["kind", "..."]
            return f"must be a mapping of keys ({', '.join(keys)})"
        case kind if kind in NO_LIST:
            return "must be a list"
        case _:
            return error["msg"]


def _keys(found: object) -> str:
    """The keys of a mapping; values are not repeated."""
    if not isinstance(found, Mapping):
        return type(found).__name__
    return "only " + ", ".join(str(key) for key in found) if found else "nothing"  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _sentence(location: Location, message: str, found: object, kind: str, whole: type[BaseModel]) -> str:
    if location and location[-1] in ("[key]", *SCALARS):
        location = location[:-1]
    where = ".".join(str(part) for part in _written(location, whole)) or "experiment"
    if kind == "extra_forbidden":
        known = _known_keys(location[:-1], whole)
        near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.6)
        hint = f" Did you mean {near[0]!r}?" if near else (f" Known: {', '.join(known)}." if known else "")
        return f"{where}: unknown key.{hint}"
    message = message.removeprefix("Value error, ")
    if not location:  # a rule about the whole; its message says what was found
        return message
    if "; found " in message:
        return f"{where}: {message}"
    shown = re.sub(r"\s+", " ", repr(found))
    return f"{where}: {message}; found {shown[:80]}"


def _known_keys(location: Location, whole: type[BaseModel]) -> list[str]:
    """Names of the fields at a place of the experiment, followed through its types as far as they go."""
    return sorted(getattr(_followed(location, whole)[0], "model_fields", {}))


def _written(location: Location, whole: type[BaseModel]) -> list[int | str]:
    """A place as a file has it: without the kinds that picked members of unions."""
    return _followed(location, whole)[1]


def _kinds(location: Location, whole: type[BaseModel]) -> list[str]:
    """What ``kind`` may be at a place where it is missing."""
    return _kinds_of(_followed(location, whole)[2])


def _kinds_of(annotation: Any) -> list[str]:  # noqa: ANN401  (a type expression)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        own = annotation.model_fields.get("kind")
        return [str(own.default)] if own is not None else []
    return [kind for part in getattr(annotation, "__args__", ()) for kind in _kinds_of(part)]


def _followed(location: Location, whole: type[BaseModel]) -> tuple[Any, list[int | str], Any]:
    """What is at a place, the place as a file has it, and the type whose kinds are still to be chosen from."""
    current: Any = whole
    kinds: Any = None
    written: list[int | str] = []
    for part in location:
        fields: dict[str, Any] = getattr(current, "model_fields", {})
        if (named := _model_in(kinds, str(part))) is not None:  # the kind that picked a member of a union
            current, kinds = named, None
            continue
        if part in fields:
            kinds = fields[str(part)].annotation
            current = _model_in(kinds)
        elif not fields:
            current = None
        written.append(part)
    return current, written, kinds


def _model_in(annotation: Any, kind: str | None = None) -> Any:  # noqa: ANN401  (a type expression)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        own = annotation.model_fields.get("kind")
        return annotation if kind is None or (own is not None and own.default == kind) else None
    for part in reversed(getattr(annotation, "__args__", ())):
        if (inner := _model_in(part, kind)) is not None:
            return inner
    return None
