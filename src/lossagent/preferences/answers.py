"""What answers of people amount to: comparisons, and how far the answers can be trusted.

*A pair that was asked twice* is one comparison, measured twice: if the same person answered both times, each answer
counts half, so two equal answers make one win and two opposite ones a tie. Its repetition shows how consistent a
person is; it is no second opinion. Answers of several people to one pair count one each.

*An answer counts once*: if somebody answered a task twice, the first stands. Answers to unknown tasks, and answers
that choose no side, are left out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lossagent.judgements import Judgement, Task
from lossagent.preferences.bradley_terry import Comparison

TIE = ""
"""Stands for the side that is better where none is."""


@dataclass(frozen=True)
class Consistency:
    """How often people answered alike when a pair came again with its sides swapped.

    Attributes:
        repeated: pairs that one person answered both times.
        agreed: of those, how often the same choice was made (the same side, or a tie both times).
        reversed: how often the opposite side was chosen; the rest are a tie once and a side once.
    """

    repeated: int
    agreed: int
    reversed: int = 0

    @property
    def share(self) -> float | None:
        """Share of equal answers, ``None`` where nothing was repeated. Guessing one of three gives 1/3."""
        return self.agreed / self.repeated if self.repeated else None


@dataclass(frozen=True)
class Agreement:
    """How often two people chose alike of the same pair, over all pairs of people.

    Attributes:
        compared: pairs of answers, by two people to one task.
        agreed: of those, how many chose alike.
    """

    compared: int
    agreed: int

    @property
    def share(self) -> float | None:
        """Share of equal answers, ``None`` where no two people saw one pair."""
        return self.agreed / self.compared if self.compared else None


@dataclass(frozen=True)
class SideBias:
    """How often the left image was chosen; sides stand in random order, so it should be half the time.

    Attributes:
        left: answers for the left image.
        decided: answers for either side, ties left out.
        low, high: 95 % interval of the share (Wilson, JASA 22, 1927); 0 and 1 where nothing was decided.
    """

    left: int
    decided: int
    low: float
    high: float

    @property
    def share(self) -> float | None:
        """Share of left answers."""
        return self.left / self.decided if self.decided else None

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out one half."""
        return self.low > 0.5 or self.high < 0.5


def comparisons_of(
    tasks: Mapping[str, Task], judgements: Iterable[Judgement], *, by_image: bool = False
) -> tuple[Comparison, ...]:
    """The comparisons that answers to pairs amount to, in the order of the answers.

    Args:
        tasks: id -> task.
        judgements: answers.
        by_image: all answers to one pair share the weight of one comparison, whoever gave them: for statements about
            further images, of which several people tell no more than one.
    """
    chosen = _choices(tasks, judgements)
    answers: dict[tuple[str, str], int] = {}
    people: dict[str, set[str]] = {}
    for rater, task in chosen:
        answers[rater, _root(task)] = answers.get((rater, _root(task)), 0) + 1
        people.setdefault(_root(task), set()).add(rater)
    found: list[Comparison] = []
    for (rater, task), side in chosen.items():
        root = _root(task)
        weight = 1 / (answers[rater, root] * (len(people[root]) if by_image else 1))
        left, right = task.left, task.right or ""
        loser = right if side in (left, TIE) else left
        found.append(Comparison(left if side == TIE else side, loser, tie=side == TIE, weight=weight))
    return tuple(found)


def consistency(tasks: Mapping[str, Task], judgements: Iterable[Judgement], rater: str | None = None) -> Consistency:
    """How alike repeated pairs were answered, by all or by one person."""
    repeated = agreed = opposite = 0
    chosen = {(who, task.id): side for (who, task), side in _choices(tasks, judgements).items()}
    for (who, task), again in chosen.items():
        first = chosen.get((who, tasks[task].repeat_of or ""))
        if first is None or (rater is not None and who != rater):
            continue
        repeated += 1
        agreed += first == again
        opposite += first != again and TIE not in (first, again)
    return Consistency(repeated, agreed, opposite)


def agreement(tasks: Mapping[str, Task], judgements: Iterable[Judgement]) -> Agreement:
    """How alike several people answered the same pairs; of a repeated pair the first answer is taken."""
    given: dict[str, dict[str, str]] = {}
    for (rater, task), side in _choices(tasks, judgements).items():
        given.setdefault(_root(task), {}).setdefault(rater, side)
    pairs = [pair for sides in given.values() for pair in itertools.combinations(sides.values(), 2)]
    return Agreement(len(pairs), sum(one == other for one, other in pairs))


def side_bias(tasks: Mapping[str, Task], judgements: Iterable[Judgement], rater: str | None = None) -> SideBias:
    """How often the left image was chosen, by all or by one person."""
    chosen = [
        side == task.left
        for (who, task), side in _choices(tasks, judgements).items()
        if side != TIE and rater in (None, who)
    ]
    return SideBias(sum(chosen), len(chosen), *wilson(sum(chosen), len(chosen)))


def answers_by_rater(judgements: Iterable[Judgement]) -> dict[str, int]:
    """Person -> how many tasks they answered, the busiest first."""
    counts: dict[str, int] = {}
    for rater, _ in {(j.rater, j.task): None for j in judgements}:
        counts[rater] = counts.get(rater, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share, Wilson's score interval; (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    z2 = 1.959964**2
    centre = (hits + z2 / 2) / (n + z2)
    half = math.sqrt(z2 * (hits * (n - hits) / n + z2 / 4)) / (n + z2)
    return max(0.0, centre - half), min(1.0, centre + half)


def _choices(tasks: Mapping[str, Task], judgements: Iterable[Judgement]) -> dict[tuple[str, Task], str]:
    """(rater, task) -> the side that was chosen, :data:`TIE` for neither; the first answer of each counts."""
    chosen: dict[tuple[str, Task], str] = {}
    for judgement in judgements:
        task = tasks.get(judgement.task)
        if task is None or task.right is None or task.left == task.right or judgement.verdict is None:
            continue
        side = {"left": task.left, "right": task.right, "tie": TIE}[judgement.verdict]
        chosen.setdefault((judgement.rater, task), side)
    return chosen


def _root(task: Task) -> str:
    """The task that a repetition repeats; of others themselves."""
    return task.repeat_of or task.id
