"""Discriminators: published names and counts, spectral norm, receptive field, buffers."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import spectral_norm

from lossagent.errors import Refused
from lossagent.restorers import PatchDiscriminator, UNetDiscriminator
from lossagent.restorers.spectral import SpectralConv2d


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_unet_has_the_published_names_and_parameters():
    network = UNetDiscriminator()
    spectral = [f"conv{i}.weight_{part}" for i in range(1, 9) for part in ("orig", "u", "v")]
    plain = [f"conv{i}.{part}" for i in (0, 9) for part in ("weight", "bias")]
    assert set(network.state_dict()) == {*spectral, *plain}
    assert count(network) == 4_376_897


@pytest.mark.parametrize("size", [(8, 8), (24, 32), (17, 29)])
@pytest.mark.parametrize("skip", [True, False])
def test_unet_gives_a_logit_for_each_pixel_at_any_size(size, skip):
    network = UNetDiscriminator(channels=4, skip=skip)
    logits = network(torch.rand(2, 3, *size))
    assert logits.shape == (2, 1, *size)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_patch_has_the_published_names_and_parameters():
    network = PatchDiscriminator()
    convolutions = {f"model.{i}.weight" for i in (0, 2, 5, 8, 11)} | {"model.0.bias", "model.11.bias"}
    norms = {
        f"model.{i}.{part}"
        for i in (3, 6, 9)
        for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    }
    assert set(network.state_dict()) == convolutions | norms
    assert count(network) == 2_765_633
    assert [m.stride for m in network.model if isinstance(m, nn.Conv2d)] == [(s, s) for s in (2, 2, 2, 1, 1)]


@pytest.mark.parametrize("norm", ["batch", "spectral", "none"])
def test_patch_trains_every_parameter(norm):
    network = PatchDiscriminator(channels=4, norm=norm)
    logits = network(torch.rand(2, 3, 64, 48))
    assert logits.shape == (2, 1, 6, 4)
    (logits * torch.randn_like(logits)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize(("layers", "field"), [(1, 16), (2, 34), (3, 70)])
def test_receptive_field(layers, field):
    network = PatchDiscriminator(channels=2, layers=layers, norm="none").double()
    x = torch.rand(1, 3, 160, 160, dtype=torch.float64, requires_grad=True)
    logits = network(x)
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    assert x.grad is not None
    seen = x.grad.abs().sum((0, 1)) > 0
    assert (int(seen.any(0).sum()), int(seen.any(1).sum())) == (field, field)


def test_spectral_convolution_equals_torch_s_classic_one():
    classic = spectral_norm(nn.Conv2d(3, 5, 4, 2, 1))
    ours = SpectralConv2d(3, 5, 4, 2, 1)
    assert set(ours.state_dict()) == set(classic.state_dict())
    ours.load_state_dict(classic.state_dict())
    x = torch.rand(2, 3, 16, 16)
    for training in (True, True, False):
        ours.train(training)
        classic.train(training)
        torch.testing.assert_close(ours(x), classic(x))
    ours.train()
    classic.train()
    for module in (ours, classic):
        (module(x).square().sum() + module(x + 1).sum()).backward()
    torch.testing.assert_close(ours.weight_orig.grad, classic.weight_orig.grad)
    torch.testing.assert_close(ours.weight_u, classic.weight_u)


def test_spectral_norm_is_one_from_the_start_and_after_training():
    convolution = SpectralConv2d(3, 8, 3)
    with torch.no_grad():
        assert torch.linalg.matrix_norm(convolution.weight.flatten(1), 2) == pytest.approx(1.0, abs=0.05)
        convolution.weight_orig.mul_(7)
        for _ in range(50):
            convolution(torch.rand(1, 3, 4, 4))
        assert torch.linalg.matrix_norm(convolution.weight.flatten(1), 2) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(
    "network",
    [
        UNetDiscriminator(channels=4),
        PatchDiscriminator(channels=4),
        PatchDiscriminator(channels=4, norm="spectral"),
    ],
    ids=["unet", "patch-batch", "patch-spectral"],
)
def test_evaluation_changes_no_buffer_and_training_does(network):
    network = copy.deepcopy(network).eval()
    before = {n: b.clone() for n, b in network.named_buffers()}
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(network(x), network(x))
    assert all(torch.equal(b, before[n]) for n, b in network.named_buffers())
    network.train()(x).sum().backward()
    assert not all(torch.equal(b, before[n]) for n, b in network.named_buffers())
    copy.deepcopy(network)


def test_initial_weights():
    orthogonal = UNetDiscriminator(channels=4, initial="orthogonal")
    matrix = orthogonal.conv2.weight_orig.detach().flatten(1)
    torch.testing.assert_close(matrix @ matrix.T, 0.04 * torch.eye(16), atol=1e-5, rtol=0)
    assert torch.linalg.matrix_norm(orthogonal.conv2.weight.detach().flatten(1), 2) == pytest.approx(1, abs=1e-4)
    normal = PatchDiscriminator(channels=16, initial="normal")
    assert normal.model[5].weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert normal.model[0].bias.abs().max() == 0


def test_gradient_reaches_the_image_through_a_frozen_discriminator():
    network = UNetDiscriminator(channels=4).requires_grad_(False)
    x = torch.rand(1, 3, 16, 16, requires_grad=True)
    network(x).mean().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_refusals():
    with pytest.raises(Refused, match="at least 8 px high and wide; found 7x9"):
        UNetDiscriminator(channels=2)(torch.rand(1, 3, 7, 9))
    with pytest.raises(Refused, match="at least 24 px high and wide for 3 layers; found 23x40"):
        PatchDiscriminator(channels=2)(torch.rand(1, 3, 23, 40))
    assert PatchDiscriminator(channels=2, norm="none")(torch.rand(1, 3, 24, 24)).shape == (1, 1, 1, 1)
    with pytest.raises(Refused, match="layers must be at least 1"):
        PatchDiscriminator(layers=0)
    with pytest.raises(Refused, match="at least 1; found 3 and 0"):
        UNetDiscriminator(channels=0)
