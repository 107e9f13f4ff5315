"""What a study runs: arms x objectives x seeds, each a complete experiment."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, PrivateAttr, ValidationError, model_validator

from lossagent import recipes
from lossagent.errors import Refused
from lossagent.experiment import Experiment, override, read_yaml
from lossagent.experiment.base import NAME, Settings
from lossagent.study.checking import check_experiments, check_primary
from lossagent.study.deriving import experiment_for, merged
from lossagent.study.jobs import Job
from lossagent.study.settings import FIXED, FULL, Arm, Primary, Seeds, Tuned, best_of, listed


class Study(Settings):
    """A study. The experiment comes from a file, a recipe, or stands inside.

    Attributes:
        name: name of the study.
        experiment: path of the experiment file, relative to the study file.
        recipe: name of a recipe in the place of a file, perhaps with its scale: ``classical-sr-small``.
        base: the experiment itself in the place of a file; :meth:`load` puts it here, with ``changes`` and overrides
            merged in.
        changes: what all arms have that the experiment has not; merged into it.
        seeds: seeds of all arms that have none of their own.
        objectives: name -> what the experiment has under this objective.
        arms: name -> what the experiment has in this arm.
        tuned: full runs under other fixed weights, the best of which arms are compared with.
        primary: the comparison that the conclusion rests on.
        know_fixed: every arm knows the fixed arm's scores of its seed, depth by depth, so that agents can take the
            drift off. The fixed run is then a cost of every arm; the page says so.
    """

    name: str = Field(pattern=NAME)
    experiment: str | None = None
    recipe: str | None = None
    base: dict[str, Any] | None = None
    changes: dict[str, Any] = Field(default={})
    seeds: Seeds = (0, 1, 2, 3, 4)
    objectives: Annotated[dict[Annotated[str, Field(pattern=NAME)], dict[str, Any]], Field(min_length=1)] = Field(
        default={"goal": {}}
    )
    arms: Annotated[dict[Annotated[str, Field(pattern=NAME)], Arm], Field(min_length=1)]
    tuned: Tuned | None = None
    primary: Primary | None = None
    know_fixed: bool = False
    _experiments: dict[Job, Experiment] = PrivateAttr(default_factory=dict[Job, Experiment])

    @model_validator(mode="after")
    def _one_base(self) -> Study:
        given = [k for k in ("experiment", "recipe", "base") if getattr(self, k) is not None]
        if len(given) != 1:
            raise ValueError(
                "a study needs exactly one of experiment (a file), recipe (a name) and base (the experiment itself); "
                f"found {', '.join(given) or 'none'}"
            )
        return self

    @classmethod
    def load(cls, path: Path, overrides: Sequence[str] = ()) -> Study:
        """A study from its file, with its experiment inside and every experiment of it checked.

        Args:
            path: ``STUDY.yaml``.
            overrides: dotted changes of the experiment, such as ``training.stages=8``; they go before ``changes``.

        Raises:
            Refused: no such file, not YAML, or an experiment that cannot be; the key, what was wanted and found.
        """
        study = parse(read_yaml(path, "study"))
        if study.base is not None:
            base = study.base
        elif study.experiment is not None:
            base = read_yaml(path.parent / study.experiment, "experiment")
        else:
            assert study.recipe is not None
            base = _recipe(study.recipe)
        whole = override(merged(base, study.changes), overrides)
        found = parse(study.model_dump() | {"experiment": None, "recipe": None, "base": whole, "changes": {}})
        check(found)
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """The arms, those under other fixed weights included, in order."""
        return (*self.arms, *(f"{FULL}{name}" for name in (self.tuned.full if self.tuned is not None else ())))

    @property
    def best_of_full(self) -> str | None:
        """Name of the derived arm: the best of K full runs under fixed weights, at K times the budget."""
        if self.tuned is None:
            return None
        return best_of(len(self.tuned.full) + (FIXED in self.arms))

    def seeds_of(self, arm: str) -> tuple[int, ...]:
        """The seeds of an arm."""
        own = self.arms[arm].seeds if arm in self.arms else self.tuned.seeds if self.tuned is not None else None
        return listed(own if own is not None else self.seeds)

    @functools.cached_property
    def jobs(self) -> tuple[Job, ...]:
        """Every run, in the order in which they are begun: all arms of a seed before the next, the fixed arm first.

        A study that is cut short has then whole seeds.
        """
        seeds = sorted({seed for arm in self.names for seed in self.seeds_of(arm)})
        order = sorted(self.names, key=lambda arm: arm != FIXED)
        return tuple(
            Job(arm, objective, seed)
            for seed in seeds
            for objective in self.objectives
            for arm in order
            if seed in self.seeds_of(arm)
        )

    def experiment_of(self, job: Job) -> Experiment:
        """The experiment of a run, complete.

        Raises:
            Refused: it cannot be; the arm is named.
        """
        if job not in self._experiments:
            self._experiments[job] = self._experiment(job)
        return self._experiments[job]

    def _experiment(self, job: Job) -> Experiment:
        assert self.base is not None, "a study comes from Study.load"
        changes = [self.objectives[job.objective]]
        if job.arm in self.arms:
            changes.append(self.arms[job.arm].changes)
        else:
            assert self.tuned is not None
            weights = self.tuned.full[job.arm.removeprefix(FULL)]
            fixed = self.arms[FIXED].changes if FIXED in self.arms else {}
            losses = {name: {"weight": weight} for name, weight in weights.items()}
            changes += [fixed, {"agent": {"kind": "fixed"}, "losses": losses}]
        return experiment_for(self.base, changes, job.arm, job.objective, job.seed)

    def needs(self, job: Job) -> Job | None:
        """The run that has to be finished before one can begin: the fixed one of its seed, where it matters."""
        if job.arm == FIXED:
            return None
        relative = any(c.relative_to == FIXED for c in self.experiment_of(job).goal.constraints)
        return Job(FIXED, job.objective, job.seed) if relative or self.know_fixed else None


def parse(data: Mapping[str, Any]) -> Study:
    """A study from plain data.

    Raises:
        Refused: every problem with its key.
    """
    try:
        return Study.model_validate(data)
    except ValidationError as error:
        raise Refused("the study cannot be run:\n" + "\n".join(f"  {_sentence(e)}" for e in error.errors())) from None


def check(study: Study) -> None:
    """Makes every experiment, and looks whether they can be compared.

    Raises:
        Refused: an experiment that cannot be, arms of different budgets, a primary comparison of what is not there.
    """
    experiments = {job: study.experiment_of(job) for job in study.jobs}
    check_experiments(experiments, {job: study.needs(job) for job in study.jobs})
    if study.primary is not None:
        arms = {arm: study.seeds_of(arm) for arm in study.names}
        check_primary(study.primary, arms, experiments, study.best_of_full)


def _recipe(name: str) -> dict[str, Any]:
    """A recipe's experiment: ``classical-sr-small``, or ``classical-sr`` for its default scale."""
    task, _, scale = name.rpartition("-")
    text = recipes.text(task, scale) if task in recipes.names() else recipes.text(name)
    return yaml.safe_load(text)


def _sentence(error: Any) -> str:  # noqa: ANN401  (pydantic's typed dictionary)
    where = ".".join(str(part) for part in error["loc"]) or "study"
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(where, Study.model_fields, n=1)
        known = f" Known: {', '.join(sorted(Study.model_fields))}." if len(error["loc"]) == 1 else ""
        return f"{where}: unknown key." + (f" Did you mean {near[0]!r}?" if near else known)
    message = error["msg"].removeprefix("Value error, ")
    if "; found " in message:
        return f"{where}: {message}"
    return f"{where}: {message}; found {str(error['input'])[:80]}"
