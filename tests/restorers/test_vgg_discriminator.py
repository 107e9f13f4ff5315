"""The VGG-style discriminator: published names and size, gradients, sizes it refuses."""

from __future__ import annotations

import pytest
import torch

from lossagent.errors import Refused
from lossagent.restorers import VGGDiscriminator, build_discriminator


@pytest.mark.parametrize(("size", "parameters", "stages"), [(128, 14_499_401, 5), (256, 21_055_049, 6)])
def test_names_and_parameters_are_the_published_ones(size, parameters, stages):
    with torch.device("meta"):
        network = VGGDiscriminator(input_size=size)
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    names = {f"conv{stage}_{half}.weight" for stage in range(stages) for half in (0, 1)} | {"conv0_0.bias"}
    norms = {f"bn{stage}_{half}" for stage in range(stages) for half in (0, 1)} - {"bn0_0"}
    names |= {f"{name}.{part}" for name in norms for part in norm}
    names |= {f"linear{number}.{part}" for number in (1, 2) for part in ("weight", "bias")}
    assert set(network.state_dict()) == names
    assert sum(p.numel() for p in network.parameters()) == parameters
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert shapes["conv0_0.weight"] == (64, 3, 3, 3)
    assert shapes["conv2_0.weight"] == (256, 128, 3, 3)
    assert shapes[f"conv{stages - 1}_1.weight"] == (512, 512, 4, 4)
    assert shapes["linear1.weight"] == (100, 512 * 4 * 4)


@pytest.mark.parametrize("size", [128, 256])
@pytest.mark.parametrize("batch", [1, 2])
def test_every_parameter_is_trained(size, batch):
    network = build_discriminator("vgg", {"channels": 2, "input_size": size, "initial": "normal"})
    images = torch.rand(batch, 3, size, size, requires_grad=True)
    logits = network(images)
    assert logits.shape == (batch, 1)
    (logits * torch.arange(1.0, batch + 1)[:, None]).sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_evaluation_mode_changes_no_buffer():
    network = VGGDiscriminator(channels=2)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.eval()(torch.rand(1, 3, 128, 128))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    network.train()(torch.rand(1, 3, 128, 128))
    assert not torch.equal(network.get_buffer("bn1_0.running_mean"), before["bn1_0.running_mean"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_size": 96}, r"input_size must be 128 or 256, in pixels; found 96"),
        ({"channels": 0}, r"must be at least 1; found 3 and 0"),
    ],
)
def test_refused_arguments(arguments, message):
    with pytest.raises(Refused, match=message):
        VGGDiscriminator(**({"channels": 2} | arguments))


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (1, 3, 128, 64), (1, 1, 128, 128)])
def test_images_of_another_size_are_refused(shape):
    with pytest.raises(Refused, match=r"images must be \[3, 128, 128\].*train on target patches of 128 px"):
        VGGDiscriminator(channels=2)(torch.rand(shape))
