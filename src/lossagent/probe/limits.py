"""What a setting may not break: it trains, keeps the goal's limits, and the guards that tell of playing a metric."""

from __future__ import annotations

from lossagent.goal import Goal
from lossagent.probe.course import Course
from lossagent.utility import kept, limit_of

PSNR, PSNR_LOSS = "psnr_y", 0.3
"""Fidelity may fall by so many dB below the run under the initial weights."""
LATTICE, LATTICE_TIMES = "lattice", 1.5
"""The lattice peak may be so many times that of S_0."""


def broken_limits(goal: Goal, course: Course, initial: Course, depth: int) -> tuple[str, ...]:
    """What the run of a setting broke, one sentence each; nothing where it kept to all.

    Args:
        goal: its constraints count; the run under the initial weights stands for the fixed one.
        course: the run.
        initial: the run under the initial weights with the same seed.
        depth: at which scores are compared.
    """
    if course.problem:
        return (course.problem,)
    now, start, beside = course.feedback.get(depth), course.feedback.get(0), initial.feedback.get(depth)
    if now is None or start is None:
        return ("it has no scores at its end",)
    found: list[str] = []
    for constraint in goal.constraints:
        score, limit = now.mean(constraint.metric), limit_of(constraint, start, beside)
        if kept(constraint, score, limit) is not True:
            side = "at least" if constraint.at_least is not None else "at most"
            found.append(f"{constraint.metric} {_shown(score)}, {side} {_shown(limit)} wanted")
    limited = {c.metric for c in goal.constraints}
    psnr, fixed = now.mean(PSNR), beside.mean(PSNR) if beside is not None else None
    if PSNR not in limited and psnr is not None and fixed is not None and psnr < fixed - PSNR_LOSS:
        found.append(f"{PSNR} {psnr:.2f}, more than {PSNR_LOSS} dB below {fixed:.2f} under the initial weights")
    peak, before = now.mean(LATTICE), start.mean(LATTICE)
    if LATTICE not in limited and peak is not None and before is not None and peak > LATTICE_TIMES * before:
        found.append(f"{LATTICE} {peak:.2f}, more than {LATTICE_TIMES} times the start's {before:.2f}")
    return tuple(found)


def _shown(value: float | None) -> str:
    return "missing" if value is None else f"{value:.4g}"
