"""Plans of weights, made beforehand: ramps, steps, and tables with a row for each stage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from lossagent.errors import Refused, UnknownName
from lossagent.trajectory import Trajectory
from lossagent.weights import Weights

SAME = 1e-5
"""Relative difference of weights that are the same: text has six digits."""


@runtime_checkable
class Plan(Protocol):
    """The weights of every stage."""

    def fit(self, initial: Weights) -> None:
        """Raises Refused where the plan is of other losses than ``initial``, or begins elsewhere."""
        ...

    def at(self, depth: int, stages: int, initial: Weights) -> dict[str, float]:
        """Loss name -> weight of the stage that leads to a depth, 0 where off.

        Args:
            depth: 1 for the first stage.
            stages: stages of the run.
            initial: weights of the first stage.
        """
        ...


@dataclass(frozen=True)
class Ramp:
    """From the initial weights to the ``end`` weights, geometrically: log w moves by the same for each stage, or
    along half a cosine, slowly at both ends. Losses that are not named stay.

    Attributes:
        end: loss name -> weight of the last stage, > 0.
        curve: ``"linear"`` or ``"cosine"``.
    """

    end: Mapping[str, float]
    curve: Literal["linear", "cosine"] = "linear"

    def __post_init__(self) -> None:
        if not self.end:
            raise Refused(f"end of a {self.curve} schedule must name the weights to move to; found none.")
        _require_positive(self.end, "end weight")

    def fit(self, initial: Weights) -> None:
        _require_on(self.end, initial, "end")

    def at(self, depth: int, stages: int, initial: Weights) -> dict[str, float]:
        gone = min((depth - 1) / (stages - 1), 1.0) if stages > 1 else 0.0
        part = gone if self.curve == "linear" else (1 - math.cos(math.pi * gone)) / 2
        values = initial.values()
        for name, end in self.end.items():
            values[name] = end if gone == 1 else values[name] * (end / values[name]) ** part
        return values


@dataclass(frozen=True)
class Steps:
    """The initial weights times every factor whose stage has come.

    Attributes:
        factors: depth of the first stage (>= 2) -> loss name -> factor > 0.
    """

    factors: Mapping[int, Mapping[str, float]]

    def __post_init__(self) -> None:
        if not self.factors:
            raise Refused("factors of a step schedule must name stages; found none.")
        for depth, factors in self.factors.items():
            if depth < 2:
                raise Refused(f"factors count from stage 2, the first one has the initial weights; found {depth}.")
            _require_positive(factors, f"factor of stage {depth}")

    def fit(self, initial: Weights) -> None:
        for factors in self.factors.values():
            _require_on(factors, initial, "factors")

    def at(self, depth: int, stages: int, initial: Weights) -> dict[str, float]:
        del stages
        values = initial.values()
        for since in sorted(self.factors):
            for name, factor in self.factors[since].items() if since <= depth else ():
                values[name] *= factor
        return values


@dataclass(frozen=True)
class Table:
    """A row of weights for each stage; the last row is kept.

    Attributes:
        rows: weights of stage 1, 2, ...: every loss by name, 0 for off. The first row is the initial weights.
    """

    rows: Sequence[Mapping[str, float]]

    def __post_init__(self) -> None:
        if not self.rows:
            raise Refused("a schedule's table must have a row for the first stage; found none.")
        for row in self.rows:
            Weights.of(row)

    @classmethod
    def of(cls, trajectory: Trajectory, state: int) -> Table:
        """The weights of the path from S_0 to a state, exactly.

        Raises:
            Refused: S_0, to which no stage leads.
        """
        path = trajectory.path(state)[1:]
        return cls(tuple(trajectory.weights_at(one.id).values() for one in path))

    def fit(self, initial: Weights) -> None:
        for number, row in enumerate(self.rows, 1):
            for name in row:
                _require_known(name, initial, "table")
            if missing := [name for name in initial.names if name not in row]:
                raise Refused(f"row {number} of the schedule's table must name every loss; {missing[0]!r} is missing.")
        first = self.rows[0]
        if any(not math.isclose(first[n], initial[n], rel_tol=SAME) for n in initial.names):
            raise Refused(
                f"row 1 of the schedule's table must be the weights that the losses begin with, {initial}; "
                f"found {Weights.of({n: first[n] for n in initial.names})}. Set the losses' own weights to it."
            )

    def at(self, depth: int, stages: int, initial: Weights) -> dict[str, float]:
        del stages
        row = self.rows[min(depth, len(self.rows)) - 1]
        return {name: row[name] for name in initial.names}


def _require_positive(values: Mapping[str, float], what: str) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise Refused(
                f"{what} of {name!r} must be a finite number > 0 (a table switches losses off); found {value}."
            )


def _require_known(name: str, initial: Weights, where: str) -> None:
    if name not in initial.magnitudes:
        raise UnknownName(f"loss in the schedule's {where}", name, initial.names)


def _require_on(names: Mapping[str, float], initial: Weights, where: str) -> None:
    for name in names:
        _require_known(name, initial, where)
        if name in initial.off:
            raise Refused(
                f"loss {name!r} in the schedule's {where} is off at the start, and 0 cannot be multiplied up: "
                "give it a weight, or use a table."
            )
