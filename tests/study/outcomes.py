"""Synthetic outcomes of a study: arms of known strength, a common part for each seed, and paired noise."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from lossagent.feedback import Feedback, MetricFacts
from lossagent.goal import Constraint, Goal, Target
from lossagent.records import Decision, StageReport, State
from lossagent.study.outcome import Cost, Outcome, write_outcome
from lossagent.weights import Weights

INITIAL = Weights.of({"l1": 1.0, "perceptual": 0.1, "gan": 0.01})
IMAGES = tuple(f"image{i}" for i in range(6))
SETS = ("BSD100", "Urban100")
STAGES, ITERATIONS = 10, 100


def facts(name: str, direction: str, unit: float, needs_reference: bool) -> MetricFacts:
    return MetricFacts(
        name=name,
        direction=direction,  # pyright: ignore[reportArgumentType]
        low=0.0,
        high=None,
        needs_reference=needs_reference,
        unit=unit,
        implementation="test",
        version="1",
    )


FACTS = {
    "niqe": facts("niqe", "lower", 0.1, False),
    "psnr_y": facts("psnr_y", "higher", 0.1, True),
    "perceptual_distance": facts("perceptual_distance", "lower", 0.01, True),
    "lattice_peak": facts("lattice_peak", "lower", 0.2, False),
}
START = {"niqe": 7.05, "psnr_y": 27.53, "perceptual_distance": 0.31, "lattice_peak": 1.1}
# What one point of NIQE costs in the others.
PRICE = {"niqe": -1.0, "psnr_y": -0.25, "perceptual_distance": -0.03, "lattice_peak": 0.1}
GOAL = Goal(
    targets=(Target(metric="niqe", direction="lower", unit=0.1),),
    constraints=(Constraint(metric="psnr_y", at_least=-0.6, relative_to="start"),),
)
ARMS: dict[str, float] = {
    "fixed": 0.5,
    "tuned-fixed": 0.9,
    "random": 0.45,
    "climb": 0.95,
    "cma": 0.8,
    "tpe": 0.7,
    "respond": 1.3,
    "balance": 0.3,
    "llm": 0.6,
    "hybrid": 1.2,
}
TUNED: dict[str, float] = {"low-p": 0.8, "high-gan": 1.0, "high-p": 0.2}


def scored(gain: float, jitter: Mapping[str, float] | None = None, shift: float = 0.0) -> Feedback:
    """Scores of every metric after a gain in NIQE; images differ among themselves, always in the same way."""
    scores: dict[str, dict[str, float | None]] = {}
    for metric, base in START.items():
        mean = base + PRICE[metric] * gain + (jitter or {}).get(metric, 0.0)
        mean += shift if metric == "niqe" else 0.0
        middle = (len(IMAGES) - 1) / 2
        scores[metric] = {name: mean + 0.1 * (i - middle) * abs(PRICE[metric]) for i, name in enumerate(IMAGES)}
    return Feedback(scores=scores)


def outcome(
    arm: str,
    seed: int,
    gain: float = 0.5,
    *,
    stages: int = STAGES,
    noise: float = 0.08,
    goal: Goal = GOAL,
    objective: str = "niqe",
    sets: Sequence[str] = SETS,
    jitter: Mapping[str, float] | None = None,
) -> Outcome:
    """One run whose selected state gained so much, times a depth-dependent share.

    Args:
        arm, seed, objective: which run; the seed's own part is the same for every arm.
        gain: in NIQE at the last stage, on average over seeds.
        stages: of the run.
        noise: standard deviation between arms under one seed.
        goal: of the run.
        sets: test sets.
        jitter: metric -> what is added to every score of the selected and the last state on test sets.
    """
    own = np.random.default_rng([seed, *arm.encode()])
    common = float(np.random.default_rng(seed).normal(0, 0.15))
    walk = np.random.default_rng([7, seed, *arm.encode()])
    moving = not arm.startswith("fixed")
    weights, states, selection = INITIAL, [], {}
    for i in range(stages + 1):
        here = 0.0 if i == 0 else (gain + common) * math.sqrt(i / stages) + float(own.normal(0, noise))
        decision = None
        if i > 0:
            if moving and i > 1:
                step = {n: v * float(np.exp(walk.normal(0, 0.4))) for n, v in weights.values().items() if n != "l1"}
                weights = Weights.of({"l1": 1.0, **step})
            decision = Decision(author=arm, proposed=weights, weights=weights, restart_from=i - 1)
        states.append(
            State(
                id=i,
                parent=i - 1 if i else None,
                depth=i,
                decision=decision,
                report=StageReport(iterations=ITERATIONS if i else 0),
                feedback=scored(here),
            )
        )
        selection[i] = scored(here + float(own.normal(0, noise / 2)) if i else 0.0)
    chosen = max(selection, key=lambda i: -(selection[i].mean("niqe") or math.inf))
    tests = {}
    aside = {"psnr_y": float(own.normal(0, 0.04)), "lattice_peak": abs(float(own.normal(0, 0.03)))}
    aside |= jitter or {}
    for place, name in enumerate(sets):
        ends = {
            "selected": gain + common + float(own.normal(0, noise)),
            "last": gain + common + float(own.normal(0, noise)) - 0.1,
        }
        tests[name] = {
            "start": scored(0.0, shift=0.2 * place),
            **{row: scored(value, aside, 0.2 * place) for row, value in ends.items()},
            "reference": Feedback(scores={"niqe": {n: 4.1 + 0.2 * place for n in IMAGES}}),
            "correlated-noise control": scored(1.0, {"psnr_y": -0.3}, 0.2 * place),
        }
    llm = arm in ("llm", "hybrid")
    return Outcome(
        arm=arm,
        objective=objective,
        seed=seed,
        initial=INITIAL,
        states=tuple(states),
        selected=chosen,
        rule="best niqe on the selection set",
        selection=selection,
        tests=tests,
        facts=FACTS,
        goal=goal,
        guards=("psnr_y", "perceptual_distance", "lattice_peak"),
        cost=Cost(
            iterations=stages * ITERATIONS,
            train_seconds=160.0,
            score_seconds=31.0,
            llm_seconds=85.0 if llm else 0.0,
            wall_seconds=301.0 if llm else 205.0,
            questions=10 if llm else 0,
            prompt_tokens=9000 if llm else 0,
            completion_tokens=700 if llm else 0,
        ),
    )


def without_hard_images(one: Outcome, metric: str = "niqe") -> Outcome:
    """The same run where a metric gave no score of half the images of its selected state; one of them is NaN."""

    def cut(feedback: Feedback) -> Feedback:
        scores = dict(feedback.scores[metric])
        scores |= {"image3": None, "image4": math.nan, "image5": None}
        return feedback.model_copy(update={"scores": {**feedback.scores, metric: scores}})

    tests = {name: {**rows, "selected": cut(rows["selected"])} for name, rows in one.tests.items()}
    selection = {**one.selection, one.selected: cut(one.selection[one.selected])}
    return one.model_copy(update={"tests": tests, "selection": selection})


PRIMARY: dict[str, Any] = {
    "arm": "respond",
    "against": "tuned-fixed",
    "metric": "niqe",
    "set": "BSD100",
    "guards": [
        {"metric": "psnr_y", "at_least": -0.3, "relative_to": "fixed"},
        {"metric": "lattice_peak", "at_most": 1.5, "relative_to": "start", "times": True},
    ],
}
MANY = ("fixed", "tuned-fixed", "respond")


def make_study(
    folder: Path,
    arms: Mapping[str, float] | None = None,
    *,
    few: int = 5,
    many: int = 10,
    tuned: Mapping[str, float] | None = None,
    primary: Mapping[str, Any] | None = None,
    missing: Sequence[tuple[str, int]] = (),
    simulated: bool = False,
    registered: bool = True,
) -> Path:
    """A study folder: its plan and outcomes, nothing trained.

    Args:
        folder: to be made.
        arms: name -> gain in NIQE; ten of them by default.
        few, many: seeds of most arms, and of those of the primary comparison.
        tuned: name -> gain of the full runs under other fixed weights.
        primary: the primary comparison.
        missing: (arm, seed) without an outcome.
        simulated: whether the folder says that it was simulated.
        registered: whether it says when it was registered.
    """
    arms = ARMS if arms is None else arms
    kinds = {"tuned-fixed": "sweep", "cma": "search", "tpe": "search"}
    study: dict[str, Any] = {
        "name": "classical-niqe",
        "base": {"bounds": {"frozen": ["l1"]}},
        "seeds": {"first": 0, "count": few},
        "objectives": {"niqe": {}},
        "arms": {
            name: {"agent": {"kind": kinds.get(name, name)}, **({"seeds": {"count": many}} if name in MANY else {})}
            for name in arms
        },
    }
    gains = dict(arms)
    if tuned:
        study["tuned"] = {"full": {name: {"gan": 0.1} for name in tuned}, "seeds": {"count": many}}
        gains |= {f"fixed@{name}": gain for name, gain in tuned.items()}
    if primary:
        study["primary"] = dict(primary)
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    if registered:
        plan = hashlib.sha256((folder / "study.yaml").read_bytes()).hexdigest()
        entry = {"sha256": "0123456789abcdef" * 4, "when": "2026-11-02T08:15:00Z", "plan": plan}
        (folder / "registered.json").write_text(json.dumps(entry), encoding="utf-8")
    if simulated:
        about = {"simulated": True, "fitted to": "3 recorded runs"}
        (folder / "simulated.json").write_text(json.dumps(about), encoding="utf-8")
    for arm, gain in gains.items():
        for seed in range(many if arm in MANY or arm.startswith("fixed@") else few):
            if (arm, seed) not in missing:
                write_outcome(folder, outcome(arm, seed, gain))
    return folder
