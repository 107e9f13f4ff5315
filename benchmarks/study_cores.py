"""How well a study keeps the cores busy: wall time of one worker against as many as there are cores.

    python benchmarks/study_cores.py [--seeds 4] [--iterations 60]

The study is made of generated pictures and a narrow network, so that it takes minutes; each worker starts an
interpreter and imports torch, which is in the times. A machine with other work gives other figures: the load before
and the processor time that the workers got are printed beside them.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

START = "from lossagent.cli import main; main()"


@dataclass(frozen=True)
class Taken:
    """What a study took.

    Attributes:
        wall: seconds.
        busy: processor seconds of all processes.
    """

    wall: float
    busy: float


def pictures(folder: Path, count: int, seed: int, side: int = 160) -> str:
    """Textured pictures that share nothing with those of another seed."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        coarse = rng.uniform(0, 255, (side // 6, side // 6, 3)).astype(np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)).astype(np.int16)
        image = np.clip(smooth + rng.integers(-12, 13, smooth.shape), 0, 255).astype(np.uint8)
        Image.fromarray(image).save(folder / f"p{seed}-{number}.png")
    return str(folder)


def study(root: Path, seeds: int, iterations: int) -> Path:
    """Writes the study file; returns it."""
    data = root / "data"
    experiment = {
        "name": "cores",
        "restorer": {"network": "compact", "arguments": {"scale": 4, "channels": 24, "blocks": 4}},
        "losses": {"l1": {"kind": "l1", "weight": 1.0}, "mse": {"kind": "mse", "weight": 0.5}},
        "data": {
            "train": pictures(data / "train", 8, 0),
            "feedback": pictures(data / "feedback", 6, 1),
            "selection": pictures(data / "selection", 6, 2),
            "test": {"test": pictures(data / "test", 12, 3)},
            "patch": 24,
        },
        "goal": {"targets": [{"metric": "psnr_y"}]},
        "guards": ["niqe"],
        "agent": {"kind": "fixed"},
        "training": {"stages": 3, "iterations": iterations, "batch": 8, "ema": 0.9, "threads": 1},
    }
    plan = {
        "name": "cores",
        "base": experiment,
        "seeds": {"count": seeds},
        "arms": {"fixed": {}, "random": {"agent": {"kind": "random"}}},
    }
    file = root / "study.yaml"
    file.write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
    return file


def carried_out(file: Path, out: Path, workers: int) -> Taken:
    """Wall and processor time of the study by a number of workers."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    words = [sys.executable, "-c", START, "compare", str(file), "--out", str(out), "--workers", str(workers)]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken(time.monotonic() - began, busy)


def main() -> None:
    """Prints the times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--iterations", type=int, default=60)
    given = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        file = study(root, given.seeds, given.iterations)
        print(f"{2 * given.seeds} runs, {cores} cores, load before {os.getloadavg()[0]:.1f}", flush=True)
        taken: dict[int, Taken] = {}
        for workers in dict.fromkeys((1, cores)):
            taken[workers] = one = carried_out(file, root / f"workers-{workers}", workers)
            kept = one.busy / one.wall / cores
            print(
                f"{workers} worker(s): {one.wall:.0f} s, processor time {one.busy:.0f} s, cores kept busy {kept:.0%}",
                flush=True,
            )
        print(f"speed-up {taken[1].wall / taken[cores].wall:.2f} of {cores}")


if __name__ == "__main__":
    main()
