"""The parts of a study file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lossagent.experiment.base import NAME, Settings

FIXED = "fixed"
"""The arm that limits may be relative to."""
FULL = f"{FIXED}@"
"""Names of full runs under other fixed weights begin so."""


def best_of(runs: int) -> str:
    """Name of the derived arm that is the best of so many full runs under fixed weights."""
    return f"tuned-fixed ({runs}x)"


Seed = Annotated[int, Field(ge=0, lt=2**63)]


class SeedRange(Settings):
    """Seeds in a row.

    Attributes:
        first: the first seed.
        count: how many seeds follow, the first one among them.
    """

    first: Seed = 0
    count: int = Field(ge=1)


Seeds = tuple[Seed, ...] | SeedRange
"""Seeds, listed or as a range."""


def listed(seeds: Seeds) -> tuple[int, ...]:
    """The seeds one by one, each once."""
    if isinstance(seeds, SeedRange):
        return tuple(range(seeds.first, seeds.first + seeds.count))
    return tuple(dict.fromkeys(seeds))


class Arm(Settings):
    """One arm: what its experiment has that the others have not; ``seeds`` among it are the arm's own.

    Attributes:
        changes: of the experiment; in a file they stand beside ``seeds``.
        seeds: its own, ``None`` for the study's.
    """

    changes: dict[str, Any] = Field(default={})
    seeds: Seeds | None = None

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, data: Any) -> Any:  # noqa: ANN401  (raw YAML)
        if isinstance(data, dict) and not (data.keys() <= {"changes", "seeds"}):
            return {
                "changes": {k: v for k, v in data.items() if k != "seeds"},  # pyright: ignore[reportUnknownVariableType]
                "seeds": data.get("seeds"),  # pyright: ignore[reportUnknownMemberType]
            }
        return {} if data is None else data


class Tuned(Settings):
    """Full runs under other fixed weights; arms named ``fixed@NAME``.

    Attributes:
        full: name -> loss -> weight of the whole run; losses left out keep theirs.
        seeds: seeds of the full runs, ``None`` for the study's.
    """

    full: Annotated[
        dict[Annotated[str, Field(pattern=NAME)], dict[str, Annotated[float | int, Field(ge=0, allow_inf_nan=False)]]],
        Field(min_length=1),
    ]
    seeds: Seeds | None = None


class Limit(Settings):
    """What has to hold for a claim.

    Attributes:
        metric: name of the metric.
        at_least: the score may be no lower than this; exactly one of ``at_least`` and ``at_most`` is given.
        at_most: the score may be no higher than this.
        relative_to: what the limit is an offset to: nothing (``absolute``), the score of S_0 (``start``), or that of
            the ``fixed`` arm of the same seed.
        times: the limit is a factor of that score, not an offset: ``at_most: 1.05`` allows 5 % more.
    """

    metric: str
    at_least: float | int | None = Field(default=None, allow_inf_nan=False)
    at_most: float | int | None = Field(default=None, allow_inf_nan=False)
    relative_to: Literal["absolute", "start", "fixed"] = "absolute"
    times: bool = False

    @model_validator(mode="after")
    def _valid(self) -> Limit:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"a limit needs exactly one of at_least and at_most; found {self.metric}")
        if self.times and self.relative_to == "absolute":
            raise ValueError("times: true multiplies another score; found relative_to: absolute")
        return self


class Primary(Settings):
    """The one comparison that the conclusion rests on.

    Attributes:
        arm: the arm that the claim is about.
        against: the arm that it is compared with; ``tuned-fixed (Kx)`` is the best of K full runs, ``fixed`` being one.
        metric: the score that is compared, that of the selected states.
        set: the test set whose images are scored.
        objective: name of the objective that it is about, ``None`` where there is one.
        test: the paired test over seeds: ``permutation`` of signs, or Student's ``t``.
        guards: limits that the better arm has to keep, in the mean over seeds.
    """

    arm: str
    against: str
    metric: str
    set: str
    objective: str | None = None
    test: Literal["permutation", "t"] = "permutation"
    guards: tuple[Limit, ...] = ()
