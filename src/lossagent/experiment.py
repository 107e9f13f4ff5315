"""Every choice of a run as one frozen, validated value. Unknown keys are refused."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lossagent import checkpoints_data
from lossagent.agents.table import AgentSettings
from lossagent.chat.table import ChatSettings, EmbeddedSettings, ReplaySettings
from lossagent.errors import Refused, UnknownName
from lossagent.goal import Goal
from lossagent.training.settings import TrainingSettings
from lossagent.weights import Bounds, Weights

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""Names that become file names."""
LOSS_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
"""Names that also stand in ``l1:perceptual:gan=1.0:0.1:0.01``."""


class Settings(BaseModel):
    """A frozen part of an experiment."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkSettings(Settings):
    """A network.

    Attributes:
        network: ``compact``, ``swinir``, ... or an import path ``my.module:Net``.
        arguments: constructor arguments.
        start: checkpoint to start from: a path, or the name of one of ours (``compact_x4``).
        key: entry of the checkpoint that holds the weights; ``null`` looks for ``params_ema``, ``params``, ...
    """

    network: str
    arguments: dict[str, Any] = {}
    start: str | None = None
    key: str | None = None


class RestorerSettings(NetworkSettings):
    """The network that is trained, and how it is applied to whole images.

    Attributes:
        multiple: inputs are mirror-padded to a multiple of it.
        strictly_larger: pad to the next strictly larger multiple (SwinIR's way of testing).
        tile: side of a tile in input pixels for large images, ``null`` for whole images.
    """

    multiple: int = Field(default=1, ge=1)
    strictly_larger: bool = False
    tile: int | None = Field(default=None, ge=16)


class LossSettings(Settings):
    """A loss of the repository and its initial weight.

    Attributes:
        kind: ``l1``, ``mse``, ``charbonnier``, ``perceptual``, ``lpips``, ``adversarial``.
        weight: w_m of the first stage; 0 switches it off.
        backbone: feature network of ``perceptual`` and ``lpips``.
        weights: ``pretrained`` or ``random`` (named in the report) weights of the backbone.
        layers: layer -> weight, ``null`` for the published ones.
        adversarial: GAN criterion.
        discriminator: the opponent of ``adversarial``.
    """

    kind: str
    weight: float
    backbone: str | None = None
    weights: Literal["pretrained", "random"] = "pretrained"
    layers: dict[str, float] | None = None
    adversarial: str = "vanilla"
    discriminator: NetworkSettings | None = None


class ImagesSettings(Settings):
    """A set of images.

    Attributes:
        images: folders (or single files) of ground-truth images.
        low: folder of ready-made low-quality images, matched by name; without it they are made by ``degradation``.
        reference: ``false`` for a set that has low-quality images only (then ``images`` holds those).
        count: how many are drawn at random (by the experiment's seed, recorded), ``null`` for all.
        demo: part of the photographs that ship in Python packages, in place of ``images``.
    """

    images: tuple[str, ...] = ()
    low: str | None = None
    reference: bool = True
    count: int | None = Field(default=None, ge=1)
    demo: Literal["train", "feedback", "selection", "test"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:  # noqa: ANN401  (raw YAML)
        """A path or a list of paths may stand for the whole."""
        if isinstance(value, str):
            return {"images": [value]}
        return {"images": value} if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]

    @model_validator(mode="after")
    def _valid(self) -> ImagesSettings:
        if bool(self.images) == bool(self.demo):
            raise ValueError("an image set needs a folder of images (or demo: PART), and only one of them")
        return self


class DataSettings(Settings):
    """Training images and the sets of images kept apart.

    Attributes:
        train: what is trained on.
        feedback: the agent sees their scores.
        selection: they choose the checkpoint to keep; without them the last state is reported.
        test: name -> set that is reported and never used for a choice.
        degradation: how low-quality images are made.
        patch: side of a training patch in low-quality pixels.
        jitter: crops start at any pixel, not only at multiples of the scale (against grid artefacts).
        overlap: ``refuse`` photographs that stand in two sets, or take them as ``declared`` and report without them
            too.
        allow: pairs of image names that may resemble each other.
        cache: megabytes of decoded images kept in memory.
    """

    train: ImagesSettings
    feedback: ImagesSettings
    selection: ImagesSettings | None = None
    test: dict[Annotated[str, Field(pattern=NAME)], ImagesSettings] = {}
    degradation: Literal["bicubic"] = "bicubic"
    patch: int = Field(default=64, ge=8)
    jitter: bool = False
    overlap: Literal["refuse", "declared"] = "refuse"
    allow: tuple[tuple[str, str], ...] = ()
    cache: int = Field(default=4096, ge=16)


class Experiment(Settings):
    """A run, complete.

    Attributes:
        name: name of the run.
        seed: seed of data, draws and discriminators.
        scale: upscaling factor.
        restorer: the network that is trained.
        losses: the loss repository with the weights of the first stage.
        data: image sets.
        goal: what is wanted.
        guards: metrics that are measured and shown, never steered by.
        agent: who decides.
        chat: the language model, for agents that ask one.
        bounds: what answers are projected into.
        tolerance: metric -> change that counts as noise, in score units, where the noise is not estimable.
        training: how the stages are trained.
    """

    name: str = Field(pattern=NAME)
    seed: int = Field(default=0, ge=0, lt=2**63)
    scale: int = Field(default=4, ge=1)
    restorer: RestorerSettings
    losses: Annotated[dict[Annotated[str, Field(pattern=LOSS_NAME)], LossSettings], Field(min_length=1)]
    data: DataSettings
    goal: Goal
    guards: tuple[str, ...] = ()
    agent: AgentSettings
    chat: ChatSettings | None = None
    bounds: Bounds = Bounds()
    tolerance: dict[str, float] = {}
    training: TrainingSettings = TrainingSettings()

    @model_validator(mode="after")
    def _names(self) -> Experiment:
        scored = {t.metric for t in self.goal.targets} | {c.metric for c in self.goal.constraints} | set(self.guards)
        for metric, value in self.tolerance.items():
            if metric not in scored:
                raise UnknownName("metric of tolerance (a target, constraint or guard)", metric, scored)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"tolerance of {metric!r} must be a finite number >= 0; found {value}")
        for name in (*self.bounds.frozen, *self.bounds.per_loss):
            if name not in self.losses:
                raise UnknownName("loss of bounds", name, self.losses)
        return self

    @property
    def initial(self) -> Weights:
        """The weights of the first stage."""
        return Weights.of({name: loss.weight for name, loss in self.losses.items()})

    def dump(self) -> dict[str, Any]:
        """Plain data for ``experiment.yaml``; :func:`parse` reads it back."""
        return self.model_dump(mode="json")


def parse(data: Mapping[str, Any]) -> Experiment:
    """An experiment from plain data.

    Raises:
        Refused: every problem, each with its key, what was wanted and what was found.
    """
    try:
        experiment = Experiment.model_validate(data)
        experiment.initial  # noqa: B018  (a weight that is NaN or negative is refused here)
    except ValidationError as error:
        problems = [_sentence(e["loc"], e["msg"], e.get("input"), e["type"]) for e in error.errors()]
        raise Refused("the experiment cannot be run:\n" + "\n".join(f"  {p}" for p in problems)) from None
    return experiment


def load(path: Path, overrides: Sequence[str] = ()) -> Experiment:
    """An experiment from a YAML file, with dotted overrides such as ``training.stages=8``.

    Raises:
        Refused: no such file, not YAML, or anything :func:`parse` refuses.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refused(f"experiment {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Refused(f"experiment {path} is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise Refused(f"experiment {path} must be a mapping of keys; found {type(data).__name__}.")
    return parse(override(data, overrides))  # pyright: ignore[reportUnknownArgumentType]


def located(experiment: Experiment) -> Experiment:
    """The experiment with absolute paths: a run folder is enough to go on from any directory."""
    data = experiment.dump()

    def absolute(path: str) -> str:
        return str(Path(path).expanduser().absolute())

    sets = [data["data"]["train"], data["data"]["feedback"], *data["data"]["test"].values()]
    for images in (*sets, data["data"]["selection"]):
        if images is not None:
            images["images"] = [absolute(path) for path in images["images"]]
            images["low"] = absolute(images["low"]) if images["low"] is not None else None
    networks = [data["restorer"], *(loss["discriminator"] for loss in data["losses"].values())]
    for network in networks:
        if network is not None and network["start"] is not None and network["start"] not in checkpoints_data.NAMES:
            network["start"] = absolute(network["start"])
    match experiment.chat:
        case ReplaySettings(run=run):
            data["chat"]["run"] = absolute(str(run))
        case EmbeddedSettings(model=model) if model.endswith(".gguf"):
            data["chat"]["model"] = absolute(model)
        case _:
            pass
    return parse(data)


def override(data: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A copy of nested data with ``key.sub=value`` applied; values are read as YAML.

    Raises:
        Refused: an override without "=", or a path through something that is no mapping.
    """
    result: dict[str, Any] = yaml.safe_load(yaml.safe_dump(dict(data), sort_keys=False))
    for text in overrides:
        path, separator, value = text.partition("=")
        if not separator or not path:
            raise Refused(f"an override must look like key.sub=value; found {text!r}.")
        *parents, last = path.split(".")
        place = result
        for key in parents:
            inner = place.setdefault(key, {})
            if not isinstance(inner, dict):
                raise Refused(f"override {text!r}: {key!r} is no mapping.")
            place = inner  # pyright: ignore[reportUnknownVariableType]
        try:
            place[last] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise Refused(f"override {text!r}: the value is not YAML ({error}).") from error
    return result


def _sentence(location: tuple[int | str, ...], message: str, found: object, kind: str) -> str:
    where = ".".join(str(part) for part in location) or "experiment"
    if kind == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else (f" Known: {', '.join(known)}." if known else "")
        return f"{where}: unknown key.{hint}"
    message = message.removeprefix("Value error, ")
    if not location:  # a rule about the whole; its message says what was found
        return message
    shown = re.sub(r"\s+", " ", repr(found))
    return f"{where}: {message}; found {shown[:80]}"


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """Names of the fields at a place of the experiment, followed through its types as far as they go."""
    current: Any = Experiment
    kinds: Any = None
    for part in location:
        fields: dict[str, Any] = getattr(current, "model_fields", {})
        if part in fields:
            kinds = fields[str(part)].annotation
            current = _model_in(kinds)
        elif (named := _model_in(kinds, str(part))) is not None:  # the kind that picked a member of a union
            current = named
        elif not fields:
            return []
    return sorted(getattr(current, "model_fields", {}))


def _model_in(annotation: Any, kind: str | None = None) -> Any:  # noqa: ANN401  (a type expression)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        own = annotation.model_fields.get("kind")
        return annotation if kind is None or (own is not None and own.default == kind) else None
    for part in reversed(getattr(annotation, "__args__", ())):
        if (inner := _model_in(part, kind)) is not None:
            return inner
    return None
