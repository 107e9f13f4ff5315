"""Blind pairs: which images, which order, which of them again.

Everything follows from a seed and names, so that a run that is resumed asks the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from lossagent.judgements import Task

T = TypeVar("T")
FEWEST_TO_REPEAT = 4
"""With fewer pairs none is asked twice."""


def shuffled_pairs(pairs: Iterable[tuple[str, str, str]], prefix: str, seed: int) -> tuple[Task, ...]:
    """Pairs in random order, each with its sides in random order.

    Args:
        pairs: (image, a side, another side).
        prefix: ids are ``PREFIX-`` and a number that says nothing of sides or images.
        seed: with the prefix it decides the order; with the names of a pair, which of its sides is left.
    """
    ordered = _shuffled(tuple(pairs), seed, prefix)
    tasks: list[Task] = []
    for number, (image, one, other) in enumerate(ordered):
        left, right = (one, other) if _coin(seed, image, one, other) else (other, one)
        tasks.append(Task(id=f"{prefix}-{number:03d}", kind="pair", image=image, left=left, right=right))
    return tuple(tasks)


def repeated(tasks: Sequence[Task], share: float, seed: int) -> tuple[Task, ...]:
    """The pairs, and after them some of the earlier ones again, with their sides swapped.

    Args:
        tasks: pairs in the order in which they are asked.
        share: how many are asked again, of those there are; at least one where it is > 0 and there are
            :data:`FEWEST_TO_REPEAT`, none where there are fewer.
        seed: decides which.
    """
    if share <= 0 or len(tasks) < FEWEST_TO_REPEAT:
        return tuple(tasks)
    count = min(len(tasks), max(1, round(share * len(tasks))))
    early = tasks[: max(count, len(tasks) // 2)]  # something lies between a pair and its repetition
    chosen = sorted(_shuffled(range(len(early)), seed, f"repeat {tasks[0].id}")[:count])
    again = (
        Task(
            id=f"{tasks[at].id}r",
            kind="pair",
            image=tasks[at].image,
            left=tasks[at].right or "",
            right=tasks[at].left,
            repeat_of=tasks[at].id,
        )
        for at in chosen
    )
    return (*tasks, *again)


def final_pairs(sides: Mapping[str, str], images: Sequence[str], seed: int) -> tuple[Task, ...]:
    """The last word: the selected state against the start, and against the run under fixed weights where it is known.

    Args:
        sides: ``selected``, ``start`` and perhaps ``fixed`` -> side; others are left out.
        images: unseen images, of which each is one pair a comparison.
        seed: decides the order and which side is left.
    """
    selected = sides["selected"]
    others = [sides[label] for label in ("start", "fixed") if label in sides and sides[label] != selected]
    digest = hashlib.sha256("|".join([selected, *others]).encode()).hexdigest()[:6]
    pairs = [(image, selected, other) for image in images for other in others]
    return shuffled_pairs(pairs, f"final-{digest}", seed)


def chosen_images(images: Sequence[str], count: int | None, seed: int) -> tuple[str, ...]:
    """The images that people see: ``count`` at random, in the order given; the same at every state."""
    if count is None or count >= len(images):
        return tuple(images)
    kept = set(_shuffled(sorted(images), seed, "images")[:count])
    return tuple(image for image in images if image in kept)


def _coin(seed: int, *names: str) -> bool:
    return bool(_digest(seed, *names) & 1)


def _digest(seed: int, *names: str) -> int:
    """A number that is random in all its bits and depends on every name (and on where one ends)."""
    text = "\0".join([str(seed), *names])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16])


def _shuffled(items: Sequence[T], seed: int, *names: str) -> list[T]:
    order = np.random.default_rng(_digest(seed, *names)).permutation(len(items))
    return [items[i] for i in order]
