"""Rows of a table from what a command line says: runs, checkpoint files, baselines, folders of images."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError, safe_open

from lossagent import checkpoints_data
from lossagent.build.networks import chosen_state, foreign_application, network_of_run, start_file
from lossagent.errors import Refused
from lossagent.evaluation.methods import BicubicMethod, FolderMethod, InputMethod, Method, NetworkMethod
from lossagent.experiment import load
from lossagent.restorers import build, load_into
from lossagent.restorers.foreign import load_foreign
from lossagent.restorers.tables import RESTORERS
from lossagent.runs import is_run
from lossagent.training.pictures import Application

IMAGES = "images:"


@dataclass(frozen=True)
class Reading:
    """How checkpoint files are read and networks applied.

    Attributes:
        state: state of a run where the method names none.
        network, arguments, key: of checkpoint files that do not say it themselves.
        scale: wanted factor, ``None`` where methods decide.
        multiple: inputs are padded to a multiple of it, ``None`` for the network's own.
        tile, overlap: for large images, ``None`` for the network's own.
        device: where networks run.
    """

    state: str
    network: str | None
    arguments: Mapping[str, Any]
    key: str | None
    scale: int | None
    multiple: int | None
    tile: int | None
    overlap: int
    device: torch.device

    def applied(self, application: Application) -> Application:
        """How a network is applied, with what the command line says of it."""
        if self.multiple is not None:
            application = replace(application, multiple=self.multiple)
        if self.tile is None:
            return application
        if self.tile % application.multiple or self.tile - self.overlap < application.multiple:
            raise Refused(
                f"--tile must be a multiple of {application.multiple}, what inputs are padded to, and exceed --overlap "
                f"by at least as much; found --tile {self.tile}, --overlap {self.overlap}."
            )
        return replace(application, tile=self.tile, overlap=self.overlap)


@dataclass(frozen=True)
class Named:
    """A method before it is opened: ``LABEL=WHAT@STATE``."""

    label: str | None
    what: str
    state: str | None

    @classmethod
    def parse(cls, text: str) -> Named:
        """Splits a label and a state off, unless the whole is a file or folder that is there."""
        label, what = None, text
        if not Path(text).exists() and "=" in text:
            label, _, what = text.partition("=")
        if (not label and label is not None) or not what:
            raise Refused(f"a method must be written METHOD or LABEL=METHOD; found {text!r}.")
        state = None
        if not Path(what).exists() and "@" in what and Path(what.rpartition("@")[0]).is_dir():
            what, _, state = what.rpartition("@")
        return cls(label, what, state)

    @property
    def run(self) -> Path | None:
        """The run folder, if it is one."""
        path = Path(self.what)
        return path if path.is_dir() and is_run(path) else None


def open_method(named: Named, reading: Reading, scale: int) -> Method:
    """The method that is meant.

    Args:
        named: what the command line says.
        reading: how checkpoints are read.
        scale: of the evaluation, for baselines and checkpoint files that do not say theirs.

    Raises:
        Refused: nothing of that kind, or a checkpoint that does not say which network it belongs to.
        MissingPackage: a foreign checkpoint, and spandrel is not installed.
    """
    if named.what == "bicubic":
        return BicubicMethod(scale, named.label or "bicubic")
    if named.what == "input":
        return InputMethod(named.label or "input")
    if named.what.startswith(IMAGES):
        folder = Path(named.what.removeprefix(IMAGES))
        if not folder.is_dir():
            raise Refused(f"method {named.what!r}: there is no folder {folder}.")
        return FolderMethod(named.label or folder.name, folder)
    if named.run is not None:
        return _run(named, named.run, reading)
    if Path(named.what).is_dir():
        raise Refused(f"{named.what} is no run folder. For restored images write {IMAGES}{named.what}.")
    return _checkpoint(named, reading, scale)


def _run(named: Named, run: Path, reading: Reading) -> NetworkMethod:
    which = named.state or reading.state
    network, application = network_of_run(run, which)
    experiment = load(run / "experiment.yaml")
    label = named.label or (f"{run.name}@{which}" if which != "selected" else run.name)
    objective = tuple(target.metric for target in experiment.goal.targets)
    state = chosen_state(run, which)
    if state.id == 0:  # nothing was steered yet
        objective = ()
    about = f"run {run.name}, {which} state S{state.id}"
    return NetworkMethod(label, network, reading.applied(application), about, objective, reading.device)


def _checkpoint(named: Named, reading: Reading, scale: int) -> NetworkMethod:
    """One of ours by name, a file that says its network, one that the command line says it of, or a foreign one."""
    file = start_file(named.what)
    if not file.is_file():
        raise Refused(
            f"method {named.what!r} is no run folder, checkpoint file, bicubic, input, {IMAGES}FOLDER or one of "
            f"{', '.join(checkpoints_data.NAMES)}."
        )
    label = named.label or file.stem
    said = known(file)
    if said is None and reading.network is not None:
        said = Known(reading.network, reading.arguments, scale)
    if said is not None:
        network = build(said.network, said.arguments)
        load_into(network, file, reading.key)
        application = Application(said.scale or scale, said.multiple, said.strict)
        return NetworkMethod(
            label, network, reading.applied(application), f"checkpoint {file.name}", (), reading.device
        )
    foreign = load_foreign(file)
    application = reading.applied(foreign_application(foreign))
    about = f"checkpoint {file.name}, {foreign.architecture} through spandrel"
    return NetworkMethod(label, foreign.network, application, about, (), reading.device)


@dataclass(frozen=True)
class Known:
    """What a checkpoint says of itself, or the command line of it.

    Attributes:
        network, arguments: see :func:`lossagent.restorers.build`.
        scale: ``None`` where it is not said.
    """

    network: str
    arguments: Mapping[str, Any]
    scale: int | None

    multiple_said: int | None = None

    @property
    def multiple(self) -> int:
        """Inputs are padded to a multiple of it: SwinIR's windows, PromptIR's three halvings."""
        return self.multiple_said or {"swinir": 8, "promptir": 8}.get(self.network, 1)

    @property
    def strict(self) -> bool:
        """SwinIR is tested with padding to the next strictly larger multiple."""
        return self.network == "swinir"


def known(file: Path) -> Known | None:
    """What a checkpoint of ours says of itself: facts beside it under the same name, or in its header."""
    facts = _facts(file)
    name = facts.get("network")
    if not isinstance(name, str):
        return None
    by_class = {kind.__name__: key for key, kind in RESTORERS.items()}
    network = by_class.get(name, name)
    if network not in RESTORERS:
        return None
    arguments = facts.get("network_arguments")
    if not isinstance(arguments, Mapping):
        accepted = inspect.signature(RESTORERS[network]).parameters
        arguments = {k: v for k, v in facts.items() if k in accepted}
    scale, training = facts.get("scale"), facts.get("arguments")
    multiple = training.get("multiple") if isinstance(training, Mapping) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return Known(
        network,
        dict(arguments),  # pyright: ignore[reportUnknownArgumentType]
        scale if isinstance(scale, int) else None,
        multiple if isinstance(multiple, int) else None,
    )


def _facts(file: Path) -> dict[str, Any]:
    beside = file.with_suffix(".json")
    if beside.is_file():
        try:
            loaded = json.loads(beside.read_text(encoding="utf-8"))
        except ValueError:
            loaded = None
        if isinstance(loaded, dict):
            return {str(k): v for k, v in loaded.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if file.suffix != ".safetensors":
        return {}
    try:
        with safe_open(file, framework="pt") as opened:
            header: dict[str, str] = opened.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise Refused(f"weights {file} cannot be read; the file is damaged or of another kind. ({error})") from error
    if "network" not in header:
        return {}
    try:
        return {**header, "network_arguments": json.loads(header.get("arguments", "{}")), "arguments": None}
    except ValueError:
        return {}


def parsed_arguments(text: str | None) -> dict[str, Any]:
    """Constructor arguments written as YAML, ``{upscale: 4, dim: 60}``.

    Raises:
        Refused: no mapping.
    """
    if text is None:
        return {}
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Refused(f"--arguments must be a mapping such as '{{upscale: 4}}'; found {text!r} ({error}).") from error
    if not isinstance(loaded, dict):
        raise Refused(f"--arguments must be a mapping such as '{{upscale: 4}}'; found {text!r}.")
    return {str(k): v for k, v in loaded.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
