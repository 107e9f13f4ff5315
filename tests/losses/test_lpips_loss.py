"""LPIPS against torchmetrics' network, on the same random backbones (published ones are a download)."""

from __future__ import annotations

import pytest
import torch

from lossagent.errors import MissingAsset
from lossagent.losses import LPIPS
from lossagent.losses.lpips import read_heads
from losses import kit


def reference(name: str):
    """torchmetrics' network: fitted heads, random backbone."""
    module = pytest.importorskip("torchmetrics.functional.image.lpips")
    return module._LPIPS(pretrained=True, net=name, pnet_rand=True)


def share_weights(ours: LPIPS, theirs) -> None:
    """Copies our random backbone into the other network; convolutions are in the same order."""
    source = list(ours.backbone.parameters())
    target = list(theirs.net.parameters())
    assert [p.shape for p in source] == [p.shape for p in target]
    with torch.no_grad():
        for mine, other in zip(source, target, strict=True):
            other.copy_(mine)


@pytest.mark.parametrize("name", ["alex", "squeeze", pytest.param("vgg", marks=pytest.mark.slow)])
def test_equals_torchmetrics(name):
    ours, theirs = LPIPS(name, "random"), reference(name)
    share_weights(ours, theirs)
    restored, target = kit.images(batch=2, side=64)
    with torch.no_grad():
        expected = theirs(restored, target, normalize=True).flatten()
        found = ours.per_image(restored, target)
    assert (expected > 1e-3).all()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["alex", "squeeze"])
def test_gradient_equals_torchmetrics(name):
    ours, theirs = LPIPS(name, "random"), reference(name)
    share_weights(ours, theirs)
    restored, target = kit.images(batch=2, side=64)
    leaves = [restored.clone().requires_grad_() for _ in range(2)]
    ours(leaves[0], target).backward()
    theirs(leaves[1], target, normalize=True).mean().backward()
    assert leaves[0].grad is not None
    torch.testing.assert_close(leaves[0].grad, leaves[1].grad, rtol=1e-3, atol=1e-6)


def test_heads_are_not_negative():
    for name, layers in (("alex", 5), ("vgg", 5), ("squeeze", 7)):
        heads = read_heads(name)
        assert len(heads) == layers
        assert all((head >= 0).all() for head in heads)


def test_features_of_length_zero_give_no_nan():
    black = torch.zeros(1, 3, 64, 64, requires_grad=True)
    loss = LPIPS("alex", "random")
    with torch.no_grad():
        for parameter in loss.backbone.parameters():
            parameter.zero_()
    value = loss(black, torch.ones(1, 3, 64, 64))
    value.backward()
    assert value == 0
    assert black.grad is not None
    assert torch.isfinite(black.grad).all()


def test_refuses(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSAGENT_HOME", str(tmp_path))
    with pytest.raises(MissingAsset, match="lossagent assets fetch vgg16"):
        LPIPS("vgg")
