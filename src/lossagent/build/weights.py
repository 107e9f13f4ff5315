"""What of a run was not trained in it."""

from __future__ import annotations

from lossagent import assets, checkpoints_data
from lossagent.build.networks import start_file
from lossagent.chat import EmbeddedSettings
from lossagent.experiment import Experiment


def foreign_weights(experiment: Experiment) -> dict[str, dict[str, str]]:
    """Purpose -> file, sha256, source, licence of weights that a run begins with or looks through."""
    starts = {"restorer": experiment.restorer.start}
    backbones: dict[str, str | None] = {}
    for name, loss in experiment.losses.items():
        if loss.discriminator is not None:
            starts[f"discriminator {name}"] = loss.discriminator.start
        if loss.weights == "pretrained":
            backbones[f"loss {name}"] = "vgg16" if loss.kind == "dists" else loss.backbone
    if isinstance(experiment.chat, EmbeddedSettings):
        backbones["language model"] = experiment.chat.model
    weights = {purpose: _start(start) for purpose, start in starts.items() if start is not None}
    return weights | {purpose: _asset(n) for purpose, n in backbones.items() if n is not None and n in assets.ASSETS}


def _start(start: str) -> dict[str, str]:
    if start in assets.ASSETS:
        return _asset(start)
    file, ours = start_file(start), start in checkpoints_data.NAMES
    return {
        "file": file.name,
        "sha256": assets.sha256(file),
        "source": "lossagent" if ours else "given by path",
        "licence": "Apache-2.0" if ours else "",
    }


def _asset(name: str) -> dict[str, str]:
    entry = assets.asset(name)
    return {
        "file": entry.file,
        "sha256": assets.known_digest(entry),
        "source": entry.origin,
        "licence": entry.licence,
    }
