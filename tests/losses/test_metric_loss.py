"""A metric as a loss, against a stand-in for pyiqa."""

from __future__ import annotations

import pytest
import torch

import fake_pyiqa
from lossagent.errors import MissingAsset, Refused
from lossagent.losses import LOSSES, Loss, LossOptions, MetricLoss


@pytest.fixture(autouse=True)
def weights(tmp_path, monkeypatch):
    yield fake_pyiqa.install(tmp_path, monkeypatch)
    fake_pyiqa.uninstall()


@pytest.fixture
def pair():
    return torch.rand(2, 3, 40, 48, requires_grad=True), torch.rand(2, 3, 40, 48)


def test_the_sign_makes_lower_better(pair):
    restored, target = pair
    bright = MetricLoss("pyiqa:bright")
    assert isinstance(bright, Loss)
    assert torch.allclose(bright(restored, target), -restored.mean())
    assert torch.allclose(MetricLoss("pyiqa:dark")(restored, target), 2 * restored.mean())
    assert torch.allclose(MetricLoss("pyiqa:gap")(restored, target), (restored - target).abs().mean())


def test_the_gradient_reaches_the_image_and_only_the_image(pair):
    restored, target = pair
    target.requires_grad_()
    MetricLoss("pyiqa:bright")(restored, target).backward()
    assert torch.allclose(restored.grad, torch.full_like(restored, -1 / restored.numel()))
    assert target.grad is None


def test_images_are_held_to_the_range_and_gradients_pass(pair):
    _, target = pair
    restored = torch.full_like(target, 3.0).requires_grad_()
    value = MetricLoss("pyiqa:bright")(restored, target)
    value.backward()
    assert value.item() == pytest.approx(-1)
    assert (restored.grad < 0).all()


@pytest.mark.parametrize("name", ["steps", "qalign"])
def test_metrics_without_a_gradient_are_refused(name, pair, monkeypatch):
    if name == "qalign":
        monkeypatch.setattr("lossagent.iqa.network.check_dependencies", lambda entry: None)
        loss = MetricLoss("pyiqa:qalign")
        net = loss.network.load(torch.device("cpu")).net
        monkeypatch.setattr(net, "forward", torch.no_grad()(net.forward))
    else:
        loss = MetricLoss("pyiqa:steps")
    with pytest.raises(Refused, match=f"'pyiqa:{name}' cannot be a loss: .*gradient.*Steer by it"):
        loss(*pair)


def test_it_is_computed_in_float32_under_autocast_and_for_wider_images(pair):
    restored, target = pair
    loss = MetricLoss("pyiqa:bright")
    with torch.autocast("cpu", torch.bfloat16):
        narrow = loss(restored.to(torch.bfloat16), target)
    assert narrow.dtype == torch.float32
    assert loss(restored.double(), target.double()).dtype == torch.float64


def test_random_metrics_are_functions_of_the_image(pair):
    loss = MetricLoss("pyiqa:crops")
    state = torch.get_rng_state()
    assert torch.equal(loss(*pair), loss(*pair))
    assert torch.equal(state, torch.get_rng_state())


def test_the_table_makes_it(pair):
    loss = LOSSES.create("metric", LossOptions(metric="pyiqa:bright", metric_options={"gain": 2.0}))
    assert torch.allclose(loss(*pair), -2 * pair[0].mean())
    with pytest.raises(Refused, match="needs the option metric"):
        LOSSES.create("metric")
    with pytest.raises(Refused, match="'l1' takes no option metric"):
        LOSSES.create("l1", LossOptions(metric="pyiqa:bright"))
    with pytest.raises(Refused, match="no option 'loudness'"):
        LOSSES.create("metric", LossOptions(metric="pyiqa:bright", metric_options={"loudness": 2.0}))


def test_built_in_metrics_are_losses_of_their_own():
    with pytest.raises(Refused, match="kind 'ms-ssim'"):
        MetricLoss("ms_ssim")
    with pytest.raises(Refused, match="must be one of pyiqa's"):
        MetricLoss("niqe")


def test_missing_weights_are_named_when_it_is_made(weights):
    with pytest.raises(MissingAsset, match=f"weighted.pth, which belongs into {weights}"):
        MetricLoss("pyiqa:weighted")
