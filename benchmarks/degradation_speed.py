"""Real-ESRGAN and BSRGAN: ground-truth crops of 400 px degraded a second, against BasicSR's functions; one thread.

    python benchmarks/degradation_speed.py [--basicsr FOLDER] [--images FOLDER] [--count 12] [--repeats 6]

``FOLDER`` is an unpacked source archive of BasicSR 1.4.2 (``pip download basicsr==1.4.2 --no-deps --no-binary :all:``);
its three files of degradations are imported as they are (they need ``opencv-python-headless``), nothing else of it.

Work compared, from the same crops of 400 px to inputs of 100 px at scale 4, the size at which the published training
degrades before it cuts pairs of 256 and 64:

- Real-ESRGAN as published: unsharp masking, kernels, both rounds and the last filter of one image, in the order of its
  training code, written here around BasicSR's functions; JPEG by its DiffJPEG. Both of our ways are timed: through a
  real codec, an image at a time (``RealESRGAN``), and in tensor operations, a batch of ``count`` (``RealESRGANBatch``).
  BasicSR is timed with batches too.
- BSRGAN: BasicSR has none. The reference is its kernel, noise and JPEG functions with OpenCV's filter and resizing in
  BSRGAN's order. It makes no camera noise, nor do we here.

Exit status 1 when one of ours is slower than its reference.
"""

from __future__ import annotations

import argparse
import importlib
import math
import random
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from lossagent.data.degradations import BSRGAN, BSRGANRanges, RealESRGAN, RealESRGANBatch
from lossagent.data.degradations.real_esrgan_plan import draw_common, draw_own

SIDE, SCALE = 400, 4
SHAPES = ("iso", "aniso", "generalized_iso", "generalized_aniso", "plateau_iso", "plateau_aniso")
SHARES = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
MODES = ("area", "bilinear", "bicubic")


def crops(folder: Path | None, count: int) -> np.ndarray:
    """[count, 400, 400, 3], 8 bit."""
    if folder is not None:
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".jpg", ".jpeg"))
        arrays = [np.asarray(Image.open(p).convert("RGB")) for p in files]
        arrays = [a[:SIDE, :SIDE] for a in arrays if min(a.shape[:2]) >= SIDE]
        if not arrays:
            sys.exit(f"{folder}: wanted images of at least {SIDE} px; found none")
        return np.stack([arrays[n % len(arrays)] for n in range(count)])
    rng = np.random.default_rng(0)
    distance = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE))
    distance[0, 0] = 1
    images = np.fft.ifft2(np.fft.fft2(rng.standard_normal((count, 3, SIDE, SIDE))) / distance).real
    images = 128 + 45 * (images - images.mean()) / images.std()
    return np.clip(np.round(images), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1).copy()


class BasicSR:
    """BasicSR's functions, in the order of the published training code."""

    def __init__(self, folder: Path) -> None:
        # The package's own __init__ files import all of it; these stand in for them.
        inner = folder / "basicsr" if (folder / "basicsr").is_dir() else folder
        for name in ("basicsr", "basicsr.data", "basicsr.utils"):
            package = types.ModuleType(name)
            package.__path__ = [str(inner.joinpath(*name.split(".")[1:]))]
            sys.modules[name] = package
        # The module was renamed in torchvision 0.17.
        moved = types.ModuleType("torchvision.transforms.functional_tensor")
        moved.__dict__["rgb_to_grayscale"] = importlib.import_module(
            "torchvision.transforms.functional"
        ).rgb_to_grayscale
        sys.modules[moved.__name__] = moved
        self.made: Any = importlib.import_module("basicsr.data.degradations")
        process: Any = importlib.import_module("basicsr.utils.img_process_util")
        self.filter2d = process.filter2D
        self.sharpen = process.USMSharp()
        self.jpeg = importlib.import_module("basicsr.utils.diffjpeg").DiffJPEG(differentiable=False)

    def kernel(self, sigma: tuple[float, float]) -> np.ndarray:
        """One of Real-ESRGAN's kernels, padded to 21."""
        size = random.choice(range(7, 22, 2))
        if np.random.uniform() < 0.1:
            low = math.pi / 3 if size < 13 else math.pi / 5
            kernel = self.made.circular_lowpass_kernel(np.random.uniform(low, math.pi), size, pad_to=False)
        else:
            kernel = self.made.random_mixed_kernels(
                SHAPES, SHARES, size, sigma, sigma, [-math.pi, math.pi], [0.5, 4], [1, 2], noise_range=None
            )
        return np.pad(kernel, (21 - size) // 2)

    def last(self) -> np.ndarray:
        """The last filter."""
        if np.random.uniform() < 0.8:
            size = random.choice(range(7, 22, 2))
            return self.made.circular_lowpass_kernel(np.random.uniform(math.pi / 3, math.pi), size, pad_to=21)
        pulse = np.zeros((21, 21))
        pulse[10, 10] = 1
        return pulse

    def noisy(self, images: torch.Tensor, largest: float, poisson: float) -> torch.Tensor:
        """Noise of one round."""
        if np.random.uniform() < 0.5:
            return self.made.random_add_gaussian_noise_pt(
                images, sigma_range=[1, largest], clip=True, rounds=False, gray_prob=0.4
            )
        return self.made.random_add_poisson_noise_pt(
            images, scale_range=[0.05, poisson], gray_prob=0.4, clip=True, rounds=False
        )

    def compressed(self, images: torch.Tensor) -> torch.Tensor:
        """JPEG of quality 30 to 95."""
        return self.jpeg(images.clamp(0, 1), quality=images.new_zeros(len(images)).uniform_(30, 95)).contiguous()

    @torch.no_grad()
    def real_esrgan(self, pixels: np.ndarray) -> torch.Tensor:
        """[n, 400, 400, 3] -> [n, 3, 100, 100]."""
        count, low = len(pixels), SIDE // SCALE
        kernels = [
            torch.from_numpy(np.stack([make() for _ in range(count)])).float()
            for make in (lambda: self.kernel((0.2, 3.0)), lambda: self.kernel((0.2, 1.5)), self.last)
        ]
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().float() / 255
        images = self.filter2d(self.sharpen(images), kernels[0])
        images = F.interpolate(images, scale_factor=factor((0.2, 0.7, 0.1), 0.15, 1.5), mode=random.choice(MODES))
        images = self.compressed(self.noisy(images, 30, 3))
        if np.random.uniform() < 0.8:
            images = self.filter2d(images.contiguous(), kernels[1])
        size = int(low * factor((0.3, 0.4, 0.3), 0.3, 1.2))
        images = self.noisy(F.interpolate(images, size=(size, size), mode=random.choice(MODES)), 25, 2.5)
        if np.random.uniform() < 0.5:
            images = F.interpolate(images, size=(low, low), mode=random.choice(MODES))
            images = self.compressed(self.filter2d(images.contiguous(), kernels[2]))
        else:
            images = F.interpolate(self.compressed(images), size=(low, low), mode=random.choice(MODES))
            images = self.filter2d(images.contiguous(), kernels[2])
        return (images * 255).round().clamp(0, 255) / 255

    def bsrgan(self, image: np.ndarray) -> np.ndarray:
        """[400, 400, 3] -> [100, 100, 3]."""
        import cv2

        made, left, low = self.made, float(SCALE), SIDE // SCALE
        modes = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA)

        def resized(values: np.ndarray, side: int) -> np.ndarray:
            return np.clip(cv2.resize(values, (side, side), interpolation=random.choice(modes)), 0, 1)

        image = image.astype(np.float32) / 255
        if random.random() < 0.25:
            image, left = resized(image, SIDE // 2), SCALE / 2
        order = random.sample(range(6), 6)
        one, two = order.index(2), order.index(3)
        if one > two:
            order[one], order[two] = order[two], order[one]
        for step in order:
            if step < 2:
                size = random.choice(range(7, 26, 2))
                if random.random() < 0.5:
                    wide, high = np.sqrt(np.random.uniform(0, 4 + left, 2))
                    kernel = made.bivariate_Gaussian(size, wide, high, random.uniform(0, math.pi), isotropic=False)
                else:
                    kernel = made.bivariate_Gaussian(size, random.uniform(0.01, 2 + 0.2 * left), 0, 0, isotropic=True)
                image = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
            elif step == 2 and random.random() < 0.75:
                image = resized(image, int(image.shape[0] / random.uniform(1, 2 * left)))
            elif step == 2:
                kernel = made.bivariate_Gaussian(25, random.uniform(0.1, 0.6 * left), 0, 0, isotropic=True)
                image = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT_101)[:: int(left), :: int(left)]
            elif step == 3:
                image = resized(image, low)
            elif step == 4:
                image = made.random_add_gaussian_noise(image, (2, 25), gray_prob=0.5, clip=True).astype(np.float32)
            elif random.random() < 0.9:
                image = made.add_jpg_compression(image, random.randint(30, 95))
        return made.add_jpg_compression(image, random.randint(30, 95))


def factor(shares: tuple[float, float, float], smallest: float, largest: float) -> float:
    """Of a resize: up, down or keep."""
    kind = random.choices(("up", "down", "keep"), shares)[0]
    return {"up": np.random.uniform(1, largest), "down": np.random.uniform(smallest, 1), "keep": 1.0}[kind]


def ours_batched(pixels: np.ndarray, seed: int) -> torch.Tensor:
    """:class:`RealESRGANBatch` of all crops at once, with all that is drawn."""
    made, rng = RealESRGANBatch(SCALE), np.random.default_rng(seed)
    owns = [draw_own(rng, made.ranges) for _ in pixels]
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().float() / 255
    return made(images, draw_common(rng, made.ranges), owns, list(range(len(pixels))))[0]


def rate(count: int, repeats: int, run: Callable[[int], object]) -> float:
    """Images a second over ``repeats`` runs with other seeds each, after one that warms up.

    The mean, not the best: what is drawn decides how long a run takes.
    """
    run(repeats)
    start = time.perf_counter()
    for seed in range(repeats):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        run(seed)
    return count * repeats / (time.perf_counter() - start)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--basicsr", type=Path, help="unpacked source archive of BasicSR 1.4.2")
    parser.add_argument("--images", type=Path, help="folder of photographs of at least 400 px")
    parser.add_argument("--count", type=int, default=12, help="images, and the batch of the batched ones")
    parser.add_argument("--repeats", type=int, default=6, help="runs over all images, each with draws of its own")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pixels, count, repeats = crops(arguments.images, arguments.count), arguments.count, arguments.repeats
    single, shuffled = RealESRGAN(SCALE), BSRGAN(SCALE, BSRGANRanges(camera=0.0))

    def each(degrade: Callable[[np.ndarray, np.random.Generator], object], seed: int) -> None:
        for number, image in enumerate(pixels):
            degrade(image, np.random.default_rng([seed, number]))

    rows: list[tuple[str, str, Callable[[int], object]]] = [
        ("Real-ESRGAN, one by one", "lossagent", lambda seed: each(single, seed)),
        ("Real-ESRGAN, batches", "lossagent", lambda seed: ours_batched(pixels, seed)),
        ("BSRGAN without camera", "lossagent", lambda seed: each(shuffled, seed)),
    ]
    if arguments.basicsr is not None:
        try:
            import cv2
        except ImportError:
            sys.exit("BasicSR's functions need OpenCV: pip install opencv-python-headless")
        cv2.setNumThreads(1)
        theirs = BasicSR(arguments.basicsr)
        rows += [
            ("Real-ESRGAN, one by one", "BasicSR", lambda seed: [theirs.real_esrgan(image[None]) for image in pixels]),
            ("Real-ESRGAN, batches", "BasicSR", lambda seed: theirs.real_esrgan(pixels)),
            ("BSRGAN without camera", "BasicSR", lambda seed: [theirs.bsrgan(image) for image in pixels]),
        ]
    print(f"{count} crops of {SIDE} px, scale {SCALE}, {repeats} runs, one thread; {arguments.images or 'made here'}")
    print(f"{'':26s}{'':12s}{'images/s':>10s}{'ratio':>8s}")
    rates: dict[str, float] = {}
    worst = math.inf
    for name, whose, run in rows:
        found = rate(count, repeats, run)
        ratio = rates.setdefault(name, found) / found
        worst = min(worst, ratio) if whose != "lossagent" else worst
        print(f"{name:26s}{whose:12s}{found:10.2f}" + ("" if whose == "lossagent" else f"{ratio:8.2f}"), flush=True)
    if arguments.basicsr is None:
        print("No reference: give --basicsr FOLDER, an unpacked source archive of BasicSR 1.4.2 (see --help).")
        return 0
    print(f"ratio: ours to BasicSR's in images a second; smallest {worst:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
