"""Experiments that ask nobody: no language model, no reviewer, no people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lossagent.experiment.metrics import PEOPLE


def unasked(data: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data of an experiment without anybody who is asked, and without aims and limits that people's answers give.

    Where people's answers were the only aim, a wish stands in.

    Args:
        data: as :meth:`lossagent.experiment.Experiment.dump` gives it.
    """
    goal = dict(data["goal"])
    for key in ("targets", "constraints", "proxy"):
        goal[key] = [part for part in goal[key] if part["metric"] not in PEOPLE]
    if not (goal["targets"] or goal["wish"]):
        goal["wish"] = "what people prefer"
    return {
        **data,
        "goal": goal,
        "guards": [name for name in data["guards"] if name not in PEOPLE],
        "tolerance": {name: value for name, value in data["tolerance"].items() if name not in PEOPLE},
        "chat": None,
        "people": None,
        "reviewers": {},
    }
