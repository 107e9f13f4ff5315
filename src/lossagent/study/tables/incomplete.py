"""Which scores count as missing, since some of the images have none: said in sentences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lossagent.study.complete import gaps
from lossagent.study.results import Results, span


@dataclass(frozen=True)
class Incomplete:
    """Scores of one arm that count as missing.

    Attributes:
        arm, place, row, metric: whose, on which set, of which state or row, and what.
        seeds: of the runs.
        images: how many of S_0's images had no score, at most.
        of: how many S_0 has a score of.
    """

    arm: str
    place: str
    row: str
    metric: str
    seeds: tuple[int, ...]
    images: int
    of: int

    @property
    def sentence(self) -> str:
        """The whole of it in words."""
        one = len(self.seeds) == 1
        most = "" if one else "up to "
        return (
            f"{self.metric} of {self.arm} on {self.place} ({self.row}) counts as missing in "
            f"{'seed' if one else 'seeds'} {span(self.seeds)}: {most}{self.images} of the {self.of} images that S_0 "
            "has a score of have none there, and a mean over the others would be of easier or harder images."
        )


def incomplete(results: Results, objective: str, arms: Iterable[str]) -> tuple[Incomplete, ...]:
    """What counts as missing in the runs of some arms, in their order."""
    found: list[Incomplete] = []
    for arm in arms:
        seen: dict[tuple[str, str, str], list[tuple[int, int, int]]] = {}
        for seed, one in results.outcomes.get(objective, {}).get(arm, {}).items():
            for gap in gaps(one):
                seen.setdefault((gap.place, gap.row, gap.metric), []).append((seed, gap.images, gap.of))
        for key, several in seen.items():
            seeds, images, of = zip(*several, strict=True)
            found.append(Incomplete(arm, *key, seeds, max(images), max(of)))
    return tuple(found)
