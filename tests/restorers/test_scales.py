"""The scale of weights, told from names and shapes, and said when a checkpoint of another scale is loaded."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lossagent.errors import DoesNotFit
from lossagent.restorers import CompactSR, PromptIR, SwinIR, fit
from lossagent.restorers.scales import scales

UPSAMPLERS = [("pixelshuffle", s) for s in (1, 2, 3, 4, 8)]
UPSAMPLERS += [("pixelshuffledirect", s) for s in (1, 2, 3, 4, 8)]


def swinir(upsampler: str, scale: int, channels: int = 3) -> SwinIR:
    return SwinIR(
        img_size=8,
        window_size=4,
        embed_dim=8,
        depths=[1],
        num_heads=[2],
        in_chans=channels,
        upsampler=upsampler,
        upscale=scale,
    )


@pytest.mark.parametrize(("upsampler", "scale"), UPSAMPLERS)
def test_swinir_by_pixel_shuffle(upsampler, scale):
    assert scales(swinir(upsampler, scale).state_dict()) == (scale,)


def test_swinir_by_nearest_neighbours_and_at_one_size():
    assert scales(swinir("nearest+conv", 1).state_dict()) == (1,)
    assert scales(swinir("nearest+conv", 2).state_dict()) == scales(swinir("nearest+conv", 3).state_dict()) == (2, 3)
    assert scales(swinir("nearest+conv", 4).state_dict()) == (4,)
    assert scales(swinir("nearest+conv", 8).state_dict()) == (8,)
    assert scales(swinir("", 1).state_dict()) == (1,)
    assert scales(swinir("pixelshuffledirect", 4, channels=1).state_dict()) == (4,)


def test_compact_and_others():
    found = {scale: scales(CompactSR(scale, 4, 1).state_dict()) for scale in (1, 2, 3, 4, 8)}
    assert found == {1: (1, 2, 3), 2: (1, 2, 3), 3: (1, 2, 3), 4: (4,), 8: (8,)}
    with torch.device("meta"):
        assert scales(PromptIR(dim=8).state_dict()) == ()
    assert scales(nn.Linear(1, 1).state_dict()) == ()


@pytest.mark.parametrize(
    ("network", "weights", "message"),
    [
        (
            swinir("pixelshuffle", 2),
            swinir("pixelshuffle", 4),
            r"looks like a network for x4, and this one is for x2\.",
        ),
        (
            swinir("pixelshuffledirect", 4),
            swinir("pixelshuffledirect", 3),
            r"\[27, 8, 3, 3\] in the file, \[48, 8, 3, 3\] in the network.*x3, and this one is for x4",
        ),
        (swinir("nearest+conv", 4), swinir("nearest+conv", 2), r"for x2 or x3, and this one is for x4"),
        (CompactSR(2, 4, 1), CompactSR(4, 4, 1), r"for x4, and this one is for x1 or x2 or x3"),
    ],
)
def test_a_checkpoint_for_another_scale_says_so(network, weights, message):
    with pytest.raises(DoesNotFit, match=message):
        fit(network, weights.state_dict(), "w.pth")


def test_nothing_is_said_of_scales_where_another_thing_differs():
    with pytest.raises(DoesNotFit) as caught:
        fit(CompactSR(4, 4, 1), CompactSR(4, 8, 1).state_dict(), "w.pth")
    assert "looks like" not in str(caught.value)
