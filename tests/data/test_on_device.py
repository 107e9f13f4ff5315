"""Pairs made on the training device: a pool that is a function of its numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lossagent.data import NamedImage, PatchSampler
from lossagent.data.degradations import Bicubic, RealESRGANBatch, Untouched, usm_sharpen
from lossagent.data.on_device import OnDeviceSampler
from lossagent.errors import Refused

POOL, BATCH = 8, 2
GROUPS = POOL // BATCH


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[NamedImage]:
    folder: Path = tmp_path_factory.mktemp("photos")
    images = []
    for number in range(3):
        rng = np.random.default_rng(number)
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        coarse.resize((64 + number, 64), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
        images.append(NamedImage(str(number), folder / f"{number}.png"))
    return images


def crops(photos: list[NamedImage], side: int = 48, seed: int = 3) -> PatchSampler:
    return PatchSampler(photos, 1, side, Untouched(), seed)


def sampler(photos: list[NamedImage], pool: int = POOL, seed: int = 3, sharpen: bool = True) -> OnDeviceSampler:
    degrade = RealESRGANBatch(4, sharpen=sharpen)
    return OnDeviceSampler(crops(photos, seed=seed), degrade, torch.device("cpu"), pool, context=8)


def equal(one, two) -> bool:
    assert one.sharpened is not None
    assert two.sharpened is not None
    same = all(torch.equal(getattr(one, name), getattr(two, name)) for name in ("lq", "hq", "sharpened"))
    return same and one.names == two.names


@pytest.fixture(scope="module")
def whole(photos):
    """Three blocks, one iteration after another."""
    made = sampler(photos)
    return [made.batch(0, iteration, BATCH) for iteration in range(3 * GROUPS)]


def test_a_batch_holds_pairs_of_the_size_asked_for(photos, whole):
    made = sampler(photos)
    assert (made.scale, made.patch, made.sharpen) == (4, 8, True)
    for batch in whole:
        assert batch.lq.shape == (BATCH, 3, 8, 8)
        assert batch.sharpened.shape == batch.hq.shape == (BATCH, 3, 32, 32)
        for images in (batch.lq, batch.hq, batch.sharpened):
            assert images.dtype == torch.float32
            assert torch.equal(images, (images * 255).round() / 255)
            assert images.min() >= 0
            assert images.max() <= 1
    assert sampler(photos, sharpen=False).batch(0, 0, BATCH).sharpened is None


def test_each_block_is_a_permutation_of_its_own_pairs(photos, whole):
    made = sampler(photos)
    orders = []
    for block in range(3):
        sources = list(made._sources(0, block))
        assert sorted(sources) == list(range(block * POOL, (block + 1) * POOL))
        orders.append([source - block * POOL for source in sources])
    assert orders[0] != orders[1] != orders[2]
    # Without mixing the pairs are the same, in the order in which they are made.
    plain = sampler(photos, pool=BATCH)
    for block in range(2):
        straight = [plain.batch(0, i, BATCH) for i in range(block * GROUPS, (block + 1) * GROUPS)]
        highs = {image.numpy().tobytes() for batch in straight for image in batch.hq}
        assert {i.numpy().tobytes() for b in whole[block * GROUPS : (block + 1) * GROUPS] for i in b.hq} == highs
        assert len(highs) == POOL


def test_pairs_belong_together_and_ground_truth_is_a_crop_of_the_photograph(photos, whole):
    for batch in whole:
        for low, high, name in zip(batch.lq, batch.hq, batch.names, strict=True):
            photo = next(p for p in photos if p.name == name).pixels()
            crop = (high * 255).round().byte().permute(1, 2, 0).numpy()
            turns = [np.rot90(part, k) for part in (photo, photo[:, ::-1]) for k in range(4)]
            assert any(contains(np.ascontiguousarray(turned), crop) for turned in turns)
            assert (low.mean() - high.mean()).abs() < 0.35
    # The pixels of inputs follow those of their own ground truth.
    low = torch.cat([batch.lq for batch in whole])
    high = torch.nn.functional.avg_pool2d(torch.cat([batch.hq for batch in whole]), 4)
    right = np.corrcoef(low.ravel(), high.ravel())[0, 1]
    wrong = np.corrcoef(low.ravel(), high.flip(-1).ravel())[0, 1]
    assert right > 0.6
    assert right > wrong + 0.2


def contains(whole: np.ndarray, part: np.ndarray) -> bool:
    height, width = part.shape[:2]
    corners = np.argwhere((whole[: -height + 1 or None, : -width + 1 or None] == part[0, 0]).all(axis=2))
    return any(np.array_equal(whole[y : y + height, x : x + width], part) for y, x in corners)


def test_the_sharpened_target_is_the_ground_truths(whole, photos):
    # Sharpened with its surroundings; far from the border of a flat mask both agree closely.
    gaps = []
    for batch in whole:
        for high, sharp in zip(batch.hq, batch.sharpened, strict=True):
            alone = usm_sharpen((high * 255).round().byte().permute(1, 2, 0).numpy())
            gaps.append(np.abs((sharp * 255).permute(1, 2, 0).numpy() - alone).mean())
    assert np.mean(gaps) < 4
    assert all(not torch.equal(batch.sharpened, batch.hq) for batch in whole)


def test_any_order_of_iterations_gives_the_same_batches(photos, whole):
    made = sampler(photos)
    for iteration in (5, 1, 11, 0, 6, 5, 10):
        assert equal(made.batch(0, iteration, BATCH), whole[iteration]), iteration


def test_a_run_that_resumes_within_a_block_goes_on_as_if_nothing_had_happened(photos, whole):
    resumed = sampler(photos)
    for iteration in range(GROUPS + 1, 3 * GROUPS):
        assert equal(resumed.batch(0, iteration, BATCH), whole[iteration]), iteration


def test_windows_and_seeds_are_streams_of_their_own(photos, whole):
    made = sampler(photos)
    other = made.batch(1, 0, BATCH)
    assert not equal(other, whole[0])
    assert equal(made.batch(0, 0, BATCH), whole[0])  # and back
    assert not equal(sampler(photos, seed=4).batch(0, 0, BATCH), whole[0])


def test_shares_of_ranks_make_the_whole_batch(photos):
    one = sampler(photos)
    first, second = sampler(photos), sampler(photos)
    for iteration in range(5):
        batch = one.batch(0, iteration, 4)
        parts = [first.batch(0, iteration, 4, 0, 1), second.batch(0, iteration, 4, 1, 3)]
        assert torch.equal(torch.cat([part.hq for part in parts]), batch.hq)
        assert parts[0].names + parts[1].names == batch.names
        # Their company in the filters differs: rounding.
        gap = (torch.cat([part.lq for part in parts]) - batch.lq).abs().mean(dim=(1, 2, 3)) * 255
        assert gap.max() < 0.5
        target = torch.cat([part.sharpened for part in parts])
        assert (target - batch.sharpened).abs().max() * 255 < 1.5


def test_what_was_made_is_kept_for_two_blocks_only(photos):
    made = sampler(photos)
    for iteration in range(3 * GROUPS):
        made.batch(0, iteration, BATCH)
    assert len(made._made) <= 3 * GROUPS
    made.batch(1, 0, BATCH)
    assert {request.window for request, _ in made._made} == {1}


def test_what_cannot_be_is_refused(photos):
    device, degrade = torch.device("cpu"), RealESRGANBatch(4)
    with pytest.raises(Refused, match="multiple of the batch; found 8 and 3"):
        sampler(photos).batch(0, 0, 3)
    with pytest.raises(Refused, match="pool"):
        OnDeviceSampler(crops(photos), degrade, device, 0, context=8)
    with pytest.raises(Refused, match="nothing inside"):
        OnDeviceSampler(crops(photos), degrade, device, 8, context=24)
    with pytest.raises(Refused, match="multiple of 4"):
        OnDeviceSampler(crops(photos, side=46), degrade, device, 8, context=8)
    with pytest.raises(Refused, match="scale 1"):
        OnDeviceSampler(PatchSampler(photos, 4, 12, Bicubic(4), 0), degrade, device, 8, context=8)
    with pytest.raises(Refused, match="not inside"):
        Untouched().patch(np.zeros((8, 8, 3), np.uint8), 4, 4, 5, np.random.default_rng(0))
