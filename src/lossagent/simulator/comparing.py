"""Simulated studies: agents over hundreds of seeds, written as a study folder that says so."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lossagent.agents.table import create
from lossagent.chat import ChatModel
from lossagent.errors import Refused
from lossagent.feedback import POOLED, Feedback
from lossagent.records import Evidence, State
from lossagent.runs import write_atomically
from lossagent.simulator.arms import Arm
from lossagent.simulator.model import Model
from lossagent.simulator.problem import Problem
from lossagent.study.outcome import Outcome, write_outcome
from lossagent.study.recording import short
from lossagent.study.settings import FIXED, FULL, Primary

SIMULATED = "simulated.json"
BATCH = 10
"""Seeds of an arm that a process simulates before it says so."""


@dataclass(frozen=True)
class Batch:
    """Some runs of one arm.

    Attributes:
        arm: which.
        seeds: of the runs.
    """

    arm: Arm
    seeds: tuple[int, ...]


def batches_of(arms: Sequence[Arm], seeds: int) -> tuple[Batch, ...]:
    """All runs: the seeds 0, 1, ... of every arm."""
    return tuple(Batch(arm, tuple(range(i, min(i + BATCH, seeds)))) for arm in arms for i in range(0, seeds, BATCH))


def compare(
    model: Model,
    arms: Sequence[Arm],
    seeds: int,
    out: Path,
    *,
    chat: ChatModel | None = None,
    primary: Primary | None = None,
    jobs: int = 1,
    done: Callable[[str, int], None] = lambda arm, runs: None,
) -> None:
    """Runs every arm under every seed and writes a study folder; the page is left to the study.

    The seeds of all arms are the same, and with them the luck of training. A language model is asked from this process
    alone. Written outcomes hold means over the images, not the images' own scores.

    Args:
        model: the response model.
        arms: with different names.
        seeds: how many, from 0 on.
        out: a folder to make.
        chat: the language model of agents that ask one.
        primary: the comparison that the conclusion rests on.
        jobs: processes.
        done: called with the name of the arm and the number of runs after each batch.

    Raises:
        Refused: the folder exists and is not empty, two arms of one name, or fewer than one seed.
    """
    names = [arm.name for arm in arms]
    if len(set(names)) < len(names):
        raise Refused(f"arms must have different names; found {', '.join(names)}.")
    if seeds < 1:
        raise Refused(f"seeds must be at least 1; found {seeds}.")
    if out.exists() and any(out.iterdir()):
        raise Refused(f"{out} exists already. Choose another --out.")
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / SIMULATED, json.dumps(_facts(model), indent=1) + "\n")
    write_atomically(out / "study.yaml", yaml.safe_dump(_study(model, arms, seeds, primary), sort_keys=False))
    beyond: dict[str, list[float]] = {}
    fixed = next((arm for arm in arms if arm.name == FIXED), None)
    for batch, shares in _simulated(model, batches_of(arms, seeds), fixed, out, chat, jobs):
        beyond.setdefault(batch.arm.name, []).extend(shares)
        done(batch.arm.name, len(shares))
    found = {name: round(sum(shares) / len(shares), 3) for name, shares in beyond.items()}
    facts = {**_facts(model), "share of stages beyond the recorded weights": found}
    write_atomically(out / SIMULATED, json.dumps(facts, indent=1) + "\n")


def _simulated(
    model: Model, batches: Sequence[Batch], fixed: Arm | None, out: Path, chat: ChatModel | None, jobs: int
) -> Iterator[tuple[Batch, list[float]]]:
    """Each batch with the share of stages, run by run, at weights where nothing was recorded."""
    if jobs == 1 or chat is not None:
        for batch in batches:
            yield batch, _carry_out(model, batch, fixed, out, chat)
        return
    # Threads of numerical libraries would fight over the cores that the processes use.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        futures = [(batch, pool.submit(_carry_out, model, batch, fixed, out, None)) for batch in batches]
        for batch, future in futures:
            yield batch, future.result()


def _carry_out(model: Model, batch: Batch, fixed: Arm | None, out: Path, chat: ChatModel | None) -> list[float]:
    arm, whole = batch.arm, Problem.of(model)
    reference = dataclasses.replace(whole, bounds=fixed.bounds, initial=fixed.initial) if fixed is not None else whole
    problem = dataclasses.replace(whole, bounds=arm.bounds, initial=arm.initial, reference=reference)
    shares: list[float] = []
    for seed in batch.seeds:
        outcome = problem.run(create(arm.agent, chat), seed, arm.name)
        weights = [s.weights for s in outcome.states if s.weights is not None]
        shares.append(sum(model.beyond(w) for w in weights) / len(weights) if weights else 0.0)
        write_outcome(out, light(outcome))
    return shares


def light(outcome: Outcome) -> Outcome:
    """An outcome with means instead of single images' scores, without gradient evidence; six significant digits."""
    return outcome.model_copy(
        update={
            "states": tuple(_light(state) for state in outcome.states),
            "selection": {i: _means(f) for i, f in outcome.selection.items()},
            "tests": {name: {row: _means(f) for row, f in rows.items()} for name, rows in outcome.tests.items()},
        }
    )


def _light(state: State) -> State:
    report = state.report.model_copy(update={"evidence": Evidence()}) if state.report is not None else None
    feedback = _means(state.feedback) if state.feedback is not None else None
    return state.model_copy(update={"report": report, "feedback": feedback, "score_seconds": 0.0})


def _means(feedback: Feedback) -> Feedback:
    means = feedback.means()
    return Feedback(scores={m: {POOLED: None if v is None else short(v)} for m, v in means.items()})


def _facts(model: Model) -> dict[str, Any]:
    """What a reader must know of the model."""
    text = model.model_dump_json()
    return {
        "what": "a response model stood in for training; nothing was measured on images",
        "fitted to": f"{model.runs} recorded runs, {model.stages} different stages",
        "model": hashlib.sha256(text.encode()).hexdigest()[:16],
        "notes": list(model.notes),
    }


def _study(model: Model, arms: Sequence[Arm], seeds: int, primary: Primary | None) -> dict[str, Any]:
    """The study file: what `lossagent compare` would have been given."""
    setting = model.setting
    full = {arm.name.removeprefix(FULL): arm.initial.values() for arm in arms if arm.name.startswith(FULL)}
    return {
        "name": f"simulated-{setting.objective}",
        "base": {
            "bounds": setting.bounds.model_dump(mode="json"),
            "training": {"stages": setting.stages, "iterations": setting.iterations},
        },
        "seeds": {"first": 0, "count": seeds},
        "objectives": {setting.objective: {}},
        "arms": {arm.name: json.loads(json.dumps(arm.plain)) for arm in arms if not arm.name.startswith(FULL)},
        **({"tuned": {"full": full}} if full else {}),
        **({"primary": primary.model_dump(mode="json")} if primary is not None else {}),
        "know_fixed": setting.know_fixed,
    }
