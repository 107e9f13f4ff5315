"""How strongly images of one side are preferred to those of another, from blind comparisons.

The model is Bradley and Terry's ("Rank analysis of incomplete block designs", Biometrika 39, 1952): each side i has a
strength s_i, and i is preferred to j with probability 1 / (1 + exp(s_j - s_i)). The strength of the anchor is 0, so a
strength is the log odds of being preferred to it.

*Ties* count as half a win for each. Davidson's extension (JASA 65, 1970) leaves ties out of the strengths when two
sides are compared: 3 wins and 97 ties would be 3 : 0. Here they are 51.5 : 48.5, for "no difference seen" is what a
tie says. The price: intervals are a little too wide where there are many ties.

*Prior*: every pair of sides that was compared counts as if it had been tied once more. For two sides this is the mode
under Jeffreys' prior, log((wins + 1/2) / (losses + 1/2)) (Firth, Biometrika 80, 1993), finite also after 100 % wins.
It pulls neighbours together, not everything towards the anchor, so a long chain of improvements is not shrunk.

*Intervals* are profile intervals of 95 %: all s for which the best fit with s_i = s is within 1.92 of the best of all
(half the 95 % point of chi squared with one degree of freedom). Wald's, from the curvature at the mode, fails where it
matters: after 6 wins of 6 it is still as wide as to hold 0. A bootstrap of 6 equal answers has no width at all.
Comparisons count as independent; that holds for these images, and says less of others the fewer images there are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lossagent.errors import Refused

PRIOR = 0.5
"""Wins added to each of two sides that were compared."""
DROP = 1.920729
"""Half the 95 % point of chi squared with one degree of freedom."""
NEARLY = 1e-5
"""A Newton step so small was the last: what is left is about its square."""
Wins = dict[str, dict[str, float]]
"""a -> b -> wins of a over b, the prior's among them; b -> a is there too."""
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """One blind comparison of two sides.

    Attributes:
        winner, loser: sides; in any order where it is a tie.
        tie: neither was preferred.
        weight: how many comparisons it counts as, > 0; an answer that was asked for twice counts half each time.
    """

    winner: str
    loser: str
    tie: bool = False
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.winner == self.loser:
            raise Refused(f"a comparison is of two sides; found {self.winner!r} twice.")
        if not 0 < self.weight < float("inf"):
            raise Refused(f"weight of a comparison must be a finite number > 0; found {self.weight}.")


@dataclass(frozen=True)
class Strength:
    """How strongly a side is preferred to the anchor.

    Attributes:
        value: log odds of being preferred; 0 is even.
        low, high: ends of the 95 % interval.
        comparisons: how many comparisons the side itself took part in.
    """

    value: float
    low: float
    high: float
    comparisons: float

    @property
    def chance(self) -> float:
        """Probability of being preferred to the anchor, ties split evenly."""
        return float(1 / (1 + np.exp(-self.value)))

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def strengths(pairs: Iterable[Comparison], anchor: str, of: Collection[str] | None = None) -> dict[str, Strength]:
    """Strength and interval of each side that comparisons connect with the anchor; the anchor's own is 0.

    Sides that are not connected to it have no strength and are left out. The order of the comparisons does not matter.

    Args:
        pairs: comparisons.
        anchor: the side whose strength is 0.
        of: sides whose strengths are wanted, ``None`` for all; an interval costs far more than a value.
    """
    pairs = tuple(pairs)
    wins = _wins(pairs)
    met: dict[str, float] = {}
    for pair in sorted(pairs, key=lambda p: p.weight):  # in one order, so that sums are equal to the last bit
        for side in (pair.winner, pair.loser):
            met[side] = met.get(side, 0.0) + pair.weight
    found: dict[str, Strength] = {}
    for side, value in _modes(wins, anchor).items():
        if of is not None and side not in of:
            continue
        low, high = (0.0, 0.0) if side == anchor else _interval(wins, anchor, side, value)
        found[side] = Strength(value, low, high, met.get(side, 0.0))
    return found


def values(pairs: Iterable[Comparison], anchor: str) -> dict[str, float]:
    """The values of :func:`strengths` without their intervals: fast, for use at every event."""
    return _modes(_wins(pairs), anchor)


def _wins(pairs: Iterable[Comparison]) -> Wins:
    wins: Wins = {}
    # Sorted, for floating-point sums depend on their order and strengths must not.
    for pair in sorted(pairs, key=lambda p: (p.winner, p.loser, p.tie, p.weight)):
        for one, other in ((pair.winner, pair.loser), (pair.loser, pair.winner)):
            wins.setdefault(one, {}).setdefault(other, PRIOR)
        won = pair.weight / 2 if pair.tie else pair.weight
        wins[pair.winner][pair.loser] += won
        wins[pair.loser][pair.winner] += pair.weight - won
    return wins


def _modes(wins: Wins, anchor: str) -> dict[str, float]:
    """Mode of every side connected with the anchor.

    A side that met one other only is settled in closed form once the other is; of a tree (each state against one
    earlier state) nothing is left for iterations.
    """
    core, peeled = _peel(wins, {anchor})
    network = _Network.of(wins, sorted(core))
    settled = dict(zip(network.names, network.fit({network.names.index(anchor): 0.0}).tolist(), strict=True))
    for leaf, neighbour in reversed(peeled):
        settled[leaf] = settled[neighbour] + float(np.log(wins[leaf][neighbour] / wins[neighbour][leaf]))
    return {name: settled[name] for name in sorted(settled)}


def _peel(wins: Wins, held: set[str]) -> tuple[set[str], list[tuple[str, str]]]:
    """Takes away sides that are held by one other alone, again and again, but for ``held``.

    Returns:
        What is left of the part that is connected with ``held``, and (side, its neighbour) in the order taken away.
    """
    reached, stack = set(held), list(held)
    while stack:
        for other in wins.get(stack.pop(), {}):
            if other not in reached:
                reached.add(other)
                stack.append(other)
    near = {name: set(wins.get(name, {})) for name in sorted(reached)}
    leaves = [name for name, others in near.items() if len(others) == 1 and name not in held]
    peeled: list[tuple[str, str]] = []
    while leaves:
        leaf = leaves.pop()
        (neighbour,) = near.pop(leaf)
        peeled.append((leaf, neighbour))
        near[neighbour].discard(leaf)
        if len(near[neighbour]) == 1 and neighbour not in held:
            leaves.append(neighbour)
    return set(near), peeled


@dataclass(frozen=True)
class _Network:
    """Sides and their wins over each other, as a matrix."""

    names: list[str]
    wins: Vector

    @classmethod
    def of(cls, wins: Wins, names: Sequence[str]) -> _Network:
        matrix = np.array([[wins.get(a, {}).get(b, 0.0) for b in names] for a in names], dtype=np.float64)
        return cls(list(names), matrix)

    def log_posterior(self, s: Vector) -> float:
        """Sum of wins x log probability of winning."""
        return float(-(self.wins * np.logaddexp(0.0, s[None, :] - s[:, None])).sum())

    def slope(self, s: Vector) -> Vector:
        """Its gradient: wins less expected wins."""
        return (self.wins - (self.wins + self.wins.T) * _expected(s)).sum(axis=1)

    def fit(self, fixed: Mapping[int, float], start: Vector | None = None) -> Vector:
        """The mode with some strengths held fixed, by Newton's method; the posterior is strictly concave."""
        s = np.zeros(len(self.names)) if start is None else start.copy()
        for index, value in fixed.items():
            s[index] = value
        free = np.array([i for i in range(len(self.names)) if i not in fixed], dtype=np.int64)
        height = self.log_posterior(s)
        while free.size:
            p = _expected(s)
            curvature = (self.wins + self.wins.T) * p * (1 - p)
            hessian = np.diag(curvature.sum(axis=1)) - curvature
            step = np.zeros_like(s)
            step[free] = np.linalg.solve(hessian[np.ix_(free, free)], self.slope(s)[free])
            while (new := self.log_posterior(s + step)) < height and np.abs(step).max() > 1e-12:
                step /= 2
            s, height = s + step, max(new, height)
            if np.abs(step).max() < NEARLY:
                break
        return s


def _expected(s: Vector) -> Vector:
    """Probability that the row's side is preferred to the column's."""
    return np.exp(-np.logaddexp(0.0, s[None, :] - s[:, None]))


def _interval(wins: Wins, anchor: str, side: str, mode: float) -> tuple[float, float]:
    """Profile interval: where the best fit with the side's strength held falls :data:`DROP` below the best of all."""
    core, _ = _peel(wins, {anchor, side})  # what was peeled fits equally well wherever the side is held
    network = _Network.of(wins, sorted(core))
    zero, held = network.names.index(anchor), network.names.index(side)
    best = network.fit({zero: 0.0})
    wanted = network.log_posterior(best) - DROP
    fitted = best

    def profile(value: float) -> tuple[float, float]:
        nonlocal fitted
        fitted = network.fit({zero: 0.0, held: value}, fitted)  # from the last fit, which is near
        return network.log_posterior(fitted) - wanted, float(network.slope(fitted)[held])

    return _end(profile, mode, -1.0), _end(profile, mode, 1.0)


def _end(profile: Callable[[float], tuple[float, float]], mode: float, towards: float) -> float:
    """Where the profile crosses 0 on one side of the mode.

    From outside Newton's method stays outside, for a concave curve lies below its tangents; so it cannot miss.
    """
    reach = 1.0
    while profile(mode + towards * reach)[0] > 0:
        reach *= 2
    end = mode + towards * reach
    for _ in range(100):
        height, slope = profile(end)
        step = height / slope
        end -= step
        if abs(step) < NEARLY:
            break
    return end
