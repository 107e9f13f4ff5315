"""One state from near: its decision with prompts and answers, its scores image by image, and what-if tables."""

from __future__ import annotations

from pathlib import Path

from lossagent.dashboard.errors import NoSuch
from lossagent.dashboard.states import Plain, finite, finites, remark
from lossagent.records import Evidence, Exchange, State
from lossagent.runs import read_lines
from lossagent.trajectory import Trajectory
from lossagent.weights import Weights
from lossagent.what_if import what_if

PICTURE = 200
"""Characters of what stands for a picture in a recorded prompt."""


def decision_of(run: Path, trajectory: Trajectory, number: int) -> Plain:
    """The decision that a state was trained under, and all behind it.

    Raises:
        NoSuch: there is no such state, or no decision led to it.
    """
    state = _state(trajectory, number)
    decision = state.decision
    if decision is None:
        raise NoSuch("no decision led to S_0: it is the network before training.")
    parent = trajectory.states[decision.restart_from]
    before = trajectory.weights_at(parent.id)
    evidence = _evidence(parent)
    return {
        "state": state.id,
        "author": decision.author,
        "proposed": decision.proposed.values(),
        "weights": decision.weights.values(),
        "off": sorted(decision.weights.off),
        "restart_from": decision.restart_from,
        "replicate": decision.replicate,
        "thoughts": decision.thoughts,
        "adjusted_by": list(decision.adjusted_by),
        "judged": decision.judged,
        "asked": decision.asked,
        "failed": decision.failed,
        "exchanges": [_exchange(e) for e in exchanges_of(run, number)],
        "remarks": [remark(r) for r in parent.feedback.remarks] if parent.feedback is not None else [],
        "scores": _scores(state),
        "what_if": _table(evidence, before),
        "before": {"state": parent.id, "weights": before.values(), "shares": finites(evidence.shares(before))},
    }


def details_of(trajectory: Trajectory, number: int) -> Plain:
    """What was said of a state, image by image.

    Raises:
        NoSuch: there is no such state.
    """
    state = _state(trajectory, number)
    return {
        "state": state.id,
        "scores": _scores(state),
        "remarks": [remark(r) for r in state.feedback.remarks] if state.feedback is not None else [],
        "problems": dict(state.feedback.problems) if state.feedback is not None else {},
    }


def what_if_at(trajectory: Trajectory, number: int) -> Plain:
    """The what-if table of a state under its own weights.

    Raises:
        NoSuch: there is no such state.
    """
    state = _state(trajectory, number)
    weights, evidence = trajectory.weights_at(state.id), _evidence(state)
    return {
        "state": state.id,
        "weights": weights.values(),
        "shares": finites(evidence.shares(weights)),
        "what_if": _table(evidence, weights),
    }


def exchanges_of(run: Path, state: int) -> list[Exchange]:
    """The readable exchanges behind a decision, in the order they were made."""
    path = run / "exchanges" / f"state-{state:04d}.jsonl"
    try:
        lines = read_lines(path)[0] if path.is_file() else []
    except OSError:
        return []
    found: list[Exchange] = []
    for line in lines:
        try:
            found.append(Exchange.model_validate_json(line))
        except ValueError:
            continue
    return found


def _state(trajectory: Trajectory, number: int) -> State:
    if number >= len(trajectory.states):
        raise NoSuch(f"there is no state {number}; known: 0 to {len(trajectory.states) - 1}.")
    return trajectory.states[number]


def _evidence(state: State) -> Evidence:
    return state.report.evidence if state.report is not None else Evidence()


def _scores(state: State) -> dict[str, dict[str, float | None]]:
    return {m: finites(s) for m, s in state.feedback.scores.items()} if state.feedback is not None else {}


def _table(evidence: Evidence, weights: Weights) -> list[Plain]:
    return [
        {
            "loss": row.loss,
            "factor": row.factor,
            "weights": row.weights.values(),
            "shares": finites(row.shares),
            "gradient": finite(row.gradient),
        }
        for row in what_if(evidence, weights)
    ]


def _exchange(exchange: Exchange) -> Plain:
    messages = [
        {"role": m.role, "content": m.content, "images": [image[:PICTURE] for image in m.images]}
        for m in exchange.messages
    ]
    return {
        "key": exchange.key,
        "author": exchange.author,
        "image": exchange.image,
        "messages": messages,
        "raw": exchange.raw,
        "problem": exchange.problem,
        "weights": exchange.weights.values() if exchange.weights is not None else None,
        "thoughts": exchange.thoughts,
        "finish": exchange.finish,
        "tokens": exchange.prompt_tokens + exchange.completion_tokens,
        "seconds": finite(exchange.seconds),
    }
