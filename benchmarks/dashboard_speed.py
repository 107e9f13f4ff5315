"""How fast the dashboard opens a long run and follows it, against a reader that reads everything anew.

    python benchmarks/dashboard_speed.py [--states 1000] [--images 50] [--metrics 5] [--iterations 150]

A run folder of that size is made: events, 150,000 lines of losses, and 50,000 pictures (links to one file). A fresh
dashboard then answers ``/api/run/ID`` over HTTP for the first time; every state has means, gradient shares and 95 %
intervals against its parent in it. After that a state is scored at a time, and ``/changes`` is asked. The naive reader
reads the folder with ``report.reading`` and computes the same means and intervals one by one; it has to for every look.
Exit status 1 when opening takes 2 s or more, or an update with a new state a quarter of a second
(the median).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
import yaml
from PIL import Image

from lossagent.dashboard.serving import background
from lossagent.events import AnyEvent, Decided, Scored, Started, Trained
from lossagent.feedback import Feedback, MetricFacts
from lossagent.noise import paired_change
from lossagent.records import Decision, Evidence, StageReport
from lossagent.report.reading import read_run
from lossagent.runs import append_line
from lossagent.weights import Weights

LOSSES = ("l1", "perceptual", "gan")
WANTED_OPEN, WANTED_UPDATE = 2.0, 0.25


def names(images: int) -> list[str]:
    return [f"photograph-{i:03d}" for i in range(images)]


def events_of(state: int, images: int, metrics: int, rng: np.random.Generator) -> list[AnyEvent]:
    weights = Weights.of({"l1": 1.0, "perceptual": float(rng.uniform(0.05, 0.5)), "gan": float(rng.uniform(0.01, 0.1))})
    norms = {name: float(rng.uniform(0.01, 1.0)) for name in LOSSES}
    cosines = {"l1|perceptual": 0.1, "l1|gan": 0.01, "perceptual|gan": -0.02}
    evidence = Evidence(raw=norms, image_norms=norms, layer_norms=norms, cosines=cosines)
    report = StageReport(
        iterations=150, losses=norms, evidence=evidence, images={n: rng.bytes(32).hex() for n in names(images)}
    )
    scores = {
        f"metric{m}": dict(zip(names(images), rng.normal(5, 1, images).tolist(), strict=True)) for m in range(metrics)
    }
    thoughts = "Raising the weight of the perceptual loss lowered the score, so raise it again. " * 4
    made: list[AnyEvent] = [
        Trained(time=float(state), state=state, report=report),
        Scored(time=float(state), state=state, feedback=Feedback(scores=scores), seconds=2.0),
    ]
    if state > 0:
        decision = Decision(
            author="llm", proposed=weights, weights=weights, restart_from=state - 1, thoughts=thoughts, asked=1
        )
        made.insert(0, Decided(time=float(state), state=state, decision=decision))
    return made


def make(run: Path, states: int, images: int, metrics: int, iterations: int) -> None:
    rng = np.random.default_rng(0)
    for part in ("mailbox", "exchanges", "images"):
        (run / part).mkdir(parents=True)
    target = {"metric": "metric0", "direction": "lower", "importance": 1.0, "unit": 0.1}
    settings = {"name": "long", "seed": 0, "goal": {"targets": [target]}, "agent": {"kind": "llm", "rollback": True}}
    (run / "experiment.yaml").write_text(yaml.safe_dump(settings))
    facts = {
        f"metric{m}": MetricFacts(
            name=f"metric{m}", direction="lower", low=0, high=None, needs_reference=False, unit=0.1,
            implementation="lossagent", version="1",
        ).model_dump()
        for m in range(metrics)
    }  # fmt: skip
    (run / "environment.json").write_text(json.dumps({"metrics": facts}))
    started = Started(run="long", initial=Weights.of({"l1": 1.0, "perceptual": 0.1, "gan": 0.01}), stages=states + 100)
    with (run / "events.jsonl").open("w") as file:
        file.write(started.model_dump_json() + "\n")
        for state in range(states):
            for event in events_of(state, images, metrics, rng):
                file.write(event.model_dump_json() + "\n")
    with (run / "losses.jsonl").open("w") as file:
        for state in range(1, states):
            for iteration, raw in enumerate(rng.uniform(0.01, 1.0, (iterations, 3)).tolist()):
                line = {
                    "state": state, "iteration": iteration, "raw": dict(zip(LOSSES, raw, strict=True)),
                    "total": sum(raw), "discriminator": {"gan": 1.3}, "lr": 1e-4, "images_per_second": 50.0,
                }  # fmt: skip
                file.write(json.dumps(line) + "\n")
    one = run / "images" / "one.png"
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(one)
    for side in ("input", "reference", *(f"state-{s:04d}" for s in range(states))):
        (run / "images" / side).mkdir()
        for name in names(images):
            os.link(one, run / "images" / side / f"{name}.png")


def naive(run: Path) -> float:
    """Seconds of a reader that reads everything and computes what the page shows."""
    begun = time.perf_counter()
    data = read_run(run)
    for state in data.trajectory.states:
        if state.feedback is None or state.report is None:
            continue
        state.feedback.means()
        state.report.evidence.shares(data.trajectory.weights_at(state.id))
        parent = data.trajectory.states[state.parent].feedback if state.parent is not None else None
        for metric in state.feedback.scores if parent is not None else ():
            paired_change(state.feedback, parent, metric, None, 0)
    return time.perf_counter() - begun


def timed(client: httpx.Client, path: str) -> tuple[float, httpx.Response]:
    begun = time.perf_counter()
    answer = client.get(path)
    seconds = time.perf_counter() - begun
    answer.raise_for_status()
    return seconds, answer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--states", type=int, default=1000)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--metrics", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=150)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        run = Path(place) / "long"
        make(run, arguments.states, arguments.images, arguments.metrics, arguments.iterations)
        size = (run / "events.jsonl").stat().st_size / 1e6
        print(
            f"{arguments.states} states x {arguments.images} images x {arguments.metrics} metrics: "
            f"events.jsonl {size:.1f} MB, losses.jsonl {(run / 'losses.jsonl').stat().st_size / 1e6:.1f} MB"
        )
        whole = min(naive(run) for _ in range(arguments.repeats))
        print(f"naive reader, every look:             {whole:7.3f} s")
        opens: list[float] = []
        for _ in range(arguments.repeats):
            with background(run) as url, httpx.Client(base_url=url, timeout=60) as client:
                name = client.get("/api/runs").json()[0]["id"]
                seconds, answer = timed(client, f"/api/run/{name}")
                opens.append(seconds)
        print(f"first open (median of {len(opens)}):            {statistics.median(opens):7.3f} s   "
              f"{whole / statistics.median(opens):6.1f} x faster, {len(answer.content) / 1e6:.2f} MB")  # fmt: skip
        return follow(run, arguments.states, arguments.images, arguments.metrics, whole, statistics.median(opens))


def follow(run: Path, states: int, images: int, metrics: int, whole: float, opened: float) -> int:
    """Measures updates of an open run and prints them; the exit status."""
    rng = np.random.default_rng(1)
    with background(run) as url, httpx.Client(base_url=url, timeout=60) as client:
        name = client.get("/api/runs").json()[0]["id"]
        revision = client.get(f"/api/run/{name}").json()["revision"]
        idle = [timed(client, f"/api/run/{name}/changes?revision={revision}")[0] for _ in range(10)]
        updates: list[float] = []
        for state in range(states, states + 9):
            for event in events_of(state, images, metrics, rng):
                append_line(run / "events.jsonl", event.model_dump_json())
            seconds, answer = timed(client, f"/api/run/{name}/changes?revision={revision}")
            updates.append(seconds)
            changed = answer.json()
            assert [s["id"] for s in changed["states"]] == [state], "an update brings the new state alone"
            revision = changed["revision"]
        print(f"/changes, nothing new (median of 10): {statistics.median(idle):7.3f} s   "
              f"{whole / statistics.median(idle):6.0f} x faster")  # fmt: skip
        new = statistics.median(updates)
        print(
            f"/changes, one state new (median of 9):{new:7.3f} s   {whole / new:6.1f} x faster, "
            f"worst {max(updates):.3f} s"
        )
        for what, path in (
            ("losses of the whole run, first", "losses?points=400"),
            ("losses of one state", f"losses?state={states // 2}&points=400"),
            ("pareto", f"pareto?x=metric0&y=metric{metrics - 1}"),
            ("decision", f"decision/{states // 2}"),
        ):
            print(f"{what + ':':38}{timed(client, f'/api/run/{name}/{path}')[0]:7.3f} s")
    return int(opened >= WANTED_OPEN or new >= WANTED_UPDATE)


if __name__ == "__main__":
    sys.exit(main())
