"""The published JSON Schemas: they take what we take, and refuse what an editor should mark."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Literal

import pytest
import yaml
from pydantic import BaseModel, Field

from command_line import command
from lossagent import recipes
from lossagent.errors import UnknownName
from lossagent.schema import FILES, schema
from lossagent.schema.described import described
from lossagent.schema.docstrings import entries, said_of
from lossagent.schema.reasons import known

jsonschema = pytest.importorskip("jsonschema")


def problems(kind: str, data: object) -> list[str]:
    return [f"{list(e.path)}: {e.message}" for e in jsonschema.Draft202012Validator(schema(kind)).iter_errors(data)]


def demo() -> dict[str, object]:
    return yaml.safe_load(recipes.text("demo"))


@pytest.mark.parametrize("kind", FILES)
def test_it_is_a_schema_in_which_every_key_is_described(kind: str) -> None:
    made = schema(kind)
    jsonschema.Draft202012Validator.check_schema(made)
    parts = {"": made, **made["$defs"]}
    for name, part in parts.items():
        for key, entry in part.get("properties", {}).items():
            assert entry["description"], f"{name}.{key}"


RECIPES = [
    *(("experiment", name, scale) for name, scale in recipes._experiments()),
    *(("study", name, scale) for name, scale in recipes._studies()),
]


@pytest.mark.parametrize(("kind", "name", "scale"), RECIPES)
def test_recipes_fit(kind: str, name: str, scale: str) -> None:
    assert problems(kind, yaml.safe_load(recipes.text(name, scale))) == []


@pytest.mark.parametrize(
    "short",
    [
        {"data": {"train": "photos", "feedback": ["a", "b"], "degradation": "bsrgan"}},
        {"data": {"train": [{"images": ["a"]}, {"images": ["b"]}], "feedback": "c"}},
        {"goal": {"targets": [{"metric": "niqe"}], "constraints": [{"metric": "psnr_y", "at_least": 25}]}},
        {"agent": {"kind": "llm", "evidence": False}},
    ],
)
def test_short_forms_fit(short: dict[str, object]) -> None:
    assert problems("experiment", demo() | short) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"trainig": {}},
        {"training": {"stages": 0}},
        {"training": {"stages": "many"}},
        {"agent": {"kind": "clmb"}},
        {"agent": {"kind": "climb", "spread": 2}},
        {"data": {"train": "a", "feedback": "b", "degradation": "noise"}},
        {"goal": {"targets": [{"direction": "lower"}]}},
    ],
)
def test_mistakes_are_marked(wrong: dict[str, object]) -> None:
    assert problems("experiment", demo() | wrong)


def test_a_loop_may_be_short() -> None:
    goal = {"targets": [{"metric": "niqe"}]}
    assert problems("loop", {"losses": {"l1": 1.0, "gan": {"weight": 0.01}}, "goal": goal}) == []
    assert problems("loop", {"losses": {"l1": 1.0}, "goal": goal, "agent": "climb"}) == []
    assert problems("loop", {"losses": {"l1": -1.0}, "goal": goal})
    assert problems("loop", {"losses": {"l1": 1.0}, "goal": goal, "agent": "clmb"})


def test_an_empty_arm_is_an_arm() -> None:
    study = {"name": "s", "recipe": "demo", "arms": {"fixed": None, "mine": {"agent": {"kind": "climb"}}}}
    assert problems("study", study) == []
    assert problems("study", study | {"seed": [1]})


def test_units_stand_beside_numbers() -> None:
    training = schema("experiment")["$defs"]["TrainingSettings"]["properties"]
    assert training["iterations"]["x-unit"] == "iterations"
    assert "x-unit" not in training["deterministic"]
    assert schema("experiment")["$defs"]["RollbackSettings"]["properties"]["patience"]["x-unit"] == "times"


def test_a_key_without_a_description_is_refused() -> None:
    class Mute(BaseModel):
        """Says nothing of its key."""

        key: str = ""

    with pytest.raises(ValueError, match=r"Mute\.key has no description: add it to the Attributes section"):
        described(Mute, "mute")


def test_a_number_without_a_unit_is_refused() -> None:
    class Bare(BaseModel):
        """A number.

        Attributes:
            quux: how much of it.
        """

        quux: float = Field(gt=0)

    with pytest.raises(ValueError, match=r"Bare\.quux is a number without a unit"):
        described(Bare, "bare")


def test_a_default_or_a_limit_without_a_reason_is_refused() -> None:
    class Settled(BaseModel):
        """A name.

        Attributes:
            name: what it is called.
        """

        name: str = "it"

    class Limited(BaseModel):
        """Steps.

        Attributes:
            iterations: how many.
        """

        iterations: tuple[Annotated[int, Field(ge=1)], ...]

    with pytest.raises(ValueError, match=r"Settled\.name has a default or a limit and no reason: add to lossagent"):
        described(Settled, "settled")
    with pytest.raises(ValueError, match=r"Limited\.iterations has a default or a limit and no reason"):
        described(Limited, "limited")


def test_every_reason_is_of_a_setting_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()

    def noted(owner: type, key: str) -> str:
        asked.update(f"{one.__name__}.{key}" for one in owner.__mro__)
        return "Because."

    monkeypatch.setattr(sys.modules[described.__module__], "reason_of", noted)
    for kind in FILES:
        described(*FILES[kind])
    assert known() - asked == set()
    assert len(known()) > 200


def test_what_is_completed_has_its_default_in_words() -> None:
    parts = schema("loop")["$defs"]
    assert parts["Constraint"]["properties"]["unit"]["x-default"] == "the metric's own"
    assert "default" not in parts["Constraint"]["properties"]["unit"]
    assert "respond" in schema("loop")["properties"]["agent"]["x-default"]


def test_kinds_need_no_description() -> None:
    class Kind(BaseModel):
        """One of several."""

        kind: Literal["one"] = "one"

    assert described(Kind, "kind")["properties"]["kind"]["description"]


class Elsewhere:
    """Another class.

    Args:
        far: said there, in ``None`` words.
    """


class Here(BaseModel):
    """See :class:`Elsewhere`.

    Attributes:
        low, high: the range,
            on two lines.
    """


def test_descriptions_come_from_docstrings_and_what_they_refer_to() -> None:
    assert said_of(Here) == {
        "low": "the range, on two lines.",
        "high": "the range, on two lines.",
        "far": "said there, in `null` words.",
    }
    assert entries("First.\n\nReturns:\n    x: not of a parameter.\n") == {}


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="Known: experiment, loop, study"):
        schema("experiments")


def test_the_command_prints_or_writes_it(tmp_path) -> None:
    printed = command("schema", "study")
    assert printed.status == 0
    assert json.loads(printed.out) == schema("study")
    file = tmp_path / "study.schema.json"
    done = command("schema", "study", "--out", file)
    assert done.status == 0
    assert "# yaml-language-server: $schema=study.schema.json" in done.out
    assert json.loads(file.read_text(encoding="utf-8")) == schema("study")


def test_the_command_refuses_what_cannot_be(tmp_path) -> None:
    assert command("schema", "experiments").status == 2
    assert command("schema", "study", "--out", tmp_path / "none" / "x.json").status == 2
