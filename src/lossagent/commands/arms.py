"""Runs of one experiment under several agents, at the same budget, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from lossagent import evaluation
from lossagent.console import Narrator
from lossagent.errors import Interrupted, Refused, Waiting
from lossagent.experiment import Experiment, load, located, parse
from lossagent.experiment.metrics import PEOPLE
from lossagent.runs import is_run, read_trajectory, refuse_existing
from lossagent.session import Session

BASELINES = {
    "fixed": ("the initial weights throughout", {"kind": "fixed"}),
    "random": ("random moves with the same rollback", {"kind": "random"}),
}
"""Agents that a steered run is shown beside: what they do, and their settings."""


def baseline(experiment: Experiment, name: str) -> Experiment:
    """The experiment with a baseline for an agent; a random one has the rollback of the agent it replaces.

    Raises:
        Refused: another name.
    """
    if name not in BASELINES:
        raise Refused(f"--beside takes {' or '.join(BASELINES)}; found {name!r}.")
    agent = dict(BASELINES[name][1])
    data = experiment.dump()
    if name == "fixed":
        # Nothing can be relative to the run itself, and nobody is asked about a run that is not steered.
        limits = data["goal"]["constraints"]
        data["guards"] = list(dict.fromkeys([*data["guards"], *(c["metric"] for c in limits)]))
        data["goal"]["constraints"] = [c for c in limits if c["relative_to"] != "fixed" and c["metric"] not in PEOPLE]
        # Every depth may be asked for, and people may see as many of its pictures as of the other's.
        data["training"]["keep"] = None
        data["pictures"] = max(experiment.pictures, experiment.people.final if experiment.people is not None else 0)
        data["goal"]["targets"] = [t for t in data["goal"]["targets"] if t["metric"] not in PEOPLE]
        if not (data["goal"]["targets"] or data["goal"]["wish"]):
            data["goal"]["wish"] = "what people prefer"
        data["tolerance"] = {m: v for m, v in data["tolerance"].items() if m not in PEOPLE}
        data["guards"] = [g for g in data["guards"] if g not in PEOPLE]
        data |= {"people": None, "reviewers": {}, "fixed_run": None}
    if name == "random":
        agent["rollback"] = data["agent"].get("rollback", False)
        data["reviewers"] = {}  # it reads no words
    return parse({**data, "name": f"{experiment.name}-{name}", "agent": agent, "chat": None})


def carry_out(experiment: Experiment, folder: Path, depth: int | None, console: Console, again: str) -> int:
    """Carries out one run, or what is left of it; returns the depth of its selected state.

    Args:
        experiment: what to run.
        folder: its run folder, new or begun.
        depth: depth at which the run is scored on the test sets besides, ``None`` for none.
        console: where progress goes.
        again: the command that goes on after an interruption.

    Raises:
        Refused: the folder holds a run with other settings.
        Interrupted: stopped on request.
    """
    narrator = Narrator(console, f"[{experiment.name}]", experiment.training.stages)
    refuse_other(folder, experiment)
    if not settled(folder, experiment, depth):
        begun = is_run(folder)
        session = Session.resume(folder, narrator.watch) if begun else Session.start(experiment, folder, narrator.watch)
        session.also_depth = depth
        narrator.heed(session.steering)
        try:
            with narrator.bars():
                session.run()
        except KeyboardInterrupt as error:
            what = f"{error} " if isinstance(error, Interrupted) else ""
            raise Interrupted(f"{what}Start it again to go on: {again}") from error
        except Waiting as error:
            raise Waiting(f"{error} Start it again to go on: {again}", error.until) from error
    trajectory = read_trajectory(folder)
    assert trajectory.finished is not None, "an evaluated run is finished"
    return trajectory.states[trajectory.finished.selected].depth


def settled(folder: Path, experiment: Experiment, depth: int | None) -> bool:
    """Whether nothing is left to do in a run folder: trained, evaluated, and judged by people who are asked to.

    Args:
        folder: the run folder.
        experiment: the run.
        depth: depth at which it has to be evaluated besides, ``None`` for none.
    """
    if not (folder / evaluation.FILE).exists():
        return False
    trajectory = read_trajectory(folder)
    if trajectory.finished is None:
        return False
    there = any(s.depth == depth and s.restorable for s in trajectory.path(trajectory.scored[-1].id))
    if there and not evaluation.has_row(folder, f"depth {depth}"):
        return False
    if experiment.people is None or experiment.people.final == 0:
        return True
    question = trajectory.panel.question(trajectory.finished.selected, "final")
    return question is not None and question.closed


def refuse_other(folder: Path, experiment: Experiment) -> None:
    """Refuses a folder that holds anything but this run, before an hour of another one."""
    if not is_run(folder):
        refuse_existing(folder)
    elif load(folder / "experiment.yaml") != located(experiment):
        raise Refused(f"{folder} holds a run with other settings. Choose another --out, or leave the settings alone.")


def carry_out_beside(
    experiment: Experiment, folder: Path, beside: Sequence[str], console: Console, again: str
) -> list[Path]:
    """A run and its baselines in folders beside it (``NAME-fixed``); returns the folders, the run's first.

    The fixed run comes first where the others need it: for constraints relative to it, and for people's last word.
    """
    arms = {folder: experiment} | {
        folder.with_name(f"{folder.name}-{name}"): baseline(experiment, name) for name in beside
    }
    fixed = folder.with_name(f"{folder.name}-fixed")
    if fixed in arms and experiment.fixed_run is None and needs_fixed(experiment):
        known = {"fixed_run": fixed}
        arms = {fixed: arms[fixed]} | {
            place: arm.model_copy(update=known) for place, arm in arms.items() if place != fixed
        }
    for place, arm in arms.items():
        refuse_other(place, arm)
    depth: int | None = None
    for place, arm in arms.items():
        selected = carry_out(arm, place, depth, console, again)
        depth = selected if place == folder else depth
    if fixed in arms and place_of(arms, fixed) < place_of(arms, folder):
        carry_out(arms[fixed], fixed, depth, console, again)  # at the depth that is known by now
    return [folder, *(place for place in arms if place != folder)]


def place_of(arms: Mapping[Path, Experiment], folder: Path) -> int:
    """The position of an arm in the order in which they are carried out."""
    return list(arms).index(folder)


def without_fixed(experiment: Experiment) -> Experiment:
    """The experiment without the limits that are relative to a fixed run, which is not known yet."""
    limits = tuple(c for c in experiment.goal.constraints if c.relative_to != "fixed")
    return experiment.model_copy(update={"goal": experiment.goal.model_copy(update={"constraints": limits})})


def needs_fixed(experiment: Experiment) -> bool:
    """Whether a run wants to know the fixed run while it goes on."""
    relative = any(c.relative_to == "fixed" for c in experiment.goal.constraints)
    return relative or (experiment.people is not None and experiment.people.final > 0)
