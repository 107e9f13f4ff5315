"""One call that makes the steering of somebody else's loop, or goes on with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from weakref import WeakValueDictionary

import torch
import yaml

from lossagent import environment
from lossagent.agents import Agent
from lossagent.agents.table import create as create_agent
from lossagent.chat import ChatModel
from lossagent.chat.table import create as create_chat
from lossagent.errors import Refused
from lossagent.experiment.reading import read_yaml
from lossagent.goal import Goal
from lossagent.loops.experts import experts_of
from lossagent.loops.settings import OWN, LoopSettings, parse
from lossagent.mailbox import Mailbox
from lossagent.records import State
from lossagent.runs import RunFolder, is_run, write_atomically
from lossagent.steering import Steering, Surroundings
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds

FILE = "loop.yaml"
"""Settings of a run whose training is somebody else's, in its folder."""
_open: WeakValueDictionary[Path, RunFolder] = WeakValueDictionary()


def steer(
    folder: Path | str,
    losses: Mapping[str, float | int] | None = None,
    *,
    metric: str | Sequence[str] | None = None,
    goal: Goal | Mapping[str, Any] | None = None,
    stages: int = 10,
    agent: Agent | Mapping[str, Any] | str | None = None,
    chat: ChatModel | Mapping[str, Any] | None = None,
    bounds: Bounds | Mapping[str, Any] | None = None,
    seed: int = 0,
    score: Literal["here", "elsewhere"] = "here",
    references: Path | str | None = None,
    can_restart: bool = False,
    settings: Mapping[str, Any] | None = None,
    keep: int | None = None,
    release: Callable[[State], None] | None = None,
    on_event: Callable[[Trajectory], None] | None = None,
) -> Steering:
    """The steering of a loop of your own, in a folder; called again with the same folder it goes on where it was.

    A cell of a notebook that is run again takes the folder over from its earlier run.

    Args:
        folder: the run folder; ``lossagent report`` and ``lossagent dashboard`` open it.
        losses: loss name -> weight of the first stage. Left out, the settings in the folder stand.
        metric: what is wanted, in short: names of metrics, each in its own direction.
        goal: what is wanted, at length; exactly one of the two is given.
        stages: how many stages are trained at most.
        agent: who decides: a kind, settings, or an object; by default the response model, ``respond``.
        chat: the language model of an agent that asks one: settings, or an object.
        bounds: what answers are projected into.
        seed: seed of the agent's draws.
        score: ``here``: restored images are told and scored by lossagent; ``elsewhere``: scores are told.
        references: folder of originals, for metrics that compare with them.
        can_restart: whether the loop can start a stage from an earlier state.
        settings: further ones of :class:`lossagent.loops.LoopSettings`: ``guards``, ``tolerance``, ``people``, ...
        keep: newest states that stay restorable beside S_0, the best and the last; ``None`` keeps all.
        release: deletes your checkpoint of a state that can no longer be gone back to.
        on_event: called after each recorded event.

    Raises:
        Refused: settings that cannot work, or other ones than those the folder was begun with.
        RunBusy: another process writes the folder.
    """
    asked: dict[str, Any] = {
        "stages": stages,
        "seed": seed,
        "score": score,
        "references": references,
        "can_restart": can_restart,
        **(settings or {}),
    }
    if bounds is not None:
        asked["bounds"] = bounds
    if isinstance(chat, Mapping):
        asked["chat"] = dict(chat)
    if agent is not None:
        asked["agent"] = OWN if isinstance(agent, Agent) else agent
    path = Path(folder)
    chosen = _chosen(path, losses, metric, goal, asked)
    if earlier := _open.get(path.absolute()):
        earlier.close()
    decides = agent if isinstance(agent, Agent) else _agent(chosen, None if isinstance(chat, Mapping) else chat)
    objective = experts_of(chosen, path) if chosen.score == "here" else None
    log = RunFolder.at(path)
    try:
        if not (path / FILE).exists():
            write_atomically(path / FILE, yaml.safe_dump(chosen.dump(), sort_keys=False))
        steering = Steering(
            agent=decides,
            goal=chosen.goal,
            initial=chosen.initial,
            stages=chosen.stages,
            log=log,
            objective=objective,
            metrics=chosen.facts,
            bounds=chosen.bounds,
            seed=chosen.seed,
            can_restart=chosen.can_restart,
            surroundings=Surroundings(
                stage_iterations=chosen.iterations,
                tolerance=chosen.tolerance,
                loss_facts={name: loss.facts for name, loss in chosen.losses.items() if loss.facts},
                guards=frozenset(chosen.facts) - {target.metric for target in chosen.goal.targets},
            ),
            keep=keep,
            release=release,
            name=chosen.name,
            environment=environment.reproducibility(torch.device("cpu")),
            mailbox=Mailbox(path),
            on_event=on_event,
        )
    except BaseException:
        log.close()
        raise
    _open[path.absolute()] = log
    return steering


def read_settings(folder: Path) -> LoopSettings | None:
    """The settings that a folder was begun with; ``None`` where no such run is there."""
    return parse(read_yaml(folder / FILE, "run")) if is_run(folder) and (folder / FILE).exists() else None


def _agent(chosen: LoopSettings, chat: ChatModel | None) -> Agent:
    if isinstance(chosen.agent, str):
        raise Refused("the run was begun with an agent object: give it again (agent=...).")
    if chat is None and chosen.chat is not None:
        chat = create_chat(chosen.chat)
    return create_agent(chosen.agent, chat)


def _chosen(
    path: Path,
    losses: Mapping[str, float | int] | None,
    metric: str | Sequence[str] | None,
    goal: Goal | Mapping[str, Any] | None,
    settings: Mapping[str, Any],
) -> LoopSettings:
    """The settings asked for, which must be those of the folder; or those of the folder where none are named."""
    known = read_settings(path)
    if losses is None:
        if known is None:
            raise Refused(f"{path} holds no run yet: name its losses, e.g. losses={{'l1': 1.0, 'gan': 0.01}}.")
        return known
    if (metric is None) == (goal is None):
        raise Refused("say what is wanted by exactly one of metric and goal.")
    names = [metric] if isinstance(metric, str) else list(metric or ())
    wanted = {"targets": [{"metric": name} for name in names]} if goal is None else _plain(goal)
    asked = parse({"name": path.absolute().name, "losses": dict(losses), "goal": wanted, **settings})
    if known is not None and (changed := _changed(known, asked)):
        raise Refused(
            f"{path} was begun with other settings: {', '.join(changed)}. Take a new folder, or bring them back."
        )
    return asked


def _plain(goal: Goal | Mapping[str, Any]) -> dict[str, Any]:
    return goal.model_dump(mode="json") if isinstance(goal, Goal) else dict(goal)


def _changed(known: LoopSettings, asked: LoopSettings) -> list[str]:
    before, now = known.dump(), asked.dump()
    return [key for key in now if before[key] != now[key]]
