"""The steering of an experiment, and what a resumed run is held to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lossagent import environment
from lossagent.build import Parts
from lossagent.errors import Refused
from lossagent.mailbox import Mailbox
from lossagent.objectives.base import Objective
from lossagent.records import State
from lossagent.runs import Log
from lossagent.session.fixed import FixedRun
from lossagent.steering import Steering, Surroundings
from lossagent.trajectory import Trajectory


def steering_of(
    parts: Parts,
    log: Log,
    objective: Objective,
    release: Callable[[State], None] | None = None,
    on_event: Callable[[Trajectory], None] | None = None,
    mailbox: Mailbox | None = None,
    fixed: FixedRun | None = None,
) -> Steering:
    """The steering of an experiment, on a log.

    Raises:
        Refused: what agent, goal and log do not allow together.
    """
    experiment = parts.experiment
    return Steering(
        agent=parts.agent,
        goal=experiment.goal,
        initial=experiment.initial,
        stages=experiment.training.stages,
        log=log,
        objective=objective,
        bounds=experiment.bounds,
        seed=experiment.seed,
        can_restart=True,
        keep=experiment.training.keep,
        release=release,
        surroundings=Surroundings(
            stage_iterations=experiment.training.iterations,
            tolerance=experiment.tolerance,
            ceiling=parts.ceiling,
            loss_facts=parts.loss_facts,
            guards=parts.guards,
            fixed=fixed.feedback if fixed is not None else {},
        ),
        mailbox=mailbox,
        name=experiment.name,
        environment=environment.reproducibility(parts.device),
        on_event=on_event,
    )


def check_unchanged(parts: Parts, recorded: Mapping[str, Any]) -> None:
    """Holds a resumed run to the images that it began with.

    Raises:
        Refused: a set has other images, or other pixels, than ``environment.json`` says.
    """
    for role, images in parts.sets.record().items():
        now = {i["name"]: i["sha256"] for i in images}
        then = {i["name"]: i["sha256"] for i in recorded["image_sets"].get(role, [])}
        changed = sorted(name for name in now | then if now.get(name) != then.get(name))
        if changed:
            raise Refused(
                f"image set {role!r} is not what the run began with: {', '.join(changed[:5])}. "
                "Bring the files back, or begin a new run."
            )
