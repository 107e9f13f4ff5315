"""The map of artefacts by its equations, and what it lets through."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from lossagent.errors import Refused
from lossagent.losses import LDL, Compares
from lossagent.losses.ldl import artefact_map
from losses import kit


def windows(residual):
    """The variance of every 7x7 window, one after another."""
    padded = F.pad(residual, (3, 3, 3, 3), mode="reflect")
    return torch.stack(
        [
            torch.stack([padded[..., i : i + 7, j : j + 7].flatten(1).var(dim=1) for j in range(residual.shape[-1])], 1)
            for i in range(residual.shape[-2])
        ],
        dim=1,
    ).unsqueeze(1)


def test_map_by_its_equation():
    restored, target = kit.images(batch=2, side=16, dtype=torch.float64)
    residual = (target - restored).abs().sum(dim=1, keepdim=True)
    image = torch.stack([r.var() for r in residual]) ** (1 / 5)
    expected = image.view(-1, 1, 1, 1) * windows(residual)
    torch.testing.assert_close(artefact_map(restored, target), expected, rtol=1e-9, atol=1e-12)
    loss = LDL(refine=False)(restored, target)
    torch.testing.assert_close(loss, (expected * (restored - target).abs()).mean())


def test_float32_loses_little():
    restored, target = kit.images(side=32)
    exact = artefact_map(restored.double(), target.double())
    torch.testing.assert_close(artefact_map(restored, target).double(), exact, rtol=1e-3, atol=1e-7)


def test_what_the_average_does_worse_is_no_artefact():
    restored, target = kit.images(dtype=torch.float64)
    better, worse = target + 0.5 * (restored - target), target + 2 * (restored - target)
    half = torch.cat([better[..., :24], worse[..., 24:]], dim=-1)
    plain, refined = artefact_map(restored, target), artefact_map(restored, target, half)
    torch.testing.assert_close(refined[..., :24], plain[..., :24])
    assert not refined[..., 24:].any()
    assert LDL().compare(restored, target, worse) == 0
    torch.testing.assert_close(LDL().compare(restored, target, better), LDL(refine=False)(restored, target))
    assert torch.equal(artefact_map(restored, target, restored), plain)


def test_the_map_is_a_weight():
    restored, target = kit.images(dtype=torch.float64)
    leaf, average = restored.clone().requires_grad_(), (target + 0.01).requires_grad_()
    LDL().compare(leaf, target, average).backward()
    expected = artefact_map(restored, target, average.detach()) * (restored - target).sign() / restored.numel()
    torch.testing.assert_close(leaf.grad, expected)
    assert average.grad is None


def test_needs_an_average_unless_it_does_not_refine():
    pair = kit.images()
    assert isinstance(LDL(), Compares)
    assert LDL().wants_average
    assert not LDL(refine=False).wants_average
    with pytest.raises(Refused, match=r"training\.ema.*refine: false"):
        LDL()(*pair)
    assert torch.equal(LDL(refine=False).compare(*pair, pair[0]), LDL(refine=False)(*pair))
    with pytest.raises(Refused, match="at least 7 px; found 6x6"):
        LDL(refine=False)(torch.zeros(1, 3, 6, 6), torch.zeros(1, 3, 6, 6))
