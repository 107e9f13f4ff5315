"""MATLAB's bicubic reduction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lossagent.data.degradations import Bicubic, bicubic, bicubic_patch, imresize, modcrop
from lossagent.data.degradations.bicubic import cubic, taps
from lossagent.errors import Refused


def load(path: Path) -> np.ndarray:
    return np.array(Image.open(path))


@pytest.mark.parametrize(("name", "count"), [("Set5", 5), ("Set14", 14)])
def test_published_inputs_come_out_exactly(shared_data, name, count):
    folder = shared_data / "bench" / name
    files = sorted((folder / "HR").glob("*.png"))
    assert len(files) == count
    for file in files:
        assert np.array_equal(bicubic(load(file), 4), load(folder / "LR_bicubic_X4" / f"{file.stem}x4.png")), file.name


def test_bicubic_enlargement_has_the_known_psnr(shared_data):
    scores = []
    for file in (shared_data / "bench" / "Set5" / "HR").glob("*.png"):
        high = modcrop(load(file), 4)
        enlarged = imresize(bicubic(high, 4), *high.shape[:2])
        luma = [x.astype(float) @ [65.481, 128.553, 24.966] / 255 for x in (high, enlarged)]
        scores.append(10 * np.log10(255**2 / np.mean((luma[0] - luma[1])[4:-4, 4:-4] ** 2)))
    assert np.mean(scores) == pytest.approx(28.43, abs=0.02)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_patch_is_the_crop_of_the_whole(rng, scale, channels):
    image = rng.integers(0, 256, (61, 75, *channels), dtype=np.uint8)
    whole = bicubic(image, scale)
    size = 7
    corners = [(0, 0), (whole.shape[0] - size, whole.shape[1] - size), (0, whole.shape[1] - size), (3, 5)]
    for top, left in corners:
        crop = whole[top : top + size, left : left + size]
        assert np.array_equal(bicubic_patch(image, top, left, size, scale), crop)


def test_bicubic_degradation_is_the_function(rng):
    image = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    assert np.array_equal(Bicubic(4)(image, rng), bicubic(image, 4))
    assert np.array_equal(Bicubic(4).patch(image, 1, 2, 5, rng), bicubic(image, 4)[1:6, 2:7])


def test_weights_sum_to_one_and_a_flat_image_stays_flat():
    for length, size in [(100, 25), (99, 33), (25, 100), (7, 7)]:
        assert np.allclose(taps(length, size).weight.sum(axis=1), 1)
    flat = np.full((24, 24, 3), 137, np.uint8)
    assert (bicubic(flat, 4) == 137).all()
    assert (imresize(flat, 50, 31) == 137).all()


def test_kernel_interpolates():
    assert np.allclose(cubic(np.array([-2.0, -1.0, 0.0, 1.0, 2.0])), [0, 0, 1, 0, 0])


def test_reduction_commutes_with_flips(rng):
    image = rng.integers(0, 256, (32, 48, 3), dtype=np.uint8)
    assert np.array_equal(bicubic(image[:, ::-1], 4), bicubic(image, 4)[:, ::-1])


def test_same_size_is_the_image(rng):
    image = rng.integers(0, 256, (9, 11, 3), dtype=np.uint8)
    assert np.array_equal(imresize(image, 9, 11), image)


def test_bad_arguments_are_refused(rng):
    image = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    with pytest.raises(Refused, match="scale must be"):
        bicubic(image, 0)
    with pytest.raises(Refused, match="shorter side 16"):
        bicubic(image, 17)
    with pytest.raises(Refused, match="not inside"):
        bicubic_patch(image, 1, 0, 4, 4)
    with pytest.raises(Refused, match="at least 1"):
        imresize(image, 0, 4)
