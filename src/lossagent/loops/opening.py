"""One call that makes the steering of somebody else's loop, or goes on with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from weakref import WeakValueDictionary

from lossagent.agents import Agent
from lossagent.agents.table import create as create_agent
from lossagent.chat import ChatModel
from lossagent.chat.table import create as create_chat
from lossagent.environment import record, reproducibility
from lossagent.errors import Refused
from lossagent.experiment.reading import read_yaml
from lossagent.feedback import MetricFacts
from lossagent.goal import Goal
from lossagent.iqa import licence_notice
from lossagent.loops.experts import experts_of, scoring_device
from lossagent.loops.settings import OWN, LoopSettings, parse
from lossagent.mailbox import Mailbox
from lossagent.records import State
from lossagent.runs import LOOP, RunFolder, is_run
from lossagent.steering import Steering, Surroundings
from lossagent.steering.checks import refuse_unfit, refuse_unscored
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds

_open: WeakValueDictionary[Path, Steering] = WeakValueDictionary()


def steer(
    folder: Path | str,
    losses: Mapping[str, float | int | Mapping[str, Any]] | None = None,
    *,
    metric: str | Sequence[str] | None = None,
    goal: Goal | Mapping[str, Any] | None = None,
    stages: int | None = None,
    agent: Agent | Mapping[str, Any] | str | None = None,
    chat: ChatModel | Mapping[str, Any] | None = None,
    bounds: Bounds | Mapping[str, Any] | None = None,
    seed: int | None = None,
    score: Literal["here", "elsewhere"] | None = None,
    references: Path | str | None = None,
    can_restart: bool | None = None,
    settings: Mapping[str, Any] | None = None,
    keep: int | None = None,
    release: Callable[[State], None] | None = None,
    on_event: Callable[[Trajectory], None] | None = None,
) -> Steering:
    """The steering of a loop of your own, in a folder; called again with the same folder it goes on where it was.

    A cell of a notebook that is run again takes the folder over from its earlier run.

    Args:
        folder: the run folder; ``lossagent report`` and ``lossagent dashboard`` open it.
        losses: loss name -> weight of the first stage, or settings of :class:`lossagent.loops.LoopLoss`. Left out, the
            settings in the folder stand, and what is named all the same must be as it is there; with them, what is not
            named is as usual.
        metric: what is wanted, in short: names of metrics, each in its own direction.
        goal: what is wanted, at length; exactly one of the two is given.
        stages: how many stages are trained at most, usually 10.
        agent: who decides: a kind, settings, or an object; by default the response model, ``respond``.
        chat: the language model of an agent that asks one: settings, or an object.
        bounds: what answers are projected into.
        seed: seed of the agent's draws, usually 0.
        score: ``here``, as usual: restored images are told and scored by lossagent; ``elsewhere``: scores are told.
        references: folder of originals, for metrics that compare with them.
        can_restart: whether the loop can start a stage from an earlier state; usually it cannot.
        settings: further ones of :class:`lossagent.loops.LoopSettings`: ``guards``, ``tolerance``, ``people``, ...
        keep: newest states that stay restorable beside S_0, the best and the last; ``None`` keeps all.
        release: deletes your checkpoint of a state that can no longer be gone back to.
        on_event: called after each recorded event.

    Raises:
        Refused: settings that cannot work, are named twice, or differ from those the folder was begun with; a folder
            that holds anything else.
        RunBusy: another process writes the folder.
    """
    said = {
        "stages": stages,
        "seed": seed,
        "score": score,
        "references": str(references) if references is not None else None,
        "can_restart": can_restart,
    }
    named: dict[str, Any] = {key: value for key, value in said.items() if value is not None}
    if losses is not None:
        try:
            named["losses"] = dict(losses)
        except (TypeError, ValueError):
            wanted = "name -> weight, e.g. {'l1': 1.0, 'gan': 0.01}"
            raise Refused(f"losses must be {wanted}; found {losses!r}.") from None
    named |= _wanted(metric, goal)
    if bounds is not None:
        named["bounds"] = bounds
    if isinstance(chat, Mapping):
        named["chat"] = dict(chat)
    if agent is not None:
        named["agent"] = OWN if isinstance(agent, Agent) else agent
    if twice := named.keys() & (settings or {}).keys():
        raise Refused(f"settings say once more what stands beside them: {', '.join(sorted(twice))}. Say it once.")
    path = Path(folder)
    chosen = _chosen(path, {**named, **(settings or {})}, whole=losses is not None)
    if earlier := _open.get(path.absolute()):
        earlier.replace()
    decides = agent if isinstance(agent, Agent) else _agent(chosen, None if isinstance(chat, Mapping) else chat)
    objective = experts_of(chosen, path) if chosen.score == "here" else None
    facts = dict(objective.facts) if objective is not None else chosen.facts
    refuse_unfit(decides, chosen.goal, chosen.stages, chosen.can_restart, ())
    refuse_unscored(chosen.goal, facts, objective is not None)
    log = RunFolder.open(path) if is_run(path) else RunFolder.create(path, chosen.dump(), _record(facts), LOOP)
    try:
        steering = Steering(
            agent=decides,
            goal=chosen.goal,
            initial=chosen.initial,
            stages=chosen.stages,
            log=log,
            objective=objective,
            metrics=facts,
            bounds=chosen.bounds,
            seed=chosen.seed,
            can_restart=chosen.can_restart,
            surroundings=_surroundings(chosen),
            keep=keep,
            release=release,
            name=chosen.name,
            environment=reproducibility(scoring_device()),
            mailbox=Mailbox(path),
            on_event=on_event,
            by_calls=chosen.by_calls,
        )
    except BaseException:
        log.close()
        raise
    _open[path.absolute()] = steering
    return steering


def _surroundings(chosen: LoopSettings) -> Surroundings:
    return Surroundings(
        stage_iterations=chosen.iterations,
        tolerance=chosen.tolerance,
        loss_facts={name: loss.facts for name, loss in chosen.losses.items() if loss.facts},
        guards=frozenset(chosen.facts) - {target.metric for target in chosen.goal.targets},
    )


def read_settings(folder: Path) -> LoopSettings | None:
    """The settings that a folder was begun with; ``None`` where no run of somebody else's loop is there."""
    return parse(read_yaml(folder / LOOP, "run")) if (folder / LOOP).exists() else None


def _record(facts: Mapping[str, MetricFacts]) -> dict[str, Any]:
    foreign = any(one.implementation == "pyiqa" for one in facts.values())
    return record(scoring_device(), facts, (licence_notice(),) if foreign else ())


def _agent(chosen: LoopSettings, chat: ChatModel | None) -> Agent:
    if isinstance(chosen.agent, str):
        raise Refused("the run was begun with an agent object: give it again (agent=...).")
    if chat is None and chosen.chat is not None:
        chat = create_chat(chosen.chat)
    return create_agent(chosen.agent, chat)


def _wanted(metric: str | Sequence[str] | None, goal: Goal | Mapping[str, Any] | None) -> dict[str, Any]:
    """The goal that is named, if one is."""
    if metric is not None and goal is not None:
        raise Refused("say what is wanted by exactly one of metric and goal.")
    if metric is not None:
        names = [metric] if isinstance(metric, str) else list(metric)
        return {"goal": {"targets": [{"metric": name} for name in names]}}
    if goal is not None:
        return {"goal": goal.model_dump(mode="json") if isinstance(goal, Goal) else dict(goal)}
    return {}


def _chosen(path: Path, named: Mapping[str, Any], whole: bool) -> LoopSettings:
    """The settings of the folder, which what is named must agree with; of a new one, what is named.

    Args:
        path: the folder.
        named: settings as the caller has them.
        whole: whether what is not named means the usual rather than what is there.
    """
    known = read_settings(path)
    if (known is None or whole) and "goal" not in named and "losses" in named:
        raise Refused("say what is wanted by exactly one of metric and goal.")
    if known is None:
        if is_run(path):
            raise Refused(f"{path} holds a run that steer() did not begin. Take a new folder.")
        if "losses" not in named:
            raise Refused(f"{path} holds no run yet: name its losses, e.g. losses={{'l1': 1.0, 'gan': 0.01}}.")
        return parse({"name": path.absolute().name, **named})
    asked = parse({"name": known.name, **named} if whole else {**known.dump(), **named})
    before, now = known.dump(), asked.dump()
    if changed := [key for key in now if before[key] != now[key]]:
        raise Refused(
            f"{path} was begun with other settings: {', '.join(changed)}. Take a new folder, or bring them back."
        )
    return known
