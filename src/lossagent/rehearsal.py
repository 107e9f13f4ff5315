"""A run without a run folder: checks, the first prompt, and what it will cost."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from rich.console import Console

from lossagent.agents.base import View
from lossagent.build import Parts, build
from lossagent.build.experts import experts_of
from lossagent.errors import Waiting
from lossagent.experiment import Experiment
from lossagent.records import Message
from lossagent.runs import MemoryLog
from lossagent.session import exceptions, read_fixed, steering_of, unasked
from lossagent.training.pictures import Pictures
from lossagent.training.randomness import seed_everything
from lossagent.training.ranks import Ranks
from lossagent.training.step import Stepper

TIMED = 3
"""Steps that are timed, after one that is not."""


@runtime_checkable
class Asks(Protocol):
    """An agent that asks in words."""

    def prompts(self, view: View) -> tuple[Message, ...]:
        """The messages of its first question."""
        ...


def rehearse(experiment: Experiment, console: Console) -> None:
    """Builds everything, times a few steps, scores S_0 and shows the first prompt; nothing is written.

    With several processes all of them call it: steps are timed together, and process 0 does the rest.

    Raises:
        Refused: whatever a run would refuse.
    """
    ranks = Ranks.join()
    with ranks.together():
        parts = build(experiment if ranks.main else unasked(experiment))
    try:
        console.print("Everything fits together.")
        for warning in (*parts.warnings, *exceptions(parts)):
            console.print(f"Note: {warning}", markup=False)
        scoring = ranks.from_main(lambda: _first_prompt(parts, console))
        _estimate(parts, scoring, console)
    finally:
        parts.close()


def _first_prompt(parts: Parts, console: Console) -> float:
    """Shows S_0's scores and the first question; returns the seconds that restoring and scoring took."""
    scores = parts.objective(parts.sets.feedback, lambda name: None)
    experts = experts_of(parts, scores, lambda state, name: None, Path("RUN"))
    steering = steering_of(parts, MemoryLog(), experts, fixed=read_fixed(parts.experiment, parts.sets.record()))
    began = time.perf_counter()
    restored = Pictures(parts.sets.feedback_inputs(), parts.application, parts.device).restore(parts.networks.scored)
    try:
        start = steering.tell(0, images=restored)
    except Waiting as waiting:
        console.print(f"People are asked about every state, S_0 included: {waiting}", markup=False)
        return time.perf_counter() - began
    seconds = time.perf_counter() - began
    means = start.feedback.means() if start.feedback is not None else {}
    console.print("S_0: " + ", ".join(f"{n} {v:.4g}" for n, v in means.items() if v is not None), markup=False)
    asks = getattr(parts.agent, "agent", parts.agent)
    if isinstance(asks, Asks):
        stage = steering.ask()
        assert stage is not None
        steering.tell(stage.state, feedback=start.feedback)
        console.print("\nThe first question, with S_0's scores standing in for those of the first stage:")
        for message in asks.prompts(steering.view(steering.trajectory.head)):
            console.print(f"--- {message.role} ---\n{message.content}", markup=False)
    return seconds


def _estimate(parts: Parts, scoring: float, console: Console) -> None:
    training, ranks = parts.experiment.training, parts.networks.ranks
    first, count = ranks.share(training.batch, training.accumulate)
    stepper = Stepper(parts.networks, parts.repository, training, parts.device)
    parts.networks.restorer.train()
    began = 0.0
    for iteration in range(TIMED + 1):
        began = time.perf_counter() if iteration == 1 else began
        batch = parts.sampler.batch(1, iteration, training.batch, first, count)
        seed_everything(parts.experiment.seed, 1, iteration, ranks.rank)
        values = stepper.restorer_step(batch, parts.experiment.initial)
        values["total"].item()
    step = (time.perf_counter() - began) / TIMED
    size = sum(t.numel() * t.element_size() for group in parts.networks.tensors().values() for t in group.values())
    kept = training.stages + 1 if training.keep is None else min(training.stages + 1, training.keep + 3)
    whole = training.stages * (training.iterations * step + scoring) + training.warmup * step
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    console.print(
        f"\nEstimate, without the agent's own time, selection and test sets: {step:.3f} s a step, "
        f"{scoring:.1f} s a scoring, "
        f"{whole / 3600:.2f} h in all{_with(parts.device, ranks)}; {memory:.1f} GiB of memory so far; "
        f"{size / 2**20:.1f} MiB a checkpoint, {size * kept / 2**30:.2f} GiB for {kept} of them.",
        markup=False,
    )


def _with(device: torch.device, ranks: Ranks) -> str:
    """How many processes that is for, and what a step took of the accelerator's memory."""
    several = f" on {ranks.size} processes" if ranks.size > 1 else ""
    if device.type != "cuda":
        return several
    return f"{several}; {torch.cuda.max_memory_allocated(device) / 2**30:.1f} GiB at most on the accelerator"
