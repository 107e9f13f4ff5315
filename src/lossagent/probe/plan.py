"""The runs of a probe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lossagent.errors import Refused
from lossagent.experiment import Experiment, parse
from lossagent.experiment.unasked import unasked
from lossagent.probe.settings import spread_settings
from lossagent.weights import Weights

SETTING, REPEAT = "setting", "repeat"


@dataclass(frozen=True)
class Plan:
    """What is run, and why.

    Attributes:
        experiment: what is probed.
        settings: name -> weights of the runs that differ in them, the initial ones first; one seed.
        repeats: names of the runs under the initial weights with other seeds.
        runs: name -> experiment of every run, in order.
        stages: of each.
    """

    experiment: Experiment
    settings: Mapping[str, Weights]
    repeats: tuple[str, ...]
    runs: Mapping[str, Experiment]
    stages: int

    @property
    def iterations(self) -> int:
        """Optimizer steps in all, warm-up included."""
        training = self.experiment.training
        return len(self.runs) * (self.stages * training.iterations + training.warmup)


def plan_of(experiment: Experiment, settings: int = 6, repeats: int = 4, stages: int = 3) -> Plan:
    """The runs that a probe makes.

    Settings share their seed and so their data; repeats have the next seeds. Nobody is asked in a probe, and only the
    feedback images are scored.

    Args:
        experiment: what is probed; its agent plays no part.
        settings: how many weights are tried, the initial ones among them.
        repeats: how many more runs the initial weights get, >= 2.
        stages: of each run.

    Raises:
        Refused: too few of any; nothing that can move; a goal without a number.
    """
    if repeats < 2:
        raise Refused(f"repeats must be at least 2, else nobody knows the noise of training; found {repeats}.")
    if stages < 1:
        raise Refused(f"stages must be at least 1; found {stages}.")
    experiment.goal.require_utility("a probe")
    weights = spread_settings(experiment.initial, experiment.bounds, settings)
    named = {f"{SETTING}-{i}": one for i, one in enumerate(weights)}
    again = {f"{REPEAT}-{i}": experiment.seed + i for i in range(1, repeats + 1)}
    runs = {name: _run(experiment, name, one, experiment.seed, stages) for name, one in named.items()}
    runs |= {name: _run(experiment, name, experiment.initial, seed, stages) for name, seed in again.items()}
    return Plan(experiment, named, tuple(again), runs, stages)


def _run(experiment: Experiment, name: str, weights: Weights, seed: int, stages: int) -> Experiment:
    data = unasked(experiment.dump())
    limits = data["goal"]["constraints"]
    data["guards"] = list(dict.fromkeys([*data["guards"], *(c["metric"] for c in limits)]))
    # Limits are looked at afterwards, all settings side by side; nothing is chosen here.
    data["goal"]["constraints"] = []
    for loss, weight in weights.values().items():
        data["losses"][loss]["weight"] = weight
    data["data"] |= {"selection": None, "test": {}}
    data["training"] |= {"stages": stages, "keep": 1}
    data |= {"name": f"{experiment.name}-{name}", "seed": seed, "agent": {"kind": "fixed"}, "fixed_run": None}
    return parse(data)
