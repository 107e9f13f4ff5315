"""Recorded stages as arrays: what a state was, under which weights it was trained, and what became of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lossagent.agents.anchor import anchor_of
from lossagent.records import State
from lossagent.simulator.channels import Channel, values_of
from lossagent.study.outcome import Outcome
from lossagent.weights import Bounds, Weights

Array = NDArray[np.float64]
Path = tuple[str, ...]
OFF = math.log(10.0)
"""A loss that is off counts as one weighted so much (in natural logarithms) below the smallest weight recorded."""


@dataclass(frozen=True)
class Space:
    """The losses whose weights can differ, as log-ratios to the anchor.

    Attributes:
        anchor: the loss that ratios are taken to.
        names: the others, in order.
    """

    anchor: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, weights: Weights, bounds: Bounds) -> Space:
        """The space of a run: all losses but the anchor of its agents."""
        anchor = anchor_of(weights, bounds)
        return cls(anchor, tuple(n for n in weights.names if n != anchor))

    def ratios(self, weights: Weights) -> Array:
        """(p,) log-ratios; -inf for a loss that is off."""
        base = math.log(weights.magnitudes[self.anchor])
        return np.array([math.log(w) - base if (w := weights[n]) > 0 else -math.inf for n in self.names])


@dataclass(frozen=True)
class Transitions:
    """Stages of recorded runs, each once: runs of one seed share the stages that they began alike.

    Attributes:
        space: of the log-ratios.
        channels: names of the columns (c).
        x: (n, p) log-ratios, -inf where a loss is off.
        before, after: (n, c) values of the parent and of the state; NaN where they were not recorded.
        start: (n, c) values of S_0 of the same run.
        previous: (n, c) change that led to the parent, 0 where the parent is S_0.
        depth: (n,) of the state.
        window: (n,) the same number for stages trained on the same data: same seed, depth and replicate.
        run, arm, seed: (n,) the run, its arm and its seed; for a stage that several runs share, those of the first.
        path: (n,) what the state was trained under, stage by stage; with the seed it names the state.
    """

    space: Space
    channels: tuple[Channel, ...]
    x: Array
    before: Array
    after: Array
    start: Array
    previous: Array
    depth: NDArray[np.int64]
    window: NDArray[np.int64]
    run: NDArray[np.int64]
    arm: tuple[str, ...]
    seed: NDArray[np.int64]
    path: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.depth)


def transitions_of(outcomes: Sequence[Outcome], bounds: Bounds, channels: Sequence[Channel] = ()) -> Transitions:
    """The stages of finished runs of the same losses.

    Args:
        outcomes: at least one.
        bounds: they name the anchor.
        channels: the columns wanted; by default every number that the runs recorded.
    """
    space = Space.of(outcomes[0].initial, bounds)
    values = [{s.id: values_of(s, o.selection.get(s.id)) for s in o.states} for o in outcomes]
    every = tuple(dict.fromkeys(c for run in values for state in run.values() for c in state))
    columns = tuple(channels) or every
    rows: list[dict[str, object]] = []
    paths: list[Path] = []
    windows: dict[tuple[int, int, int], int] = {}
    known: set[tuple[int, Path]] = set()
    for number, (outcome, run) in enumerate(zip(outcomes, values, strict=True)):
        for state, path in _stages(outcome):
            if (outcome.seed, path) in known:
                continue
            known.add((outcome.seed, path))
            paths.append(path)
            assert state.parent is not None
            assert state.decision is not None
            parent = outcome.states[state.parent]
            before = _row(run[parent.id], columns)
            earlier = _row(run[parent.parent], columns) if parent.parent is not None else before
            key = (outcome.seed, state.depth, state.decision.replicate)
            rows.append(
                {
                    "x": space.ratios(state.decision.weights),
                    "before": before,
                    "after": _row(run[state.id], columns),
                    "start": _row(run[0], columns),
                    "previous": before - earlier,
                    "depth": state.depth,
                    "window": windows.setdefault(key, len(windows)),
                    "run": number,
                    "arm": outcome.arm,
                    "seed": outcome.seed,
                }
            )
    width = {"x": len(space.names)}

    def stacked(name: str) -> Array:
        return np.array([row[name] for row in rows], dtype=np.float64).reshape(-1, width.get(name, len(columns)))

    def numbers(name: str) -> NDArray[np.int64]:
        return np.array([row[name] for row in rows], dtype=np.int64)

    return Transitions(
        space=space,
        channels=columns,
        x=stacked("x"),
        before=stacked("before"),
        after=stacked("after"),
        start=stacked("start"),
        previous=stacked("previous"),
        depth=numbers("depth"),
        window=numbers("window"),
        run=numbers("run"),
        arm=tuple(str(row["arm"]) for row in rows),
        seed=numbers("seed"),
        path=tuple(paths),
    )


def _row(values: dict[Channel, float], columns: Sequence[Channel]) -> Array:
    return np.array([values.get(c, math.nan) for c in columns], dtype=np.float64)


def _stages(outcome: Outcome) -> Iterator[tuple[State, Path]]:
    """The scored states after S_0, each with what it was trained under, stage by stage."""
    paths: dict[int, Path] = {0: ()}
    for state in outcome.states[1:]:
        if state.decision is None or state.parent is None or state.parent not in paths:
            continue
        paths[state.id] = (*paths[state.parent], step_key(state.decision.weights, state.decision.replicate))
        if state.feedback is not None:
            yield state, paths[state.id]


def step_key(weights: Weights, replicate: int) -> str:
    """Names a stage among those that start from the same state."""
    return f"{weights}/{replicate}"
