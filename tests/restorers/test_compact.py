"""The compact network."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from lossagent.errors import Refused
from lossagent.restorers.compact import CompactSR


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_output_is_scale_times_the_input(scale):
    assert CompactSR(scale, 8, 1)(torch.rand(2, 3, 7, 5)).shape == (2, 3, 7 * scale, 5 * scale)


def test_defaults_have_the_stated_size():
    assert sum(p.numel() for p in CompactSR().parameters()) == 119_251


def test_the_residual_starts_smaller_than_the_image():
    x = torch.rand(1, 3, 12, 12)
    skip = F.interpolate(x, scale_factor=4.0, mode="bilinear", align_corners=False)
    residual = (CompactSR()(x) - skip).abs().mean()
    assert 0 < residual < skip.mean()


def test_every_parameter_gets_a_gradient():
    network = CompactSR(4, 8, 2)
    network(torch.rand(1, 3, 8, 8)).square().mean().backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in network.parameters())


def test_channels_last_gives_the_same():
    network, x = CompactSR(4, 8, 2), torch.rand(1, 3, 9, 9)
    plain = network(x)
    last = network.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    assert torch.allclose(plain, last, atol=1e-5)


@pytest.mark.parametrize("bad", [{"scale": 5}, {"channels": 7}, {"blocks": 0}])
def test_bad_arguments_are_refused(bad):
    with pytest.raises(Refused, match="must be"):
        CompactSR(**bad)
