"""Writes small run folders for tests of the dashboard's server."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import yaml
from PIL import Image, PngImagePlugin

from beginnings import started
from lossagent.events import AnyEvent, Asked, Decided, Scored, Trained, Warned
from lossagent.feedback import Feedback, Remark
from lossagent.judgements import Task
from lossagent.records import Decision, Evidence, Exchange, Message, StageReport
from lossagent.runs import append_line
from lossagent.weights import Weights

LOSSES = ("l1", "perceptual", "gan")
INITIAL = Weights.of({"l1": 1.0, "perceptual": 0.1, "gan": 0.01})
HOSTILE = "<script>alert(1)</script> \u202e </textarea> {{7*7}} ../../etc/passwd"
EVIDENCE = Evidence(
    raw={"l1": 0.03, "perceptual": 0.6, "gan": 1.0},
    image_norms={"l1": 0.002, "perceptual": 0.2, "gan": 0.04},
    layer_norms={"l1": 0.01, "perceptual": 0.4, "gan": 1.1},
    cosines={"l1|perceptual": 0.1, "l1|gan": 0.0, "perceptual|gan": -0.2},
)
SETTINGS = {
    "name": "a small run",
    "seed": 3,
    "losses": {name: {"kind": name} for name in LOSSES},
    "goal": {
        "targets": [{"metric": "niqe", "direction": "lower", "importance": 1.0, "unit": 0.1}],
        "constraints": [{"metric": "psnr", "at_least": -0.3, "relative_to": "start"}],
        "wish": "no plastic skin",
    },
    "guards": ["lattice"],
    "tolerance": {"niqe": 0.1},
    "agent": {"kind": "llm", "rollback": True},
    "bounds": {"low": 0.001, "high": 5.0, "frozen": ["l1"]},
    "people": {"raters": 1},
}
FACTS = {
    "name": "psnr", "direction": "higher", "low": 0.0, "high": None, "needs_reference": True, "unit": 0.1,
    "implementation": "lossagent", "version": "1", "options": {},
}  # fmt: skip


def names(images: int) -> list[str]:
    return [f"im {i}é" for i in range(images)]


def feedback_of(state: int, images: int) -> Feedback:
    rng = np.random.default_rng(state)
    scores = {
        metric: dict(zip(names(images), (base + rng.normal(0, 0.2, images)).tolist(), strict=True))
        for metric, base in (("niqe", 7 - 0.1 * state), ("psnr", 28 - 0.05 * state), ("lattice", 1.2))
    }
    scores["lattice"][names(images)[0]] = float("nan")
    return Feedback(scores=scores, remarks=(Remark(author="reviewer", text=HOSTILE),))


def stage(state: int, images: int, parent: int | None = None) -> list[AnyEvent]:
    """The events of a state."""
    events: list[AnyEvent] = [
        Trained(time=10.0 * state + 1, state=state, report=StageReport(
            iterations=5, losses={"l1": 0.04}, evidence=EVIDENCE, images=dict.fromkeys(names(images), "0" * 64),
        )),
        Scored(time=10.0 * state + 2, state=state, feedback=feedback_of(state, images)),
    ]  # fmt: skip
    if state > 0:
        weights = Weights.of({"l1": 1.0, "perceptual": 0.1 * state, "gan": 0.0}, INITIAL)
        decision = Decision(
            author="llm", proposed=weights, weights=weights, thoughts=HOSTILE * 10, adjusted_by=("bounds",),
            restart_from=state - 1 if parent is None else parent, exchanges=("pooled/0",), asked=1, judged=2,
        )  # fmt: skip
        events.insert(0, Decided(time=10.0 * state, state=state, decision=decision))
    return events


def write(run: Path, events: Iterable[AnyEvent]) -> None:
    for event in events:
        append_line(run / "events.jsonl", event.model_dump_json())


def make(run: Path, states: int = 4, images: int = 9, pictures: int = 3) -> Path:
    """A run of so many states, S_0 among them."""
    for part in ("mailbox", "exchanges", "images", "checkpoints"):
        (run / part).mkdir(parents=True)
    (run / "lease").touch()
    (run / "experiment.yaml").write_text(yaml.safe_dump(SETTINGS))
    (run / "environment.json").write_text(json.dumps({"metrics": {"psnr": FACTS}}))
    write(run, [started(INITIAL, 8), Warned(text="something to know")])
    for state in range(states):
        write(run, stage(state, images))
        exchange = Exchange(
            key="pooled/0", author="tiny", raw=HOSTILE, problem="no weights", prompt_tokens=3, completion_tokens=4,
            messages=(Message(role="user", content=HOSTILE, images=("a.png (ff)",)),),
        )  # fmt: skip
        if state:
            (run / "exchanges" / f"state-{state:04d}.jsonl").write_text(exchange.model_dump_json() + "\n{torn")
    with (run / "losses.jsonl").open("w") as file:
        for state in range(1, states):
            for iteration in range(50):
                line = {"state": state, "iteration": iteration, "raw": {"l1": 0.1 * state, "gan": None}, "total": 1.0}
                file.write(json.dumps({**line, "discriminator": {"gan": 1.3}, "lr": 1e-4}) + "\n")
    for side in ("input", "reference", *(f"state-{s:04d}" for s in range(states))):
        for place, name in enumerate(names(images)[:pictures]):
            picture(run / "images" / side / f"{name}.png", abs(hash(side)) % 200 + place, side)
    return run


def picture(path: Path, shade: int, text: str) -> None:
    """A PNG file that says in its text what it shows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    info = PngImagePlugin.PngInfo()
    info.add_text("Source", text)
    Image.fromarray(np.full((12, 16, 3), shade % 256, np.uint8)).save(path, pnginfo=info)


def pairs(state: int, count: int = 3) -> Asked:
    """Blind pairs of a state against its parent; every second one with the state on the left."""
    sides = (f"state-{state:04d}", f"state-{state - 1:04d}")
    tasks = tuple(
        Task(id=f"secret-{state}-{i}", kind="pair", image=names(3)[i % 3], left=sides[i % 2], right=sides[1 - i % 2])
        for i in range(count)
    )
    return Asked(state=state, tasks=tasks, deadline=None)
