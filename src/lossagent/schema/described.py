"""JSON Schema of settings with what their docstrings say, as files may be written: short forms included."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from lossagent.agents.table import AGENTS
from lossagent.schema.docstrings import said_of, summary
from lossagent.schema.reasons import reason_of
from lossagent.schema.units import unit_of

M = TypeVar("M", bound=BaseModel)
_OF_THE_METRIC = "the metric's own"
COMPLETED: Mapping[str, Mapping[str, str]] = {
    "Target": {"direction": _OF_THE_METRIC, "unit": _OF_THE_METRIC},
    "Constraint": {"unit": _OF_THE_METRIC},
    "LoopSettings": {"agent": "`respond`, with `restart: never` unless `can_restart`"},
}
"""Settings -> key that is completed where a file leaves it out -> with what."""
LIMITS = frozenset({"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"})
SHORT: Mapping[str, tuple[JsonSchemaValue, ...]] = {
    "EvidenceOptions": ({"type": "boolean"},),
    "ImagesSettings": ({"type": "string"}, {"type": "array", "items": {"type": "string"}}),
    "LoopLoss": ({"type": "number", "minimum": 0},),
}
"""Settings -> what may stand for the whole."""
BY_NAME = "bsrgan"
"""A kind of degradation; a degradation that needs nothing else may be written as its kind alone."""


def described(root: type[BaseModel], title: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a file.

    Args:
        root: its settings.
        title: for people.

    Raises:
        ValueError: a key without a description, a number without a unit, a default or a limit without a reason, each
            with what to do.
    """
    made = root.model_json_schema(schema_generator=_Described)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": title}


class _Described(GenerateJsonSchema):
    """Adds descriptions and units, and allows what is completed or short."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        owner: type[BaseModel] = schema["cls"]
        properties: dict[str, JsonSchemaValue] = made.get("properties", {})
        said = {key: _said(owner, key, entry) for key, entry in properties.items()}
        for key, entry in properties.items():
            entry.pop("title", None)
            entry.update(said[key])
        made["description"] = summary(owner)
        left_out = COMPLETED.get(owner.__name__, {})
        for key, words in left_out.items():
            properties[key].pop("default", None)
            properties[key]["x-default"] = words
        if "required" in made:
            made["required"] = [key for key in made["required"] if key not in left_out]
        if "thoughts" in properties:  # what YAML 1.1 reads "off" as
            properties["thoughts"]["anyOf"] += [{"const": False}]
        if owner.__name__ == "LoopSettings":
            either: JsonSchemaValue = {"anyOf": [properties["agent"], {"enum": [*AGENTS, None]}]}
            properties["agent"] = {**either, **said["agent"], "x-default": left_out["agent"]}
        if owner.__name__ == "Arm":
            return {"title": "Arm", "description": made["description"], "type": ["object", "null"]}
        if owner.__name__ in SHORT:
            return {"title": made["title"], "description": made["description"], "anyOf": [made, *SHORT[owner.__name__]]}
        return made

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        """Weights by name may be written as ``l1:gan=1.0:0.1``."""
        made = super().function_before_schema(schema)
        return {"anyOf": [made, {"type": "string"}]} if schema["schema"]["type"] == "dict" else made

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        made = super().tagged_union_schema(schema)
        kinds = [str(kind) for kind in schema["choices"]]
        if "discriminator" not in made:  # chosen by more than a key: a list of paths fits one set and parts of one
            return {"anyOf": made.pop("oneOf"), **made}
        if BY_NAME not in kinds:
            return made
        return {"anyOf": [made, {"enum": [kind for kind in kinds if kind != "noise"]}]}


def _said(owner: type[BaseModel], key: str, entry: JsonSchemaValue) -> JsonSchemaValue:
    """Description, unit and reason of a key."""
    field = owner.model_fields[key]
    if key == "kind" and "const" in entry:
        return {"description": "which one this is."}
    text = said_of(owner).get(key)
    if text is None:
        raise ValueError(
            f"{owner.__module__}.{owner.__name__}.{key} has no description: add it to the Attributes section of its "
            "docstring."
        )
    said: JsonSchemaValue = {"description": text}
    if re.search(r"\b(int|float)\b", str(field.annotation)):
        unit = unit_of(owner.__name__, key)
        if unit is None:
            raise ValueError(f"{owner.__name__}.{key} is a number without a unit: add it to lossagent.schema.units.")
        said["x-unit"] = unit
    reason = reason_of(owner, key)
    if reason is not None:
        said["x-reason"] = reason
    elif not field.is_required() or _limited(entry):
        raise ValueError(
            f"{owner.__name__}.{key} has a default or a limit and no reason: add to lossagent.schema.reasons why it is "
            "what it is, or when to take another."
        )
    return said


def _limited(entry: Any) -> bool:  # noqa: ANN401  (a part of a schema)
    """Whether a number is held to a limit anywhere in a value."""
    if isinstance(entry, Mapping):
        parts = cast("Mapping[str, Any]", entry)
        return bool(LIMITS & parts.keys()) or any(map(_limited, parts.values()))
    return isinstance(entry, list) and any(map(_limited, cast("list[Any]", entry)))
