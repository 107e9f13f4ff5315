"""Experiments from YAML and plain data, with overrides, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from lossagent.assets import ASSETS
from lossagent.chat.table import EmbeddedSettings, ReplaySettings
from lossagent.checkpoints_data import NAMES
from lossagent.errors import Refused
from lossagent.experiment.complaints import complaints
from lossagent.experiment.metrics import located_metrics
from lossagent.experiment.whole import Experiment
from lossagent.runs import EXPERIMENT, LOOP


def parse(data: Mapping[str, Any]) -> Experiment:
    """An experiment from plain data.

    Raises:
        Refused: every problem, each with its key, what was wanted and what was found.
    """
    try:
        experiment = Experiment.model_validate(data)
        experiment.agent.fits(experiment.initial)  # a weight that is NaN or negative is refused here, too
    except ValidationError as error:
        raise Refused("the experiment cannot be run:\n" + "\n".join(f"  {p}" for p in complaints(error))) from None
    return experiment


def load(path: Path, overrides: Sequence[str] = ()) -> Experiment:
    """An experiment from a YAML file, with dotted overrides such as ``training.stages=8``.

    Raises:
        Refused: no such file, not YAML, or anything :func:`parse` refuses; a run whose training is somebody else's.
    """
    if path.name == EXPERIMENT and (path.parent / LOOP).exists() and not path.exists():
        raise Refused(
            f"{path.parent} is the run of a loop of your own: there is no {EXPERIMENT} here to train, restore or "
            f"evaluate by. Its settings are in {LOOP}, and that loop goes on with it."
        )
    return parse(override(read_yaml(path, "experiment"), overrides))


def read_yaml(path: Path, what: str) -> dict[str, Any]:
    """A mapping from a YAML file.

    Args:
        path: the file.
        what: what it should be, for the message.

    Raises:
        Refused: it cannot be read, or is no mapping.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refused(f"{what} {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Refused(f"{what} {path} is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise Refused(f"{what} {path} must be a mapping of keys; found {type(data).__name__}.")
    return {str(key): value for key, value in data.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def located(experiment: Experiment) -> Experiment:
    """The experiment with absolute paths: a run folder is enough to go on from any directory."""
    data = experiment.dump()

    def absolute(path: str) -> str:
        return str(Path(path).expanduser().absolute())

    sets = [data["data"]["train"], data["data"]["feedback"], data["data"]["selection"], *data["data"]["test"].values()]
    for images in (part for one in sets for part in (one if isinstance(one, list) else [one])):
        if images is not None:
            images["images"] = [absolute(path) for path in images["images"]]
            images["low"] = absolute(images["low"]) if images["low"] is not None else None
            _locate_depth(images["degradation"], absolute)
    _locate_depth(data["data"]["degradation"], absolute)
    known = {*NAMES, *ASSETS}
    networks = [data["restorer"], *(loss["discriminator"] for loss in data["losses"].values())]
    for network in networks:
        if network is not None and network["start"] is not None and network["start"] not in known:
            network["start"] = absolute(network["start"])
    data["metrics"] = located_metrics(data["metrics"])
    for reviewer in data["reviewers"].values():
        if reviewer["kind"] == "co-instruct" and Path(reviewer["model"]).is_dir():
            reviewer["model"] = absolute(reviewer["model"])
    if experiment.fixed_run is not None:
        data["fixed_run"] = absolute(data["fixed_run"])
    match experiment.chat:
        case ReplaySettings(run=run):
            data["chat"]["run"] = absolute(str(run))
        case EmbeddedSettings(model=model) if model.endswith(".gguf"):
            data["chat"]["model"] = absolute(model)
        case _:
            pass
    return parse(data)


def _locate_depth(degradation: dict[str, Any] | None, absolute: Callable[[str], str]) -> None:
    if degradation is not None and degradation.get("depth") is not None:
        degradation["depth"] = absolute(degradation["depth"])


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
