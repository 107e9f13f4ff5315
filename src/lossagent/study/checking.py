"""Whether the arms of a study can be compared."""

from __future__ import annotations

from collections.abc import Mapping

from lossagent.build.scores import AGAINST_INPUT, AGAINST_START
from lossagent.errors import Refused, UnknownName
from lossagent.experiment import Experiment
from lossagent.experiment.metrics import SHIFTED
from lossagent.study.jobs import Job
from lossagent.study.settings import FIXED, FULL, Primary

ALWAYS = frozenset({"psnr_y", SHIFTED, "lattice"}) | AGAINST_INPUT | AGAINST_START
"""Metrics that runs measure without being told, where they can."""
BUDGET = "stages x iterations, warm-up, batch"


def check_experiments(experiments: Mapping[Job, Experiment], needs: Mapping[Job, Job | None]) -> None:
    """Looks whether runs can be compared: the same budget, the same test sets, nobody to wait for.

    Args:
        experiments: of every run.
        needs: run -> the fixed run that it has to know.

    Raises:
        Refused: they cannot; what differs is named.
    """
    budgets: dict[tuple[int, int, int], str] = {}
    tests: dict[str, tuple[object, str]] = {}
    for job, experiment in experiments.items():
        if experiment.people is not None:
            raise Refused(
                f"arm {job.arm!r}: people would be waited for in every run of the study (people); give people: null."
            )
        if experiment.fixed_run is not None:
            raise Refused(
                f"arm {job.arm!r}: fixed_run is the study's own arm {FIXED!r}, run by run; leave fixed_run out."
            )
        training = experiment.training
        budgets.setdefault((training.length, training.warmup, training.batch), job.arm)
        test, arm = tests.setdefault(job.objective, (experiment.data.test, job.arm))
        if test != experiment.data.test:
            raise Refused(
                f"data.test: arms {arm!r} and {job.arm!r} of objective {job.objective!r} have different test sets; "
                "they would not be compared on the same images."
            )
        _check_needed(job, needs[job], experiments)
    if len(budgets) > 1:
        found = "; ".join(f"{arm}: {s[0]}, {s[1]}, {s[2]}" for s, arm in budgets.items())
        raise Refused(f"training: every arm needs the same budget ({BUDGET}); found {found}.")


def _check_needed(job: Job, needed: Job | None, experiments: Mapping[Job, Experiment]) -> None:
    if needed is None:
        return
    if needed not in experiments:
        raise Refused(
            f"arm {job.arm!r}, seed {job.seed}: it has to know the fixed weights' scores (goal.constraints "
            f"relative_to: fixed, or know_fixed), and there is no arm {FIXED!r} of that objective and seed. "
            "Give it these seeds."
        )
    ours, theirs = experiments[job].training, experiments[needed].training
    if (ours.stages, ours.iterations) != (theirs.stages, theirs.iterations):
        raise Refused(
            f"arm {job.arm!r}: {ours.stages} stages of {ours.iterations} iterations cannot be set against the fixed "
            f"arm's {theirs.stages} of {theirs.iterations}, depth by depth; leave limits relative to it out."
        )
    measured = {*experiments[needed].goal.metrics, *experiments[needed].guards, *ALWAYS}
    for constraint in experiments[job].goal.constraints:
        if constraint.relative_to == FIXED and constraint.metric not in measured:
            raise Refused(
                f"arm {FIXED!r}: it does not measure {constraint.metric!r}, which a limit of arm {job.arm!r} is "
                "relative to. Name it among the guards."
            )


def check_primary(
    primary: Primary, arms: Mapping[str, tuple[int, ...]], experiments: Mapping[Job, Experiment], derived: str | None
) -> None:
    """Looks whether the primary comparison can be made.

    Args:
        primary: what it is.
        arms: arm -> seeds.
        experiments: of every run.
        derived: name of the arm that is the best of full runs.

    Raises:
        Refused: an arm, objective, metric or set that is not there, or fewer than two seeds in common (of the derived
            arm: seeds of all the full runs).
    """
    names = [*arms, *([derived] if derived is not None else [])]
    for key, arm in (("arm", primary.arm), ("against", primary.against)):
        if arm not in names:
            raise UnknownName(f"arm of primary.{key}", arm, names)
    objectives = list(dict.fromkeys(job.objective for job in experiments))
    if primary.objective is None and len(objectives) > 1:
        raise Refused(f"primary.objective: wanted one of {', '.join(objectives)}; found none.")
    objective = primary.objective or objectives[0]
    if objective not in objectives:
        raise UnknownName("objective of primary", objective, objectives)
    if primary.arm == primary.against:
        raise Refused(f"primary: an arm cannot be compared with itself; found {primary.arm!r} twice.")
    # The derived arm has the seeds that every full run has.
    full = [arm for arm in arms if arm == FIXED or arm.startswith(FULL)]
    made_of = {derived: full} if derived is not None else {}
    common = [set(arms[one]) for arm in (primary.arm, primary.against) for one in made_of.get(arm, [arm])]
    if len(set.intersection(*common)) < 2:
        several = (
            f" {derived} has those of {', '.join(full)} alike." if derived in (primary.arm, primary.against) else ""
        )
        raise Refused(f"primary: the two arms need at least 2 seeds in common, better 10; give them seeds.{several}")
    if FIXED not in arms and any(guard.relative_to == FIXED for guard in primary.guards):
        raise Refused(f"primary.guards: relative_to: fixed wants an arm {FIXED!r}; found {', '.join(arms)}.")
    compared = {primary.arm, primary.against, FIXED}
    for job, experiment in experiments.items():
        if job.objective == objective and job.arm in compared:
            _check_measured(primary, job.arm, experiment)


def _check_measured(primary: Primary, arm: str, experiment: Experiment) -> None:
    if primary.set not in experiment.data.test:
        raise UnknownName("test set of primary.set", primary.set, experiment.data.test)
    scored = {*experiment.goal.metrics, *experiment.guards, *ALWAYS}
    for metric in (primary.metric, *(guard.metric for guard in primary.guards)):
        if metric not in scored:
            raise UnknownName(f"metric of primary, for arm {arm!r} (its goal and guards)", metric, scored)
