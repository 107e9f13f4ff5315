"""How long a training stage waits for its data: tiles on disk against whole photographs.

    python benchmarks/loader_wait.py [--batch 8] [--patch 48] [--step 0.4] [--steps 40] [--cache 12] [--images FOLDER]

The sampler, cache and prefetcher of training, with a cache smaller than the data, feed a loop whose step is a stand-in
of ``--step`` seconds: a sleep for a network on an accelerator, with the trainer's two threads ahead of it, and plain
arithmetic for a network on the processor, where the trainer makes each batch when it is asked for. Without
``--images`` six seeded photographs of 2040 x 1356 are made. Exit status 1 when tiles keep an accelerator waiting for
more than 2 % of the time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lossagent.data import Batch, ImageCache, NamedImage, PatchSampler, Prefetcher, list_images
from lossagent.data.degradations import Bicubic

HEIGHT, WIDTH, COUNT = 1356, 2040, 6
SIDE, STEP = 480, 240
SCALE = 4
WANTED = 0.02
BATCHES = 10


@dataclass(frozen=True)
class Stage:
    """What a stage of training took, in seconds, waiting for data included."""

    total: float
    waited: float

    @property
    def share(self) -> float:
        return self.waited / self.total


def make(place: Path) -> None:
    """Photograph-like images: noise with amplitude ~ 1/f."""
    distance = np.hypot(np.fft.fftfreq(HEIGHT)[:, None], np.fft.rfftfreq(WIDTH))
    distance[0, 0] = 1
    for number in range(COUNT):
        rng = np.random.default_rng(number)
        planes = [np.fft.irfft2(np.fft.rfft2(rng.standard_normal((HEIGHT, WIDTH))) / distance) for _ in range(3)]
        image = np.stack(planes, axis=-1)
        image = 128 + 45 * (image - image.mean()) / image.std()
        Image.fromarray(np.clip(np.round(image), 0, 255).astype(np.uint8)).save(place / f"{number:04d}.png")


def cut(whole: Sequence[NamedImage], place: Path) -> None:
    """Squares of 480 every 240 pixels, the last ones flush with the border."""
    for image in whole:
        pixels = image.pixels()
        corners = [sorted({*range(0, side - SIDE, STEP), side - SIDE}) for side in pixels.shape[:2]]
        for top in corners[0]:
            for left in corners[1]:
                tile = Image.fromarray(pixels[top : top + SIDE, left : left + SIDE])
                tile.save(place / f"{image.name}_{top:04d}_{left:04d}.png", compress_level=1)


def sampler(images: Sequence[NamedImage], options: argparse.Namespace) -> PatchSampler:
    return PatchSampler(images, SCALE, options.patch, Bicubic(SCALE), 0, cache=ImageCache(options.cache << 20))


def making(images: Sequence[NamedImage], options: argparse.Namespace) -> float:
    """Seconds to make a batch, nothing else going on."""
    source = sampler(images, options)
    source.batch(0, 0, options.batch)
    began = time.perf_counter()
    for iteration in range(1, BATCHES + 1):
        source.batch(0, iteration, options.batch)
    return (time.perf_counter() - began) / BATCHES


def train(
    images: Sequence[NamedImage], options: argparse.Namespace, step: Callable[[float], None], workers: int
) -> Stage:
    source = sampler(images, options)

    def batch(iteration: int) -> Batch:
        return source.batch(1, iteration, options.batch)

    began = time.perf_counter()
    with Prefetcher(batch, 0, options.steps, depth=2 + workers, workers=workers) as batches:
        for _ in batches:
            step(options.step)
        return Stage(time.perf_counter() - began, batches.waited)


def busy(seconds: float) -> None:
    """Keeps the processor at work for a time."""
    matrix = torch.ones(256, 256)
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop:
        torch.mm(matrix, matrix)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--images", type=Path, help="folder of photographs, best of 2K pixels")
    arguments.add_argument("--batch", type=int, default=8)
    arguments.add_argument("--patch", type=int, default=48, help="side of the low-quality patch")
    arguments.add_argument("--step", type=float, default=0.4, help="seconds of a training step")
    arguments.add_argument("--steps", type=int, default=40)
    arguments.add_argument("--cache", type=int, default=12, help="MiB of decoded images kept")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        places = {name: Path(scratch) / name for name in ("whole", "tiles")}
        for place in places.values():
            place.mkdir()
        if options.images is None:
            make(places["whole"])
        whole = list_images(options.images or places["whole"])
        cut(whole, places["tiles"])
        sets = {"whole": whole, "tiles": list_images(places["tiles"])}
        print(
            f"batch {options.batch}, patch {options.patch}, x{SCALE}, step {options.step} s, {options.steps} steps, ",
            end="",
        )
        print(f"cache {options.cache} MiB; {len(whole)} photographs, {len(sets['tiles'])} tiles")
        seconds = {name: making(images, options) for name, images in sets.items()}
        accelerator: dict[str, Stage] = {}
        for name, images in sets.items():
            accelerator[name] = train(images, options, time.sleep, workers=2)
            processor = train(images, options, busy, workers=0)
            print(f"{name}: {seconds[name]:.3f} s to make a batch; waiting takes ", end="")
            print(f"{accelerator[name].share:.1%} of a stage on an accelerator, {processor.share:.1%} on the processor")
    print(f"a batch from tiles is made {seconds['whole'] / seconds['tiles']:.1f} times faster")
    share = accelerator["tiles"].share
    print(f"wait share with tiles on an accelerator {share:.2%} (wanted: at most {WANTED:.0%})")
    return 0 if share <= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
