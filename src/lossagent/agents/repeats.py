"""No stage is trained twice: a decision equal to one that was tried from the same state is changed."""

from __future__ import annotations

import math

from lossagent.agents.anchor import movable, reach
from lossagent.agents.base import View
from lossagent.records import Decision, State
from lossagent.weights import Weights

TRIES = 4
"""How often weights that were tried already are perturbed before the state they led to is accepted."""
NUDGE = 1.5
"""Largest factor of a perturbation without a trust region; with one it is that one's square root."""
SAME = 1e-6
"""Relative difference below which two weights are the same."""


def unrepeated(decision: Decision, view: View) -> Decision:
    """A decision that repeats no stage, which would end in the same state for the same cost.

    Weights that were tried from that state already (same parent, weights after bounds, and replicate) are perturbed
    up to four times (mark ``"perturbed"``); after that the state they led to is accepted and the run goes on from it
    (mark ``"repeated"``). If that one was pruned, or a person chose where the stage starts, it is trained on the next
    window of data (``replicate``).
    """
    twin = _twin(decision, view)
    if twin is None:
        return decision
    for attempt in range(TRIES):
        moved = _perturbed(decision, view, attempt)
        if _twin(moved, view) is None:
            return moved
    return _accepted(decision, twin, view)


def on_other_data(decision: Decision, view: View) -> Decision:
    """The same weights from the same state; on the next window of data (``replicate``) where that was trained."""
    twin = _twin(decision, view)
    return decision if twin is None else decision.model_copy(update={"replicate": _next_replicate(twin, view)})


def same(a: Weights, b: Weights) -> bool:
    """Whether two weight vectors of the same losses are equal, but for rounding of what was written."""
    return a.off == b.off and all(math.isclose(a[n], b[n], rel_tol=SAME, abs_tol=0.0) for n in b.names)


def _twin(decision: Decision, view: View) -> State | None:
    """The state that a decision would lead to a second time."""
    start = decision.restart_from
    allowed = view.bounds.project(decision.weights, view.trajectory.weights_at(start))
    for child in view.trajectory.children(start):
        made = child.decision
        if made is not None and made.replicate == decision.replicate and same(made.weights, allowed):
            return child
    return None


def _perturbed(decision: Decision, view: View, attempt: int) -> Decision:
    """The decision with every movable weight moved by a small log-uniform factor."""
    generator = view.rng(f"perturb/{attempt}")
    factor = math.sqrt(view.bounds.trust) if view.bounds.trust is not None else NUDGE
    magnitudes = dict(decision.weights.magnitudes)
    for name in movable(decision.weights, view.bounds):
        low, high = reach(name, magnitudes[name], factor, view.bounds)
        magnitudes[name] = math.exp(generator.uniform(math.log(low), math.log(high)))
    weights = Weights(magnitudes=magnitudes, off=decision.weights.off)
    return decision.model_copy(update={"weights": weights, "adjusted_by": (*decision.adjusted_by, "perturbed")})


def _accepted(decision: Decision, twin: State | None, view: View) -> Decision:
    """The same weights, going on from the state that they led to (and from its own twins, if any)."""
    marks = (*decision.adjusted_by, "repeated")
    while not view.pinned and twin is not None and twin.id in view.restorable:
        decision = decision.model_copy(update={"restart_from": twin.id})
        twin = _twin(decision, view)
    return on_other_data(decision, view).model_copy(update={"adjusted_by": marks})


def _next_replicate(twin: State, view: View) -> int:
    siblings = view.trajectory.children(twin.parent if twin.parent is not None else 0)
    return 1 + max(s.decision.replicate for s in siblings if s.decision is not None)
