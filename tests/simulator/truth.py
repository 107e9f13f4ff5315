"""Recorded runs whose response is known, since it was made up here."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import yaml

from lossagent.feedback import Feedback, MetricFacts
from lossagent.goal import Goal, Target
from lossagent.records import Decision, Evidence, StageReport, State
from lossagent.simulator.recorded import Recorded, Setting
from lossagent.study.outcome import Outcome, write_outcome
from lossagent.weights import Bounds, Weights
from tiny import experiment

RATE, DELAY, FIRST, SPREAD = 0.3, 0.2, -0.4, 0.05
INITIAL = Weights.of({"l1": 1.0, "perceptual": 0.1, "gan": 0.01})
GOAL = Goal(targets=(Target(metric="niqe", direction="lower", unit=0.1),))
Policy = Callable[[np.random.Generator, int], Weights]


def facts(name: str, direction: str, unit: float) -> MetricFacts:
    return MetricFacts.model_validate(
        {
            "name": name,
            "direction": direction,
            "low": None,
            "high": None,
            "needs_reference": name != "niqe",
            "unit": unit,
            "implementation": "test",
            "version": "1",
        }
    )


FACTS = {"niqe": facts("niqe", "lower", 0.1), "psnr_y": facts("psnr_y", "higher", 0.1)}


def equilibrium(weights: Weights) -> float:
    """NIQE's: lower with more gan, up to a point; more perceptual raises it."""
    perceptual = math.log(weights["perceptual"] / 0.1)
    gan = math.log(weights["gan"] / 0.01)
    return 6.5 + 0.2 * perceptual - 0.6 * gan + 0.1 * gan**2


def constant(perceptual: float, gan: float) -> Policy:
    return lambda rng, depth: Weights.of({"l1": 1.0, "perceptual": perceptual, "gan": gan})


def wandering(rng: np.random.Generator, depth: int) -> Weights:
    if depth == 1:
        return INITIAL
    perceptual, gan = 0.1 * math.exp(rng.uniform(-1.5, 1.5)), 0.01 * math.exp(rng.uniform(-1.5, 2.5))
    return Weights.of({"l1": 1.0, "perceptual": perceptual, "gan": gan})


ARMS: dict[str, Policy] = {
    "fixed": constant(0.1, 0.01),
    "fixed@gan": constant(0.1, 0.05),
    "fixed@perceptual": constant(0.3, 0.01),
    "fixed@little": constant(0.03, 0.03),
    "random": wandering,
}


def score_set(prefix: str, niqe: float, psnr: float, images: int, noise: np.random.Generator, offset: int) -> Feedback:
    """Scores around means: hard and easy images, and a little of each image's own luck."""
    hard = np.random.default_rng(offset).normal(0, 0.8, images)
    luck = noise.normal(0, 0.03, images)
    niqes = niqe + hard - hard.mean() + luck - luck.mean()
    psnrs = psnr + 2 * (hard - hard.mean())
    names = [f"{prefix}{i}" for i in range(images)]
    return Feedback(
        scores={
            "niqe": dict(zip(names, map(float, niqes), strict=True)),
            "psnr_y": dict(zip(names, map(float, psnrs), strict=True)),
        }
    )


def outcome(arm: str, policy: Policy, seed: int, stages: int = 8, spread: float = SPREAD) -> Outcome:
    """A run along a path; its selected state is the best one on the selection images."""
    data, own = np.random.default_rng([seed, 1]), np.random.default_rng([seed, sum(arm.encode())])
    niqe, selection, previous, psnr = 7.0, 7.2, 0.0, 28.0
    states, kept = [], {}
    start_report = StageReport(iterations=50, evidence=Evidence(raw={"l1": 0.03, "gan": 0.7}))
    feedback = score_set("f", niqe, psnr, 10, np.random.default_rng(0), 1)
    states.append(State(id=0, parent=None, depth=0, report=start_report, feedback=feedback))
    kept[0] = score_set("s", selection, psnr, 6, np.random.default_rng(0), 2)
    for depth in range(1, stages + 1):
        weights = INITIAL if depth == 1 and not arm.startswith("fixed@") else policy(own, depth)
        common = data.normal(0, spread)
        private = data.normal(0, spread * 0.3) if depth == 1 else own.normal(0, spread * 0.3)
        change = RATE * (equilibrium(weights) - niqe) + (FIRST if depth == 1 else 0.0) + DELAY * previous
        change += common + private
        niqe, selection, previous = niqe + change, selection + 0.9 * change + float(own.normal(0, 0.01)), change
        psnr = 28.0 - 0.05 * depth - 0.2 * math.log(weights["gan"] / 0.01)
        report = StageReport(
            iterations=100,
            losses={"l1": 0.03 * (weights["gan"] / 0.01) ** 0.1},
            evidence=Evidence(
                raw={"l1": 0.03 + 0.001 * depth, "gan": 0.7},
                layer_norms={"l1": 1.0, "gan": 2.0},
                cosines={"l1|gan": 0.1},
            ),
        )
        decision = Decision(author=arm, proposed=weights, weights=weights, restart_from=depth - 1)
        states.append(
            State(
                id=depth,
                parent=depth - 1,
                depth=depth,
                decision=decision,
                report=report,
                feedback=score_set("f", niqe, psnr, 10, own, 1),
            )
        )
        kept[depth] = score_set("s", selection, psnr, 6, own, 2)
    best = min(kept, key=lambda i: kept[i].mean("niqe") or math.inf)
    return Outcome(
        arm=arm,
        objective="niqe",
        seed=seed,
        initial=INITIAL if not arm.startswith("fixed@") else policy(own, 1),
        states=tuple(states),
        selected=best,
        rule="best niqe on the selection set",
        selection=kept,
        tests={"BSD": _rows(states, best, own)},
        facts=FACTS,
        goal=GOAL,
        guards=("psnr_y",),
    )


def _rows(states: Sequence[State], best: int, noise: np.random.Generator) -> dict[str, Feedback]:
    """Test scores: they move 0.8 times as far as those of the feedback images."""
    rows: dict[str, Feedback] = {}
    for row, state in (("start", 0), ("selected", best), ("last", len(states) - 1)):
        means = [f.mean("niqe") for s in (states[0], states[state]) if (f := s.feedback) is not None]
        assert None not in means
        moved = 0.8 * (means[1] - means[0]) + (float(noise.normal(0, 0.01)) if state else 0.0)  # type: ignore[operator]
        rows[row] = Feedback(scores={"niqe": {"t0": 5.5 + moved, "t1": 6.5 + moved}})
    rows["reference"] = Feedback(scores={"niqe": {"t0": 4.0, "t1": 5.0}})
    return rows


def study_folder(root: Path, seeds: int = 5, stages: int = 8) -> Path:
    """A study folder as `lossagent compare` leaves it, without pages and run folders."""
    base = experiment(root, losses={n: {"kind": "mse", "weight": INITIAL[n]} for n in INITIAL.names})
    base |= {"goal": GOAL.model_dump(mode="json"), "bounds": {}, "tolerance": {}}
    plan = {
        "name": "truth",
        "base": base,
        "seeds": {"first": 0, "count": seeds},
        "objectives": {"niqe": {}},
        "arms": {"fixed": {"agent": {"kind": "fixed"}}, "random": {"agent": {"kind": "random"}}},
        "tuned": {
            "full": {
                "gan": {"gan": 0.05},
                "perceptual": {"perceptual": 0.3},
                "little": {"perceptual": 0.03, "gan": 0.03},
            }
        },
    }
    folder = root / "study"
    for one in recorded(seeds, stages=stages).outcomes:
        write_outcome(folder, one)
    (folder / "study.yaml").write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
    return folder


def recorded(seeds: int = 5, arms: Sequence[str] = tuple(ARMS), stages: int = 8) -> Recorded:
    """Runs of all arms."""
    outcomes = tuple(outcome(arm, ARMS[arm], seed, stages) for arm in arms for seed in range(seeds))
    setting = Setting(
        initial=INITIAL,
        goal=GOAL,
        bounds=Bounds(),
        tolerance={"niqe": 0.05},
        stages=stages,
        iterations=100,
        warmup=50,
        facts=FACTS,
        guards=("psnr_y",),
        loss_facts={"l1": "fidelity"},
        objective="niqe",
        know_fixed=False,
    )
    return Recorded(outcomes, setting)
