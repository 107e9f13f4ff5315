"""JPEG in tensor operations against a codec; noise of each kind against its statistics."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from lossagent.data.degradations import Camera, codec, jpeg
from lossagent.data.degradations.camera import camera_noise, demosaic, draw_camera, mosaic, process, unprocess
from lossagent.data.degradations.draws import NumpyDraws, SeededDraws
from lossagent.data.degradations.jpeg import codec_batch
from lossagent.data.degradations.jpeg_torch import quantisation
from lossagent.data.degradations.pixel_noise import correlated_noise, gaussian_noise, poisson_noise, random_covariance
from lossagent.errors import Refused


def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Coarse colours with a little grain, 8 bit."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (max(height // 12, 1), max(width // 12, 1), 3), dtype=np.uint8))
    image = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    return np.clip(image + rng.integers(-6, 7, (height, width, 1)), 0, 255).astype(np.uint8)


def to_tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.transpose(2, 0, 1).copy())[None].float() / 255


@pytest.mark.parametrize("quality", [5, 30, 49, 50, 75, 95, 100])
@pytest.mark.parametrize("shape", [(96, 128), (83, 117), (40, 24), (14, 33), (9, 5), (1, 1)])
def test_tensor_jpeg_is_the_codecs_within_its_stated_bound(quality, shape):
    image = photograph(*shape)
    theirs = codec(image, quality).astype(int)
    ours = jpeg(to_tensor(image), [quality])[0].permute(1, 2, 0).mul(255).round().numpy().astype(int)
    difference = np.abs(ours - theirs)
    assert difference.mean() <= 0.07
    assert (difference == 0).mean() >= 0.95
    # One coefficient that is rounded to the next multiple of the largest entries that matter moves pixels by this.
    assert difference.max() <= 3 + quantisation(quality)[:, :4, :4].max() / 3


@pytest.mark.parametrize("shape", [(16, 16), (8, 16), (14, 17), (8, 10), (24, 40), (7, 31)])
def test_tensor_jpeg_of_noise_pads_blocks_as_the_codec_does(rng, shape):
    image = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    ours = jpeg(to_tensor(image), [60])[0].permute(1, 2, 0).mul(255).round().numpy()
    assert np.abs(ours - codec(image, 60)).mean() < 0.3


def test_tables_are_those_that_the_codec_writes():
    zigzag = sorted(
        ((y, x) for y in range(8) for x in range(8)),
        key=lambda p: (p[0] + p[1], p[0] if (p[0] + p[1]) % 2 else p[1]),
    )
    for quality in (1, 10, 49, 50, 77, 100):
        buffer = io.BytesIO()
        Image.fromarray(photograph(16, 16)).save(buffer, "JPEG", quality=quality)
        with Image.open(buffer) as read:
            written = read.quantization
        for number, table in enumerate(quantisation(quality)):
            plain = sorted(int(value) for value in written[number])
            assert plain == sorted(table.ravel().tolist())
            # Pillow gives rows in one version and the file's order in another.
            assert list(written[number]) in (table.ravel().tolist(), [int(table[p]) for p in zigzag])


def test_each_image_of_a_batch_has_its_own_quality():
    images = torch.cat([to_tensor(photograph(32, 40, seed)) for seed in range(3)])
    together = jpeg(images, [30, 95, 60])
    for number, quality in enumerate((30, 95, 60)):
        assert torch.equal(together[number : number + 1], jpeg(images[number : number + 1], [quality]))
    by_codec = codec_batch(images, [30, 95, 60])
    assert (by_codec - together).abs().mean() * 255 < 0.1


def test_gray_images_pass_the_codec_as_gray():
    image = photograph(20, 30)[:, :, :1]
    made = codec(image, 80)
    assert made.shape == image.shape
    assert 0 < np.abs(made.astype(int) - image).mean() < 8


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: codec(photograph(8, 8), 0), "quality"),
        (lambda: codec(np.zeros((8, 8, 2), np.uint8), 50), "channels"),
        (lambda: quantisation(101), "quality"),
        (lambda: jpeg(torch.zeros(2, 3, 8, 8), [50]), "qualities"),
    ],
)
def test_what_jpeg_does_not_have_is_refused(make, named):
    with pytest.raises(Refused, match=named):
        make()


def both_draws():
    return [NumpyDraws(np.random.default_rng(1)), SeededDraws([5, 900], torch.device("cpu"))]


@pytest.mark.parametrize("draws", both_draws(), ids=["numpy", "seeded"])
def test_gaussian_noise_has_its_deviation_and_gray_noise_one_field(draws):
    images = torch.zeros(2, 3, 160, 160)
    noise = gaussian_noise(images, torch.tensor([0.1, 0.02]), np.array([False, True]), draws)
    assert noise[0].std().item() == pytest.approx(0.1, rel=0.02)
    assert noise[1].std().item() == pytest.approx(0.02, rel=0.02)
    assert noise.mean().abs().item() < 1e-3
    assert torch.equal(noise[1, 0], noise[1, 1])
    assert torch.corrcoef(noise[0].flatten(1))[0, 1].abs().item() < 0.03


def test_correlated_noise_has_its_covariance():
    covariance = random_covariance(np.random.default_rng(3), 25 / 255)
    noise = correlated_noise(torch.zeros(1, 3, 300, 300), covariance, NumpyDraws(np.random.default_rng(0)))
    found = np.cov(noise[0].flatten(1).numpy())
    np.testing.assert_allclose(found, covariance, atol=0.03 * covariance.max())


def test_random_covariances_are_covariances_of_bounded_size():
    rng = np.random.default_rng(0)
    for _ in range(300):
        covariance = random_covariance(rng, 0.1)
        np.testing.assert_allclose(covariance, covariance.T, atol=1e-15)
        assert np.linalg.eigvalsh(covariance).min() > -1e-12
        assert 0 <= np.diag(covariance).min() <= np.diag(covariance).max() <= 0.01 + 1e-12


@pytest.mark.parametrize("draws", both_draws(), ids=["numpy", "seeded"])
def test_poisson_noise_has_the_variance_of_counted_photons(draws):
    # 64 levels exactly: values k/255 for 64 different k; brightness b gives variance b / 64.
    ramp = torch.arange(100, 164).float().repeat_interleave(4) / 255
    images = ramp.expand(2, 3, 400, 256).contiguous()
    noise = poisson_noise(images, torch.tensor([1.0, 2.0]), np.array([False, True]), draws)
    variance = noise.var(dim=2).mean(dim=1)  # by column, that is by brightness
    expected = torch.stack([ramp / 64, 4 * ramp / 64])
    assert ((variance / expected - 1).abs().mean(dim=1) < 0.1).all()
    assert (variance.mean(1) / expected.mean(1)).numpy() == pytest.approx([1, 1], abs=0.03)
    assert noise.mean().abs().item() < 2e-3
    assert torch.equal(noise[1, 0], noise[1, 2])
    assert not torch.equal(noise[0, 0], noise[0, 2])


def test_seeded_fields_of_an_image_do_not_depend_on_its_company():
    device, rates = torch.device("cpu"), torch.full((2, 1, 6, 6), 3.0)
    pair, alone = SeededDraws([7, 8], device), SeededDraws([8], device)
    for _ in range(2):  # the second field differs from the first
        assert torch.equal(pair.normal((1, 6, 6), [0, 1])[1], alone.normal((1, 6, 6), [0])[0])
        assert torch.equal(pair.poisson(rates, [0, 1])[1], alone.poisson(rates[:1], [0])[0])
    one, two = SeededDraws([7], device), SeededDraws([7], device)
    first = one.normal((4,), [0])
    assert torch.equal(first, two.normal((4,), [0]))
    assert not torch.equal(first, one.normal((4,), [0]))


def test_a_camera_without_noise_gives_its_picture_back():
    shot = draw_camera(np.random.default_rng(2), Camera())
    images = to_tensor(photograph(24, 30)) * 0.6 + 0.1
    assert (process(unprocess(images, shot), shot) - images).abs().max().item() < 0.02
    assert np.allclose(shot.colours.sum(axis=1), 1)


def test_each_pixel_of_the_mosaic_sees_one_colour_and_flat_colours_come_back():
    flat = torch.tensor([0.2, 0.5, 0.8])[None, :, None, None].expand(1, 3, 9, 12).contiguous()
    for phase in ((0, 0), (1, 0), (1, 1)):
        raw = mosaic(flat, phase)
        assert raw[0, 0, phase[0], phase[1]].item() == pytest.approx(0.2)
        assert raw[0, 0, 1 - phase[0], 1 - phase[1]].item() == pytest.approx(0.8)
        assert torch.allclose(demosaic(raw, phase), flat, atol=1e-5)


def test_camera_noise_stays_in_range_and_grows_with_the_shot():
    images = to_tensor(photograph(48, 48))
    made = []
    for level in (1e-4, 0.012):
        shot = draw_camera(np.random.default_rng(4), Camera(shot=(level, level)))
        noisy = camera_noise(images, shot, NumpyDraws(np.random.default_rng(0)))
        assert noisy.min() >= 0
        assert noisy.max() <= 1
        clean = process(demosaic(mosaic(unprocess(images, shot), shot.phase), shot.phase), shot)
        made.append((noisy - clean).std().item())
    assert made[1] > 3 * made[0]
