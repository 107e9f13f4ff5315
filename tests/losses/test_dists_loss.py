"""DISTS against torchmetrics' network with the same random backbone (pretrained ones are a download)."""

from __future__ import annotations

import pytest
import torch

from lossagent.errors import MissingAsset, Refused
from lossagent.losses import DISTS
from lossagent.losses.dists import L2Pooling, read_weights
from losses import kit


@pytest.fixture(scope="module")
def ours() -> DISTS:
    return DISTS("random")


@pytest.fixture
def theirs(ours, monkeypatch):
    """torchmetrics' network, given our convolutions in order."""
    module = pytest.importorskip("torchmetrics.functional.image.dists")
    plain = module.vgg16
    monkeypatch.setattr(module, "vgg16", lambda weights: plain(weights=None))
    network = module.DISTSNetwork()
    source = list(ours.backbone.parameters())
    target = [p for name, p in network.named_parameters() if name.startswith("stage")]
    assert [p.shape for p in source] == [p.shape for p in target]
    with torch.no_grad():
        for mine, other in zip(source, target, strict=True):
            other.copy_(mine)
    return network


@pytest.mark.slow
def test_value_and_gradient_equal_torchmetrics(ours, theirs):
    restored, target = kit.images(batch=2, side=68)
    restored, target = restored[..., :61], target[..., :61]
    leaves = [restored.clone().requires_grad_() for _ in range(2)]
    found, expected = ours.per_image(leaves[0], target), theirs(leaves[1], target, require_grad=True)
    assert (expected > 0.01).all()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    found.mean().backward()
    expected.mean().backward()
    torch.testing.assert_close(leaves[0].grad, leaves[1].grad, rtol=1e-2, atol=1e-6)


def test_l2_pooling_by_hand():
    pool = L2Pooling()
    flat = pool(torch.full((2, 5, 8, 6), 0.7))
    assert flat.shape == (2, 5, 4, 3)
    assert flat[0, 0, 1, 1].item() == pytest.approx(0.7)
    point = torch.zeros(1, 1, 5, 5)
    point[0, 0, 2, 2] = 3.0
    assert pool(point)[0, 0, 1, 1].item() == pytest.approx(1.5)
    dark = torch.zeros(1, 1, 4, 4, requires_grad=True)
    pool(dark).sum().backward()
    assert dark.grad is not None
    assert torch.equal(dark.grad, torch.zeros_like(dark))


def test_nothing_is_max_pooled(ours):
    kinds = [type(module).__name__ for module in ours.modules()]
    assert kinds.count("L2Pooling") == 4
    assert "MaxPool2d" not in kinds
    assert not any(p.requires_grad for p in ours.parameters())


def test_published_weights():
    alpha, beta = read_weights()
    assert alpha.shape == beta.shape == (1475,)
    assert (alpha >= 0).all()
    assert (beta >= 0).all()
    assert (alpha.sum() + beta.sum()).item() == pytest.approx(1, abs=1e-4)


def test_texture_that_moved_costs_less_than_texture_that_is_gone(ours):
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(1, 3, 64, 64, generator=generator)
    moved, gone = target.roll((16, 16), (2, 3)), target.mean((2, 3), keepdim=True).expand_as(target)
    assert (moved - target).abs().mean() > (gone - target).abs().mean()
    with torch.no_grad():
        assert ours(moved, target) < ours(gone, target)


def test_refuses(ours, tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSAGENT_HOME", str(tmp_path))
    with pytest.raises(MissingAsset, match="lossagent assets fetch vgg16"):
        DISTS()
    with pytest.raises(Refused, match="at least 32 px"):
        ours(torch.rand(1, 3, 31, 40), torch.rand(1, 3, 31, 40))
