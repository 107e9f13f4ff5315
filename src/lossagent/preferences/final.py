"""The last word of a run: blind pairs of its selected state against others, on unseen images."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from lossagent.judgements import Judgement, Task
from lossagent.preferences.answers import comparisons_of
from lossagent.preferences.bradley_terry import Comparison, Strength, strengths

FEWEST = 6
"""With fewer images nothing is claimed: not even equal answers to 5 are beyond chance (1 in 16, both ways)."""
LEVEL = 0.05
"""Chance of a claim where people see no difference, at most."""
Outcome = Literal["better", "worse", "open", "too few", "unanswered"]
SAID: Mapping[str, str] = {"start": "the start", "fixed": "fixed weights"}
"""What the other side is called."""


@dataclass(frozen=True)
class FinalResult:
    """How the selected state fared against one other.

    Attributes:
        against: the label of the other side: ``start`` or ``fixed``.
        wins, ties, losses: answers for the selected state, for neither, for the other.
        images: how many images were judged.
        raters: how many people judged.
        asked: how many pairs were asked.
        strength: log odds of the selected state against the other, every image counting once however many people
            judged it; ``None`` without answers.
        chance: two-sided exact sign test over images: how likely so clear an outcome is where there is no difference.
        outcome: ``better`` or ``worse`` only where the interval leaves out 0 *and* the sign test is at most
            :data:`LEVEL`: with few images the interval alone is too bold.
    """

    against: str
    wins: int
    ties: int
    losses: int
    images: int
    raters: int
    asked: int
    strength: Strength | None
    chance: float | None
    outcome: Outcome

    @property
    def sentence(self) -> str:
        """The result in words, and no more than it shows."""
        other = SAID.get(self.against, self.against)
        if self.strength is None or self.chance is None:
            return f"Against {other}: nobody answered any of the {self.asked} blind pairs. Nothing is known."
        people = "1 person" if self.raters == 1 else f"{self.raters} people"
        images = "1 unseen image" if self.images == 1 else f"{self.images} unseen images"
        counts = f"preferred {self.wins} times, tied {self.ties}, the other preferred {self.losses} (by {people})"
        s = self.strength
        numbers = f"log odds {s.value:+.2f}, 95 % interval {s.low:+.2f} to {s.high:+.2f}"
        verdict = {
            "better": f"better than {other} beyond chance",
            "worse": f"worse than {other} beyond chance",
            "open": "no difference beyond chance was shown",
            "too few": f"too few images to claim anything (at least {FEWEST} are needed)",
        }[self.outcome]
        return f"Against {other}, on {images}: {counts}; {numbers}: {verdict}."


def final_result(
    sides: Mapping[str, str], tasks: Mapping[str, Task], judgements: Iterable[Judgement]
) -> tuple[FinalResult, ...]:
    """The result of each comparison that was asked.

    Args:
        sides: label -> side, ``selected`` among them, as :func:`lossagent.preferences.final_pairs` took them.
        tasks: id -> task; other tasks than final pairs of these sides are left out.
        judgements: answers.
    """
    selected = sides["selected"]
    judgements = tuple(judgements)
    results: list[FinalResult] = []
    for label, other in sides.items():
        ours = {i: t for i, t in tasks.items() if other != selected and {t.left, t.right} == {selected, other}}
        if ours:
            results.append(_result(label, selected, other, ours, judgements))
    return tuple(results)


def sign_test(wins: int, losses: int) -> float:
    """Two-sided exact binomial test of even odds; 1 where there is nothing to test."""
    n = wins + losses
    tail = sum(math.comb(n, k) for k in range(min(wins, losses) + 1)) / 2**n
    return min(1.0, 2 * tail)


def _result(
    label: str, selected: str, other: str, tasks: Mapping[str, Task], judgements: tuple[Judgement, ...]
) -> FinalResult:
    mine = [j for j in judgements if j.task in tasks]
    answers = comparisons_of(tasks, mine)
    counts = [sum(_points(a, selected) == p for a in answers) for p in (1, 0, -1)]
    images: dict[str, float] = {}
    for task in tasks.values():
        points = [_points(c, selected) for c in comparisons_of({task.id: task}, mine)]
        if points:
            images[task.image] = images.get(task.image, 0) + sum(points)
    strength = strengths(comparisons_of(tasks, mine, by_image=True), other).get(selected)
    chance = sign_test(sum(p > 0 for p in images.values()), sum(p < 0 for p in images.values())) if images else None
    return FinalResult(
        against=label,
        wins=counts[0],
        ties=counts[1],
        losses=counts[2],
        images=len(images),
        raters=len({j.rater for j in mine}),
        asked=len(tasks),
        strength=strength,
        chance=chance,
        outcome=_outcome(strength, chance, len(images)),
    )


def _points(answer: Comparison, selected: str) -> int:
    return 0 if answer.tie else 1 if answer.winner == selected else -1


def _outcome(strength: Strength | None, chance: float | None, images: int) -> Outcome:
    if strength is None or chance is None:
        return "unanswered"
    if images < FEWEST:
        return "too few"
    if not strength.clear or chance > LEVEL:
        return "open"
    return "better" if strength.value > 0 else "worse"
