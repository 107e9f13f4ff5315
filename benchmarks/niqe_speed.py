"""NIQE of ten 512x512 images: ours against pyiqa's class, or against a plain loop written from the paper.

    python benchmarks/niqe_speed.py [--images FOLDER] [--threads 2] [--repeats 5]

The plain loop always runs: it is the yardstick of values (same pristine model, same rounding, one block after
another). pyiqa (extra ``iqa``) is compared in time and value where it can be imported, with its own pristine model
replaced by ours, since its download is the same numbers. Without ``--images`` ten seeded images with the spectrum of
photographs (amplitude ~ 1/f) are made. Exit status 1 when we are less than three times faster or differ by more
than 1e-3. On photographs with flat areas pyiqa's values depend on rounding noise there (see ``niqe_features``), so
only differences from the plain loop decide.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import convolve
from scipy.special import gamma

from lossagent.metrics.niqe import NIQE, pristine

SIZE = 512
COUNT = 10
SHAPES = np.arange(0.2, 10.0005, 0.001)
RHO = gamma(2 / SHAPES) ** 2 / (gamma(1 / SHAPES) * gamma(3 / SHAPES))


def photographs(folder: Path | None) -> torch.Tensor:
    """[10, 3, 512, 512] in [0, 1], 8-bit values."""
    if folder is not None:
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".jpg", ".jpeg"))
        arrays = [np.asarray(Image.open(p).convert("RGB")) for p in files]
        arrays = [a[:SIZE, :SIZE] for a in arrays if min(a.shape[:2]) >= SIZE][:COUNT]
        if len(arrays) < COUNT:
            sys.exit(f"{folder}: wanted {COUNT} images of at least {SIZE} px; found {len(arrays)}")
        return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float() / 255
    rng = np.random.default_rng(0)
    distance = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.fftfreq(SIZE))
    distance[0, 0] = 1
    images = np.fft.ifft2(np.fft.fft2(rng.standard_normal((COUNT, 3, SIZE, SIZE))) / distance).real
    images = images - images.mean(axis=(2, 3), keepdims=True)
    images = 128 + 45 * images / images.std(axis=(2, 3), keepdims=True)
    return torch.from_numpy(np.clip(np.round(images), 0, 255) / 255).float()


def plain_fit(values: np.ndarray) -> tuple[float, float, float]:
    """Shape and both scales of one block."""
    left = np.sqrt(np.mean(values[values < 0] ** 2))
    right = np.sqrt(np.mean(values[values > 0] ** 2))
    rho = np.mean(np.abs(values)) ** 2 / np.mean(values**2)
    skew = left / right
    rho = rho * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shape = SHAPES[np.argmin((RHO - rho) ** 2)]
    scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return float(shape), float(left * scale), float(right * scale)


def plain_block(block: np.ndarray) -> list[float]:
    """The 18 features of one block."""
    shape, left, right = plain_fit(block)
    features = [shape, (left + right) / 2]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        shape, left, right = plain_fit(block * np.roll(block, shift, axis=(0, 1)))
        features += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return features


def plain_half(image: np.ndarray) -> np.ndarray:
    """Antialiased bicubic halving along both axes."""
    x = (np.arange(8) - 3.5) / 2
    x = np.abs(x)
    taps = np.where(x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2)
    taps /= taps.sum()
    for _ in range(2):
        padded = np.pad(image, ((3, 4), (0, 0)), mode="symmetric")
        rows = (image.shape[0]) // 2
        image = np.stack([taps @ padded[2 * i : 2 * i + 8] for i in range(rows)]).T
    return image


def plain_niqe(image: np.ndarray) -> float:
    """NIQE of one RGB image [3, H, W] in 0..255, written down from the paper, one block after another."""
    red, green, blue = image.astype(np.int64)  # Halves are rounded up exactly, as whole numbers can.
    luma = (65481 * red + 128553 * green + 24966 * blue + 16 * 255000 + 127500) // 255000 * 1.0
    rows, columns = luma.shape[0] // 96, luma.shape[1] // 96
    luma = luma[: rows * 96, : columns * 96]
    offsets = np.arange(-3, 4)
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()
    parts: list[list[list[float]]] = []
    for side in (96, 48):
        mean = np.round(convolve(luma, window, mode="nearest"), 9)
        square = np.round(convolve(luma**2, window, mode="nearest"), 9)
        normalised = (luma - mean) / (np.sqrt(np.abs(square - mean**2)) + 1)
        cells = [(r * side, c * side) for r in range(rows) for c in range(columns)]
        parts.append([plain_block(normalised[y : y + side, x : x + side]) for y, x in cells])
        luma = np.round(plain_half(luma / 255), 9) * 255
    features = np.concatenate([np.array(part) for part in parts], axis=1)
    model = pristine()
    whole = features[~np.isnan(features).any(axis=1)]
    average = (model.covariance.numpy() + np.cov(whole, rowvar=False)) / 2
    difference = np.nanmean(features, axis=0) - model.mean.numpy()
    return float(np.sqrt(difference @ np.linalg.pinv(average) @ difference))


def pyiqa_niqe() -> Callable[[torch.Tensor], torch.Tensor] | None:
    """pyiqa's class with the published model, luma as ours; ``None`` where it cannot be imported."""
    try:
        from pyiqa.archs import niqe_arch
    except ImportError:
        return None
    import scipy.io

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "niqe.mat")
        model = pristine()
        arrays = {"mu_prisparam": model.mean.numpy()[None], "cov_prisparam": model.covariance.numpy()}
        scipy.io.savemat(path, arrays)
        return niqe_arch.NIQE(color_space="ycbcr", pretrained_model_path=path)


def best_of(repeats: int, threads: int, run: Callable[[], object]) -> float:
    """Shortest of several wall-clock times in seconds, after one run that warms up."""
    torch.set_num_threads(threads)
    run()
    times: list[float] = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="folder of photographs of at least 512 px")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    repeats, counts = arguments.repeats, sorted({1, arguments.threads})
    images = photographs(arguments.images)
    levels = [np.round(image.double().numpy() * 255) for image in images]
    ours = NIQE("limited")

    values = ours(images).numpy()
    plain = np.array([plain_niqe(level) for level in levels])
    rows = [(f"lossagent, {n} thread(s)", best_of(repeats, n, lambda: ours(images)), values) for n in counts]
    best = min(seconds for _, seconds, _ in rows)
    rivals = [("plain loop", best_of(repeats, 1, lambda: [plain_niqe(level) for level in levels]), plain)]
    foreign = pyiqa_niqe()
    if foreign is not None:
        with torch.no_grad():
            theirs = np.array([float(foreign(image[None])) for image in images])
            for n in counts:
                seconds = best_of(repeats, n, lambda: [foreign(image[None]) for image in images])
                rivals.append((f"pyiqa, {n} thread(s)", seconds, theirs))

    print(f"NIQE of {COUNT} images {SIZE}x{SIZE}, shortest of {repeats} runs; {arguments.images or 'made here'}")
    print(f"{'':24s}{'seconds':>9s}{'times our best':>16s}{'mean':>9s}{'largest difference':>20s}")
    for name, seconds, scored in rows + rivals:
        gap = np.abs(scored - values).max()
        print(f"{name:24s}{seconds:9.3f}{seconds / best:16.2f}{scored.mean():9.4f}{gap:20.2e}")
    # The best of each side: on a busy machine a second thread may cost more than it brings.
    against = rivals[1:] or rivals
    ratio = min(seconds for _, seconds, _ in against) / best
    gap = float(np.abs(plain - values).max())
    name = "pyiqa" if foreign else "the plain numpy/scipy loop (pyiqa cannot be imported)"
    print(f"compared with {name}: {ratio:.1f} times faster (wanted: 3); ", end="")
    print(f"values within {gap:.1e} of the plain loop (wanted: 1e-3)")
    return 0 if gap <= 1e-3 and ratio >= 3 else 1


if __name__ == "__main__":
    sys.exit(main())
