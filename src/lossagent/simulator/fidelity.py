"""How far a response model can be trusted: whole arms and whole seeds are held out and predicted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from lossagent.errors import Refused
from lossagent.records import Record
from lossagent.simulator.fitting import FEWEST_RUNS, fit, without
from lossagent.simulator.model import Model
from lossagent.simulator.ordering import ArmOrder, arm_order
from lossagent.simulator.recorded import Recorded
from lossagent.simulator.transitions import Array, Transitions, transitions_of

NORMAL_90 = 1.6449
"""Half the width of the central 90 % of a normal distribution, in standard deviations."""
Held = Literal["arm", "seed"]


class Line(Record):
    """One score, predicted one stage ahead in runs that the fit had not seen.

    Attributes:
        held: what was held out whole.
        score: ``feedback/niqe``.
        stages: how many were predicted.
        r2: share of the variance of the change that is predicted; below 0 a constant would do better.
        beyond_drift: share of what a model without the weights leaves open that the weights explain; at or below 0
            the recorded weights say nothing.
        rank: Spearman correlation of predicted and recorded change, ``None`` where one of them never varies.
        coverage: share of changes inside the 90 % interval.
    """

    held: Held
    score: str
    stages: int
    r2: float
    beyond_drift: float
    rank: float | None
    coverage: float


class Fidelity(Record):
    """What was found.

    Attributes:
        lines: one a score and kind of hold-out.
        order: how the arms rank, each predicted without it; ``None`` with fewer than two arms.
        notes: what could not be checked.
    """

    lines: tuple[Line, ...]
    order: ArmOrder | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Fold:
    """What was held out, and models of the rest."""

    held: set[int]
    model: Model
    weightless: Model


def check(recorded: Recorded) -> Fidelity:
    """Holds out each arm and each seed in turn.

    Raises:
        Refused: neither can be held out.
    """
    folds = {kind: list(_folds(recorded, kind)) for kind in ("arm", "seed")}
    notes = [
        f"no {kind} can be held out: there is one, or too few runs are left without it."
        for kind, found in folds.items()
        if not found
    ]
    if len(notes) == len(folds):
        raise Refused("the model cannot be checked: " + " ".join(notes))
    lines: list[Line] = []
    for kind in ("arm", "seed"):
        if folds[kind]:
            lines += _lines(recorded, kind, folds[kind])
    order = arm_order(recorded, [(f.held, f.model) for f in folds["arm"]]) if len(folds["arm"]) > 1 else None
    return Fidelity(lines=tuple(lines), order=order, notes=tuple(notes))


def _folds(recorded: Recorded, kind: Held) -> Iterator[_Fold]:
    names = [one.arm if kind == "arm" else one.seed for one in recorded.outcomes]
    for name in dict.fromkeys(names):
        held = {i for i, other in enumerate(names) if other == name}
        rest = without(recorded, held)
        if len(rest.outcomes) >= FEWEST_RUNS and len(held) < len(names):
            try:
                yield _Fold(held, fit(rest, scores=True), fit(rest, weightless=True, scores=True))
            except Refused:  # too few different stages are left
                continue


def _lines(recorded: Recorded, kind: Held, folds: Sequence[_Fold]) -> list[Line]:
    """Predictions of all folds together, one line a score."""
    found: dict[str, list[tuple[Array, Array, Array, Array]]] = {}
    for fold in folds:
        channels = fold.model.channels
        data = transitions_of([recorded.outcomes[i] for i in sorted(fold.held)], recorded.setting.bounds, channels)
        unseen = _unseen(recorded, fold.held, data)
        actual = (data.after - data.before)[unseen]
        full, drift = (_predicted(model, data, unseen) for model in (fold.model, fold.weightless))
        for column, channel in enumerate(channels):
            known = np.isfinite(actual[:, column]) & np.isfinite(full[:, column])
            if channel.is_score and known.any():
                miss = np.abs(actual[known, column] - full[known, column])
                inside = (miss <= NORMAL_90 * fold.model.spreads[column]).astype(np.float64)
                parts = (actual[known, column], full[known, column], drift[known, column], inside)
                found.setdefault(channel.key, []).append(parts)
    return [_line(kind, key, [np.concatenate(p) for p in zip(*parts, strict=True)]) for key, parts in found.items()]


def _unseen(recorded: Recorded, held: set[int], data: Transitions) -> NDArray[np.bool_]:
    """(n,) whether a held-out stage is none that the other runs of its seed went through as well."""
    rest = transitions_of(without(recorded, held).outcomes, recorded.setting.bounds, data.channels[:1])
    known = set(zip(rest.seed.tolist(), rest.path, strict=True))
    return np.array([(s, p) not in known for s, p in zip(data.seed.tolist(), data.path, strict=True)], dtype=np.bool_)


def _predicted(model: Model, data: Transitions, rows: NDArray[np.bool_]) -> Array:
    """(rows, c) predicted changes from the recorded parents."""
    order = [model.channels.index(c) if c in model.channels else -1 for c in data.channels]
    found = [
        model.expected(data.x[i], data.before[i], data.previous[i], int(data.depth[i]), data.start[i])[order]
        - data.before[i]
        for i in np.flatnonzero(rows)
    ]
    return np.array(found, dtype=np.float64).reshape(-1, len(data.channels))


def _line(kind: Held, key: str, parts: Sequence[Array]) -> Line:
    actual, full, drift, inside = parts
    total, missed = float(np.sum((actual - actual.mean()) ** 2)), float(np.sum((actual - full) ** 2))
    other = float(np.sum((actual - drift) ** 2))
    varies = len(actual) > 2 and float(np.ptp(actual)) > 0 and float(np.ptp(full)) > 0
    return Line(
        held=kind,
        score=key,
        stages=len(actual),
        r2=1 - missed / total if total > 0 else math.nan,
        beyond_drift=1 - missed / other if other > 0 else math.nan,
        rank=float(spearmanr(actual, full).statistic) if varies else None,
        coverage=float(inside.mean()),
    )
