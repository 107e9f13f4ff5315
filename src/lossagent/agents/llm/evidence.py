"""What our prompts say beside weights and scores; the paper's say none of it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lossagent.agents.base import View
from lossagent.agents.llm.effects import helped, response
from lossagent.agents.llm.options import EvidenceOptions, LLMOptions
from lossagent.agents.llm.scores import Shown, direction_of, shown
from lossagent.agents.llm.text import number, quoted, score, weight_numbers
from lossagent.agents.llm.trends import raw_losses
from lossagent.agents.lookouts import lookout_of
from lossagent.alarm import alarm_of
from lossagent.noise import paired_change
from lossagent.records import State


def losses(view: View, options: EvidenceOptions) -> str:
    """What each loss does, for the system prompt; empty where nothing is known."""
    if not options.losses:
        return ""
    facts = [f"{name}: {view.loss_facts[name]}" for name in view.previous.names if name in view.loss_facts]
    return "The losses: " + "; ".join(facts) + "." if facts else ""


def evidence(view: View, options: LLMOptions) -> tuple[str, ...]:
    """Lines for the end of the historical prompt, the same for every question of a decision.

    What gives the direction away is left out where the direction is.
    """
    on, named, sees = options.evidence, options.direction != "all_off", shown(view, None)
    return (
        *(_raw(view) if on.raw else ()),
        *(_shares(view) if on.shares else ()),
        *(_noise(view, sees, named) if on.noise else ()),
        *(response(view) if on.response and named else ()),
        *(helped(view) if on.helped and named else ()),
        *(_best(view) if on.best and named else ()),
        *(_guards(view) if on.guards else ()),
        *(_ceiling(view, sees) if on.ceiling else ()),
        *(_alarm(view) if on.alarm and named else ()),
        *(_health(view.head) if on.health else ()),
    )


def _plain(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {f'{value:.4g}' if math.isfinite(value) else value}" for name, value in values.items())


def _raw(view: View) -> list[str]:
    now = raw_losses(view.head)
    if not now:
        return []
    line = f"Raw losses now: {_plain(now)}"
    before = raw_losses(view.trajectory.states[view.head.parent]) if view.head.parent is not None else {}
    return [f"{line}; one stage earlier: {_plain(before)}." if before else f"{line}."]


def _shares(view: View) -> list[str]:
    if view.head.report is None or not (shares := view.head.report.evidence.shares(view.previous)):
        return []
    parts = ", ".join(f"{n} {100 * s:.0f} %" if math.isfinite(s) else f"{n} unknown" for n, s in shares.items())
    return [f"Share of each loss in the gradient now: {parts}."]


def _noise(view: View, shown: Shown, named: bool) -> list[str]:
    """The last change, paired over all feedback images, against its noise."""
    if view.head.parent is None or view.head.feedback is None:
        return []
    parent = view.trajectory.states[view.head.parent].feedback
    if parent is None:
        return []
    lines: list[str] = []
    for metric in shown.metrics:
        change = paired_change(view.head.feedback, parent, metric, view.tolerance.get(metric), view.seed)
        if change.mean is None:
            continue
        images = "one image" if change.n == 1 else f"{change.n} images"
        text = f"The last stage changed the {shown.label(metric)} by {change.mean:+.4f} over {images}"
        if change.floor is not None:
            text += f", noise is about {number(change.floor, 4)}"
        if change.exceeds is None:
            text += "; whether that is more than noise is unknown"
        elif not change.exceeds:
            text += ": no more than noise"
        elif named and (direction := direction_of(view, metric)) is not None:
            better = (change.mean > 0) == (direction == "higher")
            text += f": clearly {'better' if better else 'worse'}"
        else:
            text += ": more than noise"
        lines.append(text + ".")
    return lines


def _best(view: View) -> list[str]:
    """The best state by the goal (feasible before better); nothing where the goal has no utility."""
    if view.trajectory.start.feedback is None or not view.goal.has_utility:
        return []
    ranked = [(view.rank(s), s) for s in view.trajectory.scored]
    best = max(ranked, key=lambda x: x[0])[1]
    if best.id == 0:
        return ["No stage so far is better than the state before training."]
    means = ", ".join(f"{t.metric} {score(_mean(best, t.metric))}" for t in view.goal.scalar)
    weights = weight_numbers(view.trajectory.weights_at(best.id))
    return [f"The best stage so far had the weights {weights} ({means} over all images)."]


def _guards(view: View) -> list[str]:
    parts: list[str] = []
    for metric in sorted(view.guards):
        now, before = _mean(view.head, metric), _mean(view.trajectory.start, metric)
        if now is not None:
            parts.append(f"{metric} {score(now)} (before training {score(before)})")
    return [f"Watched, not to be improved at any price: {', '.join(parts)}."] if parts else []


def _ceiling(view: View, shown: Shown) -> list[str]:
    parts = [f"{m} {score(view.ceiling[m])}" for m in shown.metrics if m in view.ceiling]
    if not parts:
        return []
    return [f"The original images themselves score: {', '.join(parts)}; going beyond that is a sign of artefacts."]


def _alarm(view: View) -> list[str]:
    """What speaks for a score that is being played; against the state before training."""
    found = alarm_of(view.head, view.trajectory.start, lookout_of(view))
    if not found:
        return []
    return [f"ALARM: since before training, {'; '.join(found)}. The score may be rising without better images."]


def _health(state: State) -> list[str]:
    extra = state.report.extra if state.report is not None else {}
    parts = {quoted(name, 40): value for name, value in extra.items()}
    return [f"The trainer also measured: {_plain(parts)}."] if parts else []


def _mean(state: State, metric: str) -> float | None:
    return state.feedback.mean(metric) if state.feedback is not None else None
