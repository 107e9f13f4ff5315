"""Questions about single images that share their beginning: what all have in common, then the image's own lines.

An engine with a prefix cache reads the common part once for all images of a decision. The paper's order puts each
image's scores beside the weights, so that nothing but the system prompt is shared.
"""

from __future__ import annotations

from collections.abc import Sequence

from lossagent.agents.base import View
from lossagent.agents.llm.history import (
    RECENT,
    SUMMARISED,
    Printed,
    caution,
    extremes,
    fitted,
    printed,
    remarks,
)
from lossagent.agents.llm.scores import Shown, decimals_of
from lossagent.agents.llm.text import weight_numbers
from lossagent.records import State


def skeleton(view: View, pooled: Shown, last: int | None, short: bool, named: bool) -> str:
    """The states with the weights that led to them, without scores.

    Args:
        view: what the agent sees.
        pooled: the scores over all images, by which a summary picks its states.
        last: so many states of the path, ``None`` for all.
        short: first, best, worst and latest states alone.
        named: whether best and worst may be told by their names, which gives the direction away.
    """
    states, stages = _states(view, pooled, last, short, named), len(view.trajectory.path(view.head.id)) - 1
    lines = [
        f"Feedback. Weights are in the order {', '.join(view.trajectory.initial.names)}. A state is what "
        f"{view.stage_iterations} steps under its weights made of the state before."
    ]
    if short:
        lines[0] += f" The history of {stages} stages {SUMMARISED}"
        lines += _ends(view, pooled, named)
    lines += [_line(view, state) for state in states.path]
    if states.undone:
        lines.append("Tried and undone (training went back to an earlier state):")
        lines += [_line(view, state) for state in states.undone]
    order = ", ".join(f"S{s.id}" for s in (*states.path, *states.undone))
    scores = f"; its scores stand below the rules, in the order {order}" if pooled.metrics else ""
    lines.append(f"This question is about one image{scores}.")
    return "\n".join(lines)


def own(view: View, shown: Shown, pooled: Shown, last: int | None, short: bool, named: bool) -> str:
    """The scores and remarks of the prompt's image in the states of :func:`skeleton`.

    Args:
        view, pooled, last, short, named: as there.
        shown: the scores of the image.
    """
    states = _states(view, pooled, last, short, named)
    every = (*states.path, *states.undone)
    lines: list[str] = []
    if shown.metrics:
        decimals = {m: decimals_of(view, m) for m in shown.metrics}
        lines.append(f"The {shown.noun} {shown.of}: {shown.listed(every, decimals)}.")
    if short:
        lines += fitted(shown, view.trajectory.path(view.head.id))
    said = {s.id: remarks(shown, s) for s in every}
    lines += [f"S{i}: {'; '.join(quotes)}.{rest}" for i, (quotes, rest) in said.items() if quotes]
    if not shown.metrics:
        lines += [f"Nothing was said of S{i}." for i, (quotes, _) in said.items() if not quotes]
    return "\n".join([*lines, *caution(shown, every)])


def _states(view: View, pooled: Shown, last: int | None, short: bool, named: bool) -> Printed:
    """Those of the history or, in a summary, the first two, the ends of each score, the latest and the last undone."""
    if not short:
        return printed(view, last)
    whole = printed(view, None)
    ends = {s.id for e in _extremes(view, pooled, named) for s in e.values()}
    kept = {*(s.id for s in (*whole.path[:2], *whole.path[-RECENT:], *whole.undone[-1:])), *ends}
    return Printed(*(tuple(s for s in part if s.id in kept) for part in (whole.path, whole.undone)))


def _extremes(view: View, pooled: Shown, named: bool) -> Sequence[dict[str, State]]:
    states = printed(view, None)
    every = (*states.path[1:], *states.undone)
    return [extremes(view, pooled, metric, named, every) for metric in pooled.metrics]


def _ends(view: View, pooled: Shown, named: bool) -> list[str]:
    found = zip(pooled.metrics, _extremes(view, pooled, named), strict=True)
    parts = [f"the {word} {pooled.label(m)} is that of S{s.id}" for m, ends in found for word, s in ends.items()]
    return [f"Over all images, {', '.join(parts)}."] if parts else []


def _line(view: View, state: State) -> str:
    if state.parent is None:
        return f"S{state.id}: before training."
    return f"S{state.id}, from S{state.parent}: {weight_numbers(view.trajectory.weights_at(state.id))}."
