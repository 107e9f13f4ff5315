"""Fits a response model to recorded runs."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from lossagent.errors import Refused
from lossagent.feedback import Feedback
from lossagent.simulator.channels import FEEDBACK, SELECTION, Channel
from lossagent.simulator.features import HISTORY, Scale, history_columns, scale_of, weight_columns
from lossagent.simulator.images import images_of
from lossagent.simulator.model import Model, Response
from lossagent.simulator.noise_model import shared_part, spread_and_correlation
from lossagent.simulator.readout import readouts_of
from lossagent.simulator.recorded import Recorded
from lossagent.simulator.regression import Design, cross_validated
from lossagent.simulator.transitions import Array, Transitions, transitions_of
from lossagent.study.outcome import Outcome

FEWEST_RUNS, FEWEST_STAGES = 3, 12
RATE, DELAY = (0.0, 1.3), (-0.3, 0.9)
"""Limits of what a score returns by, and of the share of the last change that comes late; within them it is stable."""


def fit(recorded: Recorded, *, weightless: bool = False, scores: bool = False) -> Model:
    """The response model of recorded runs.

    Args:
        recorded: at least 3 runs and 12 different stages.
        weightless: leaves the weights out, for a model that knows drift and history alone.
        scores: leaves losses and gradient evidence out.

    Raises:
        Refused: too few runs or stages, or no feedback scores.
    """
    data = transitions_of(recorded.outcomes, recorded.setting.bounds)
    runs = len(np.unique(data.run))
    if runs < FEWEST_RUNS or len(data) < FEWEST_STAGES:
        raise Refused(
            f"a response model needs at least {FEWEST_RUNS} runs that differ and {FEWEST_STAGES} different stages; "
            f"found {runs} and {len(data)}."
        )
    scale = scale_of(data)
    if weightless:
        scale = scale.model_copy(update={"spread": (0.0,) * len(scale.spread)})
    _, firsts = np.unique(data.run, return_index=True)
    starts = data.start[firsts]
    responses: list[Response] = []
    residuals: list[Array] = []
    for column, channel in enumerate(data.channels):
        if scores and not channel.is_score:
            continue
        fitted = _response(data, column, channel, scale, starts[:, column])
        if fitted is not None:
            responses.append(fitted[0])
            residuals.append(fitted[1])
    known = {group: {r.channel.name for r in responses if r.channel.group == group} for group in (FEEDBACK, SELECTION)}
    feedback = images_of(recorded.outcomes, _fed, known[FEEDBACK])
    if feedback is None:
        raise Refused("the runs have no feedback scores that every S_0 has: nothing to simulate.")
    table = np.array(residuals).T
    spread, correlation = spread_and_correlation(table)
    means = [i for i, r in enumerate(responses) if r.channel.is_score]
    shared, pairs = shared_part(table[:, means], spread[means], data.window)
    return Model(
        setting=recorded.setting,
        anchor=data.space.anchor,
        losses=data.space.names,
        scale=scale,
        responses=tuple(responses),
        correlation=tuple(tuple(map(float, row)) for row in correlation),
        shared=shared,
        feedback=feedback,
        selection=images_of(recorded.outcomes, lambda one: one.selection, known[SELECTION]),
        readouts=readouts_of(recorded.outcomes),
        runs=len(recorded.outcomes),
        stages=len(data),
        notes=(*recorded.left_out, *_notes(data, scale, pairs, weightless)),
    )


def without(recorded: Recorded, held: set[int]) -> Recorded:
    """The recorded runs but those at some positions."""
    kept = tuple(o for i, o in enumerate(recorded.outcomes) if i not in held)
    return dataclasses.replace(recorded, outcomes=kept)


def _fed(one: Outcome) -> dict[int, Feedback]:
    return {s.id: s.feedback for s in one.states if s.feedback is not None}


def _response(
    data: Transitions, column: int, channel: Channel, scale: Scale, starts: Array
) -> tuple[Response, Array] | None:
    """The response of one number and its residuals (n,), NaN where the stage does not tell; ``None`` without data."""
    after, before = data.after[:, column], data.before[:, column]
    start, previous = data.start[:, column], data.previous[:, column]
    memory = channel.remembers
    gap = before - start if memory else np.zeros_like(before)
    late = previous if memory else np.zeros_like(previous)
    target = after - before if memory else after
    known = np.isfinite(target) & np.isfinite(gap) & np.isfinite(late)
    if known.sum() < FEWEST_STAGES or len(np.unique(data.run[known])) < 2:
        return None
    design = _design(data, scale, gap, late, known)
    found = cross_validated(design, target[known], data.run[known])
    residuals = np.full(len(data), math.nan)
    residuals[known] = found.residuals
    first, p = len(HISTORY), len(data.space.names)
    c = [float(v) for v in found.coefficients]
    own = starts[np.isfinite(starts)]
    return Response(
        channel=channel,
        start=float(own.mean()) if len(own) else 0.0,
        start_spread=float(own.std(ddof=1)) if len(own) > 1 else 0.0,
        intercept=c[0],
        first=c[1],
        late=c[2],
        rate=-c[3],
        delay=c[4],
        linear=tuple(c[first : first + p]),
        quadratic=tuple(c[first + p :]),
        spread=float(np.sqrt(np.mean(found.residuals**2))),
        stages=int(known.sum()),
    ), residuals


def _design(data: Transitions, scale: Scale, gap: Array, late: Array, known: NDArray[np.bool_]) -> Design:
    z, zz = weight_columns(scale, data.x[known])
    history = history_columns(scale, data.depth[known], gap[known], late[known])
    group = np.repeat([0, 1, 2], [history.shape[1], z.shape[1], zz.shape[1]])
    limits = {3: (-RATE[1], -RATE[0]), 4: DELAY}
    return Design(np.hstack([history, z, zz]), group, limits)


def _notes(data: Transitions, scale: Scale, pairs: int, weightless: bool) -> tuple[str, ...]:
    notes: list[str] = []
    if not weightless:
        notes += [
            f"the weight of {name} was the same in every recorded stage: the model knows no effect of it."
            for name, spread in zip(data.space.names, scale.spread, strict=True)
            if spread == 0
        ]
    if pairs == 0:
        notes.append(
            "no two different stages were trained on the same data (one seed, several arms): the noise that such "
            "stages share cannot be told, and simulated arms share none."
        )
    return tuple(notes)
