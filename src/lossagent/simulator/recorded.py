"""The recorded runs that a response model is fitted to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lossagent.errors import Refused
from lossagent.experiment import Experiment, load, read_yaml
from lossagent.feedback import MetricFacts
from lossagent.goal import Goal
from lossagent.losses import LOSSES
from lossagent.records import Record
from lossagent.runs import is_run, read_trajectory
from lossagent.study.jobs import Job
from lossagent.study.outcome import RESULTS, Outcome, read_outcomes
from lossagent.study.plan import Study, parse
from lossagent.study.recording import outcome_of
from lossagent.study.settings import FIXED, FULL
from lossagent.weights import Bounds, Weights


class Setting(Record):
    """What recorded runs have in common, and simulated ones take over.

    Attributes:
        initial: weights of the first stage.
        goal: what is wanted.
        bounds: what answers are projected into; those of the fixed arm where a study has one.
        tolerance: metric -> change that counts as noise where it is not estimable; likewise.
        stages: of a run.
        iterations, warmup: optimizer steps of a stage, and before S_0.
        facts: of every metric scored.
        guards: metrics that are watched, not steered by.
        loss_facts: loss name -> one line on what it does.
        objective: name of the objective in a study.
        know_fixed: whether every arm knows the fixed run's scores.
    """

    initial: Weights
    goal: Goal
    bounds: Bounds
    tolerance: dict[str, float]
    stages: int
    iterations: int
    warmup: int
    facts: dict[str, MetricFacts]
    guards: tuple[str, ...]
    loss_facts: dict[str, str]
    objective: str
    know_fixed: bool


@dataclass(frozen=True)
class Recorded:
    """Finished runs.

    Attributes:
        outcomes: one a run.
        setting: what they have in common.
        left_out: why runs were left out, one sentence each.
    """

    outcomes: tuple[Outcome, ...]
    setting: Setting
    left_out: tuple[str, ...] = ()


def read_recorded(paths: Sequence[Path], objective: str | None = None) -> Recorded:
    """Reads study folders and run folders.

    Args:
        paths: folders of studies (with ``results/``) and of finished runs.
        objective: of a study; needed where it has several.

    Raises:
        Refused: no runs; several objectives; runs of other losses or other stage lengths.
    """
    outcomes: list[Outcome] = []
    origins: list[tuple[tuple[Outcome, ...], Experiment, bool]] = []
    left_out: list[str] = []
    for path in paths:
        if (path / RESULTS).is_dir():
            study = parse(read_yaml(path / "study.yaml", "study"))
            _refuse_simulated(path)
            every = [o for o in read_outcomes(path) if objective in (None, o.objective)]
            found = [o for o in every if Job(o.arm, o.objective, o.seed) in study.jobs]
            if len(found) < len(every):
                left_out.append(f"{len(every) - len(found)} runs in {path} that its study.yaml does not ask for.")
            outcomes += found
            if found:
                origins.append((tuple(found), _experiment(study, found), study.know_fixed))
        elif is_run(path):
            experiment = load(path / "experiment.yaml")
            if read_trajectory(path).finished is None:
                left_out.append(f"{path} is not finished.")
                continue
            arm = str(experiment.dump()["agent"]["kind"])
            outcomes.append(outcome_of(path, Job(arm, objective or "goal", experiment.seed), experiment))
            origins.append(((outcomes[-1],), experiment, False))
        else:
            raise Refused(f"{path} must be a study folder (with {RESULTS}/) or a run folder; found neither.")
    if not outcomes:
        raise Refused(f"there is no finished run in {', '.join(map(str, paths))}: nothing to fit.")
    kept, more = _alike(outcomes)
    ids = {id(one) for one in kept}
    experiment, know_fixed = next((e, k) for found, e, k in origins if any(id(one) in ids for one in found))
    return Recorded(kept, _setting(kept, experiment, know_fixed), (*left_out, *more))


def _refuse_simulated(path: Path) -> None:
    if (path / "simulated.json").exists():
        raise Refused(f"{path} is a simulated study: a response model is fitted to real runs alone.")


def _experiment(study: Study, found: Sequence[Outcome]) -> Experiment:
    """Of the fixed arm, else of an arm that changes nothing but its agent, else of the first."""
    usual = min(found, key=lambda o: (o.arm != FIXED, o.arm not in study.arms or len(study.arms[o.arm].changes)))
    return study.experiment_of(Job(usual.arm, usual.objective, usual.seed))


def _alike(outcomes: Sequence[Outcome]) -> tuple[tuple[Outcome, ...], list[str]]:
    """The runs of the losses and stage length that most have; and what was left out."""
    objectives = sorted({o.objective for o in outcomes})
    if len(objectives) > 1:
        raise Refused(f"the runs have several objectives ({', '.join(objectives)}): name one with --objective.")
    kinds = Counter((o.initial.names, stage_length(o)) for o in outcomes)
    (losses, length), _ = kinds.most_common(1)[0]
    kept = tuple(o for o in outcomes if (o.initial.names, stage_length(o)) == (losses, length))
    said = [
        f"{n} runs of losses {':'.join(names)} and {its} iterations a stage: the model is of {':'.join(losses)} and "
        f"{length}."
        for (names, its), n in kinds.items()
        if (names, its) != (losses, length)
    ]
    return kept, said


def stage_length(outcome: Outcome) -> int:
    """Optimizer steps of most stages of a run."""
    lengths = Counter(s.report.iterations for s in outcome.states[1:] if s.report is not None)
    return lengths.most_common(1)[0][0] if lengths else 0


def _setting(outcomes: Sequence[Outcome], experiment: Experiment, know_fixed: bool) -> Setting:
    one = max(outcomes, key=lambda o: len(o.goal.constraints))  # a fixed arm has no limits relative to itself
    initial = Counter(str(o.initial) for o in outcomes if not o.arm.startswith(FULL))
    usual = next((o.initial for o in outcomes if str(o.initial) in dict(initial.most_common(1))), one.initial)
    warmups = [o.states[0].report.iterations for o in outcomes if o.states[0].report is not None]
    return Setting(
        initial=usual,
        goal=one.goal,
        bounds=experiment.bounds,
        tolerance=experiment.tolerance,
        stages=max(len(o.states) for o in outcomes) - 1,
        iterations=stage_length(one),
        warmup=max(warmups, default=0),
        facts={name: facts for o in outcomes for name, facts in o.facts.items()},
        guards=tuple(n for n in one.facts if n not in {t.metric for t in one.goal.targets}),
        loss_facts={n: LOSSES.facts(loss.kind) for n, loss in experiment.losses.items() if n in one.initial.names},
        objective=one.objective,
        know_fixed=know_fixed,
    )
