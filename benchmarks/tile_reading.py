"""Random training crops read from tiles against the same crops read from whole photographs.

    python benchmarks/tile_reading.py [--images FOLDER] [--crops 100] [--patch 256]

Every crop is read the way training does it without a cache: the file is decoded, the patch is cut out. Without
``--images`` eight seeded photographs of 2040 x 1356 (spectrum ~ 1/f, as DIV2K's sizes are) are made. Both sides are
read in turns, the best of each counts. Exit status 1 when tiles are less than three times faster.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lossagent.data import NamedImage, folder, list_images
from lossagent.data.tiles import TileSettings
from lossagent.data.tiling import tile

HEIGHT, WIDTH, COUNT = 1356, 2040, 8
WANTED = 3.0


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


def seconds_of(images: Sequence[NamedImage], crops: int, patch: int, seed: int) -> float:
    """Seconds for so many random crops."""
    rng = np.random.default_rng(seed)
    start = time.perf_counter()
    for _ in range(crops):
        pixels = images[rng.integers(len(images))].pixels()
        top, left = (int(rng.integers(side - patch + 1)) for side in pixels.shape[:2])
        np.ascontiguousarray(pixels[top : top + patch, left : left + patch])
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="folder of photographs, best of 2K pixels")
    parser.add_argument("--crops", type=int, default=100)
    parser.add_argument("--patch", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        source = arguments.images
        if source is None:
            source = Path(scratch) / "photographs"
            source.mkdir()
            make(source)
        start = time.perf_counter()
        out = Path(scratch) / "tiles"
        made = tile([folder(source)], out, TileSettings(least=arguments.patch), workers=arguments.workers)
        cutting = time.perf_counter() - start
        whole, tiles = list_images(source), list_images(out)
        times = {"whole": [], "tiles": []}
        for repeat in range(arguments.repeats):
            for name, images in (("whole", whole), ("tiles", tiles)):
                times[name].append(seconds_of(images, arguments.crops, arguments.patch, repeat))
        megabytes = [sum(image.path.stat().st_size for image in images) / 1e6 for images in (whole, tiles)]
    best = {name: 1000 * min(all_) / arguments.crops for name, all_ in times.items()}
    print(f"{len(whole)} photographs ({megabytes[0]:.0f} MB) cut into {made.tiles} tiles ({megabytes[1]:.0f} MB)")
    print(f"cutting: {cutting:.1f} s, {len(whole) / cutting:.2f} photographs/s with {arguments.workers} thread(s)")
    for name, milliseconds in best.items():
        print(f"{name}: {milliseconds:.2f} ms for a {arguments.patch} px crop ({1000 / milliseconds:.0f} crops/s)")
    ratio = best["whole"] / best["tiles"]
    print(f"tiles are {ratio:.1f} times faster (wanted: {WANTED:.0f})")
    return 0 if ratio >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
