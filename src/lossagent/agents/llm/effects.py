"""What past moves did: the response model's estimates, and the moves restated in the direction that helped."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lossagent.agents.anchor import anchor_of
from lossagent.agents.base import View
from lossagent.agents.llm.scores import point
from lossagent.agents.llm.text import number
from lossagent.agents.respond.estimates import estimates
from lossagent.agents.respond.responses import Response, moved, responses
from lossagent.utility import utility_tolerance

HELPED = 12
"""Latest moves that are restated."""
LEAST = math.log(1.02)
"""A log-ratio that changed by less was not moved."""
MOST = 99.0
"""Noise units that are told at most."""
HALF = 1.96
"""Standard errors in half a 95 % interval."""


def response(view: View) -> list[str]:
    """The expected effect of doubling each weight, from all stages so far."""
    told = [
        f"{e.loss} {e.mean:+.2f} (standard deviation {number(e.sd, 2)}, from {e.stages} stages under other weights)"
        for e in estimates(view)
    ]
    if not told:
        return []
    return [
        "Estimated from all stages so far: doubling a weight for the next stage changes the outcome by so many "
        f"{point(view)}, more is better: {'; '.join(told)}."
    ]


def helped(view: View) -> list[str]:
    """The latest moves, each in the direction that helped and with how many times the noise it moved the goal.

    A stage that raised ``gan`` and made things worse by five times its noise reads "gan down by 5". A stage's change is
    paired by image, less the drift of the fixed run where that is known; its noise is half its 95 % interval over
    images or, where that is not estimable, the goal's tolerance.
    """
    known = {r.state: r for r in responses(view)}
    told = list(_restated(view, known))[-HELPED:]
    if not told:
        return []
    return [
        "What the latest moves say, oldest first, each turned to the direction that helped, and by how many times the "
        f"noise it helped: {'; '.join(told)}."
    ]


def _restated(view: View, known: dict[int, Response]) -> Iterator[str]:
    """Oldest first; stages that moved nothing are passed over."""
    anchor, names = anchor_of(view.previous, view.bounds), moved(view)
    tolerance = utility_tolerance(view.goal, view.tolerance)
    for state in view.trajectory.states:
        if state.id not in known or state.parent is None:
            continue
        logs = view.trajectory.weights_at(state.parent).log_ratios(anchor)
        found = known[state.id]
        turned = found.change - (found.drift or 0.0)
        steps = {n: r - logs[n] for n, r in zip(names, found.ratios, strict=True) if abs(r - logs[n]) > LEAST}
        if not steps:
            continue
        ways = ", ".join(f"{n} {'up' if (step > 0) == (turned > 0) else 'down'}" for n, step in steps.items())
        yield f"{ways} by {min(abs(turned) / _unit(found, tolerance), MOST):.2g}"


def _unit(found: Response, tolerance: float) -> float:
    """Half the 95 % interval of a stage's change; the tolerance where there is none, or nothing but rounding in it."""
    half = HALF * math.sqrt(found.variance) if found.variance is not None else 0.0
    return half if half > 1e-6 * tolerance else tolerance or 1.0
