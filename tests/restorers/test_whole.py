"""Whole images: padding, tiles, modes, 8 bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lossagent.errors import Refused
from lossagent.restorers import CompactSR, PatchDiscriminator, from_uint8, restore, to_uint8
from lossagent.restorers.padding import mirror


class Same(nn.Module):
    """Gives back its input; remembers the sizes it saw."""

    def __init__(self, scale: int = 1) -> None:
        super().__init__()
        self.scale, self.seen = scale, []

    def forward(self, x):
        self.seen.append(tuple(x.shape[-2:]))
        return x.repeat_interleave(self.scale, -1).repeat_interleave(self.scale, -2)


class Global(nn.Module):
    """Adds the mean of what it sees: no tile can know that of the image."""

    def forward(self, x):
        return 0.5 * x + 0.5 * x.mean((-2, -1), keepdim=True)


@pytest.mark.parametrize("repeat_edge", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4)])
def test_mirror_padding_equals_numpy_s(size, repeat_edge):
    x = torch.arange(size[0] * size[1], dtype=torch.float32).view(1, 1, *size)
    mode = "symmetric" if repeat_edge else "reflect"
    expected = np.pad(x[0, 0].numpy(), ((0, 11 - size[0]), (0, 9 - size[1])), mode=mode)
    assert np.array_equal(mirror(x, 11, 9, repeat_edge=repeat_edge)[0, 0].numpy(), expected)


@pytest.mark.parametrize(
    ("strict", "seen"), [(False, (16, 24)), (True, (24, 24))], ids=["next multiple", "strictly larger"]
)
def test_padding_to_a_multiple(strict, seen):
    network, image = Same(2), torch.rand(2, 3, 16, 19)
    restored = restore(network, image, scale=2, multiple=8, strict=strict)
    assert network.seen == [seen]
    assert torch.equal(restored[:, :, ::2, ::2], image)


def test_clamped_float32_and_a_normal_tensor():
    restored = restore(Same(), torch.tensor([-0.5, 0.25, 1.5]).view(1, 3, 1, 1), scale=1)
    assert restored.flatten().tolist() == [0.0, 0.25, 1.0]
    assert not restored.is_inference()
    assert not restored.requires_grad


def test_modes_and_buffers_stay_as_they_were():
    network = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Dropout(0.5))
    network.train()
    network[1].eval()
    before = {n: t.clone() for n, t in network.state_dict().items()}
    image = torch.rand(1, 3, 9, 9)
    assert torch.equal(restore(network, image, scale=1), restore(network, image, scale=1))
    assert [m.training for m in network] == [True, False, True]
    assert network.training
    assert all(torch.equal(t, before[n]) for n, t in network.state_dict().items())
    with pytest.raises(Refused):
        restore(network, image, scale=2)
    assert [m.training for m in network] == [True, False, True]


class Field(nn.Module):
    """Convolutions that see 6 pixels in each direction, on the whole enlarged by nearest neighbours."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.net = nn.Sequential(nn.Conv2d(3, 4, 7, padding=3), nn.Tanh(), nn.Conv2d(4, 3, 7, padding=3), nn.Sigmoid())

    def forward(self, x):
        return nn.functional.interpolate(self.net(x), scale_factor=float(self.scale), mode="nearest")


@pytest.mark.parametrize("size", [(50, 70), (33, 20), (24, 90), (10, 47)])
@pytest.mark.parametrize("scale", [1, 3])
@pytest.mark.parametrize(("tile", "overlap", "multiple"), [(24, 13, 1), (32, 12, 4), (24, 16, 8)])
def test_tiles_equal_the_whole_within_the_stated_bound(size, scale, tile, overlap, multiple):
    network, image = Field(scale), torch.rand(1, 3, *size)
    whole = restore(network, image, scale=scale, multiple=multiple)
    tiled = restore(network, image, scale=scale, multiple=multiple, tile=tile, overlap=overlap)
    assert tiled.shape == whole.shape
    torch.testing.assert_close(tiled, whole, atol=1e-5, rtol=0)


def test_tiles_equal_the_whole_for_the_compact_network():
    network, image = CompactSR(scale=2, channels=4, blocks=2), torch.rand(1, 3, 40, 64)
    whole = restore(network, image, scale=2)
    torch.testing.assert_close(restore(network, image, scale=2, tile=32, overlap=18), whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("blend", [True, False])
@pytest.mark.parametrize("overlap", [0, 1, 7, 15])
def test_the_weights_of_tiles_sum_to_one(blend, overlap):
    image = torch.rand(1, 3, 37, 50)
    restored = restore(Same(2), image, scale=2, tile=16, overlap=overlap, blend=blend)
    torch.testing.assert_close(restored[:, :, 1::2, 1::2], image)


def test_blending_softens_seams():
    image = torch.rand(1, 3, 16, 64)
    image[..., :32] *= 0.2

    def steepest(blend: bool) -> float:
        restored = restore(Global(), image, scale=1, tile=32, overlap=16, blend=blend)
        return float((restored - 0.5 * image).diff(dim=-1).abs().max())

    assert steepest(blend=True) < 0.3 * steepest(blend=False)


def test_small_images_and_progress():
    steps: list[tuple[int, int]] = []
    network = Same()
    restore(
        network,
        torch.rand(1, 3, 5, 7),
        scale=1,
        tile=16,
        overlap=4,
        progress=lambda d, n: steps.append((d, n)),
    )
    assert (network.seen, steps) == ([(5, 7)], [(1, 1)])
    steps.clear()
    restore(
        network,
        torch.rand(1, 3, 16, 40),
        scale=1,
        tile=16,
        overlap=4,
        progress=lambda d, n: steps.append((d, n)),
    )
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert set(network.seen[1:]) == {(16, 16)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 2}, r"must enlarge by scale 2: images \[1, 3, 20, 20\] to \[1, 3, 40, 40\]; it returned"),
        ({"scale": 0}, "scale, multiple and minimum must be at least 1; found 0, 1 and 1"),
        (
            {"scale": 1, "tile": 16, "overlap": 16},
            "exceed overlap by at least as much; found tile 16, overlap 16",
        ),
        ({"scale": 1, "tile": 20, "multiple": 8}, r"tile must be a multiple of 8 \(multiple\)"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(Refused, match=message):
        restore(Same(), torch.rand(1, 3, 20, 20), **arguments)


def test_a_discriminator_is_no_restorer():
    with pytest.raises(Refused, match="it returned"):
        restore(PatchDiscriminator(channels=2), torch.rand(1, 3, 32, 32), scale=1)


def test_eight_bit_round_trip(rng):
    levels = np.arange(256, dtype=np.uint8)
    array = np.stack([levels, levels[::-1], rng.permutation(levels)], -1).reshape(16, 16, 3)
    image = from_uint8(array)
    assert image.shape == (1, 3, 16, 16)
    assert image.dtype == torch.float32
    assert (float(image.min()), float(image.max())) == (0.0, 1.0)
    assert np.array_equal(to_uint8(image), array)


def test_eight_bit_rounds_clamps_and_refuses():
    image = torch.tensor([[-1.0, 2.0], [0.4999 / 255, 0.5001 / 255]]).expand(1, 3, 2, 2)
    assert to_uint8(image)[..., 0].tolist() == [[0, 255], [0, 1]]
    array = np.zeros((2, 2, 3), np.uint8)
    array.setflags(write=False)
    from_uint8(array).add_(1)
    with pytest.raises(Refused, match="found NaN"):
        to_uint8(torch.full((1, 3, 2, 2), torch.nan))
