"""Metrics that an experiment names itself: pyiqa's with settings, a Python function, an executable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from lossagent.errors import MissingAsset, Refused
from lossagent.experiment.base import NAME, Settings
from lossagent.feedback import Direction, MetricFacts
from lossagent.judgements import PREFERENCE, RATING
from lossagent.metrics import METRICS, FeatureDistance, MetricOptions, ShiftedPerceptual, create
from lossagent.metrics.command import located_command
from lossagent.metrics.foreign import PyIQA
from lossagent.metrics.own import own_facts
from lossagent.metrics.table import FOREIGN
from lossagent.objectives.people import PREFERENCE_FACTS, RATING_FACTS

Unit = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Bound = Annotated[float, Field(allow_inf_nan=False)]


class PyIQASettings(Settings):
    """A metric of pyiqa with settings; without any, ``pyiqa:NAME`` may stand in a goal by itself.

    Attributes:
        name: pyiqa's name of it, e.g. ``clipiqa``.
        options: arguments of pyiqa's own class; unknown ones are refused.
        border: pixels left out on each side.
        batch: images of one size that are scored at once, ``null`` for 16, or 1 for large language models.
        device: ``cpu``, ``cuda``, ...; ``null`` for where the run computes.
        unload: whether its memory is given back after each scoring.
        unit: a change worth speaking of, ``null`` for what is usual.
        deadline: seconds that one batch may take, the first one with the loading of the network.
        download: whether weights may be fetched from their authors' addresses.
        unpickle: whether checkpoints may hold more than tensors, which can run any code.
    """

    kind: Literal["pyiqa"] = "pyiqa"
    name: str
    options: dict[str, bool | int | float | str] = Field(default={})
    border: int = Field(default=0, ge=0)
    batch: int | None = Field(default=None, ge=1)
    device: str | None = None
    unload: bool = False
    unit: Unit | None = None
    deadline: Seconds = 600.0
    download: bool = False
    unpickle: bool = False


class _OwnSettings(Settings):
    """What the user has to say of a metric of theirs, for nobody else can.

    Attributes:
        direction: whether ``lower`` or ``higher`` is better.
        unit: a change worth speaking of.
        low: the lowest score there can be, ``null`` where there is none.
        high: the highest score there can be, ``null`` where there is none.
        reference: whether it compares with the ground truth.
        deadline: seconds that one image may take; for a command, one call of all images together.
    """

    direction: Direction
    unit: Unit
    low: Bound | None = None
    high: Bound | None = None
    reference: bool = False
    deadline: Seconds = 60.0


class PythonSettings(_OwnSettings):
    """A Python function (image) -> number, or (image, reference) -> number, on uint8 RGB arrays.

    Attributes:
        file: the Python file.
        function: name of the function in the file.
    """

    kind: Literal["python"] = "python"
    file: str = Field(min_length=1)
    function: str = Field(min_length=1)


class CommandSettings(_OwnSettings):
    """An executable that gets paths of PNG files and prints JSON.

    Attributes:
        command: the executable and its first arguments; no shell sees them.
    """

    kind: Literal["command"] = "command"
    command: tuple[str, ...] = Field(min_length=1)


MetricSettings = Annotated[PyIQASettings | PythonSettings | CommandSettings, Field(discriminator="kind")]
"""Any of them."""

SHIFTED = "shifted-efficientnet-lite0"
"""The perceptual guard that needs no download."""
PEOPLE: Mapping[str, MetricFacts] = {PREFERENCE: PREFERENCE_FACTS, RATING: RATING_FACTS}
"""Metrics that people give."""


COMPLETED = {"targets": ("direction", "unit"), "proxy": ("direction", "unit"), "constraints": ("unit",)}
"""Section of a goal -> what its entries may leave to the facts of their metric."""


def _free(metrics: dict[str, MetricSettings]) -> dict[str, MetricSettings]:
    for name in metrics:
        if name in METRICS or name in PEOPLE or name == SHIFTED:
            raise ValueError(f"the name {name!r} is taken by a built-in metric, choose another; found {name!r}")
    return metrics


MetricsSettings = Annotated[
    dict[Annotated[str, Field(pattern=NAME)], MetricSettings],
    AfterValidator(_free),
]
"""name -> metric, beside the built-in ones."""


def located_metrics(metrics: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The dumped section with absolute paths of files and executables."""
    located: dict[str, dict[str, Any]] = {}
    for name, settings in metrics.items():
        located[name] = dict(settings)
        if settings["kind"] == "python":
            located[name]["file"] = str(Path(settings["file"]).expanduser().absolute())
        elif settings["kind"] == "command":
            located[name]["command"] = list(located_command(settings["command"]))
    return located


def facts_in(metrics: object) -> Callable[[str], MetricFacts]:
    """What tells facts of metrics by name, without loading files or networks.

    Args:
        metrics: the section ``metrics`` as it was written, valid or not.

    Returns:
        name -> facts. It raises ``UnknownName``, ``MissingPackage`` (pyiqa) or ``Refused``.
    """
    own = cast("dict[str, object]", metrics) if isinstance(metrics, dict) else {}

    def facts_of(name: str) -> MetricFacts:
        if name in own:
            try:
                settings = TypeAdapter[MetricSettings](MetricSettings).validate_python(own[name])
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(("metrics", name, *(str(part) for part in first["loc"][1:])))
                wrong = "is required" if first["type"] == "missing" else first["msg"]
                raise Refused(f"{where}: {wrong}.") from None
            return _own_facts(name, settings)
        if name in PEOPLE:
            return PEOPLE[name]
        if name.startswith(FOREIGN):
            return PyIQA(name).facts
        return _built_in_facts(name)

    return facts_of


def completed_goal(raw: Mapping[str, Any], facts_of: Callable[[str], MetricFacts]) -> dict[str, Any]:
    """A goal in which targets and constraints that give no direction or unit have those of the metric's facts.

    What is given stays as it is, also where it is wrong: validation says so better.

    Args:
        raw: the section ``goal`` as it was written.
        facts_of: see :func:`facts_in`.

    Raises:
        Refused: a metric whose facts are needed and not known; the target is named.
    """
    goal = dict(raw)
    for section, keys in COMPLETED.items():
        entries = goal.get(section)
        if isinstance(entries, (list, tuple)):
            goal[section] = [
                _completed(entry, keys, facts_of, f"goal.{section}.{number}")
                for number, entry in enumerate(cast("list[object]", entries))
            ]
    return goal


def _completed(entry: object, keys: tuple[str, ...], facts_of: Callable[[str], MetricFacts], place: str) -> object:
    if not isinstance(entry, Mapping):
        return entry
    given = cast("Mapping[str, object]", entry)
    missing = [key for key in keys if key not in given]
    metric = given.get("metric")
    if not missing or not isinstance(metric, str):
        return dict(given)
    try:
        facts = facts_of(metric)
    except Refused as error:
        if not str(error).startswith(place):
            error.args = (f"{place}: {error}",)
        raise
    return {**given, **{key: getattr(facts, key) for key in missing}}


def _own_facts(name: str, settings: PyIQASettings | PythonSettings | CommandSettings) -> MetricFacts:
    if isinstance(settings, PyIQASettings):
        return PyIQA(settings.name, settings.options, unit=settings.unit).facts
    return own_facts(
        name=name,
        direction=settings.direction,
        unit=settings.unit,
        low=settings.low,
        high=settings.high,
        reference=settings.reference,
        options={},
    )


def _built_in_facts(name: str) -> MetricFacts:
    if name == SHIFTED:
        nothing = FeatureDistance(lambda images: {})  # facts do not look through the backbone
        return ShiftedPerceptual(nothing, name=SHIFTED, backbone="efficientnet-lite0", extent=2).facts
    try:
        return create(name).facts
    except MissingAsset:  # direction and unit are the same without the published weights
        return create(name, MetricOptions(weights="random")).facts
