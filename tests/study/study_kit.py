"""A study of runs that take a second, and outcomes without what may differ from machine to machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from lossagent.runs import canonical
from lossagent.study.outcome import Outcome, read_outcomes
from tiny import experiment

ARMS: dict[str, Any] = {"fixed": {"agent": {"kind": "fixed"}}, "random": {"agent": {"kind": "random"}}}


def written(root: Path, base: dict[str, Any] | None = None, **changes: Any) -> Path:
    """Writes ``study.yaml`` and the experiment beside it; ``base`` changes top-level keys of the experiment."""
    tiny = experiment(root)
    tiny |= {"training": tiny["training"] | {"stages": 2, "iterations": 4, "warmup": 2, "partial_every": 3}} | (
        base or {}
    )
    (root / "base.yaml").write_text(yaml.safe_dump(tiny, sort_keys=False), encoding="utf-8")
    study = {"name": "tiny", "experiment": "base.yaml", "seeds": [0, 1], "arms": ARMS} | changes
    file = root / "study.yaml"
    file.write_text(
        yaml.safe_dump({k: v for k, v in study.items() if v is not None}, sort_keys=False), encoding="utf-8"
    )
    return file


def timeless(outcome: Outcome) -> dict[str, Any]:
    """An outcome without seconds."""
    data = json.loads(outcome.model_dump_json(exclude={"states"}))
    data["states"] = [canonical(state) for state in outcome.states]
    data["cost"] = {key: value for key, value in data["cost"].items() if not key.endswith("seconds")}
    return data


def results(study: Path) -> dict[str, dict[str, Any]]:
    """Run -> its outcome without seconds."""
    return {f"{o.objective}/{o.arm}/{o.seed}": timeless(o) for o in read_outcomes(study)}
