"""The perceptual loss."""

from __future__ import annotations

import math

import pytest
import torch

from lossagent.errors import MissingAsset, Refused, UnknownName
from lossagent.losses import Perceptual
from losses import kit

LAYERS = {"conv1_2": 0.1, "conv2_2": 2.0}


def test_is_the_weighted_sum_of_layer_distances():
    restored, target = kit.images()
    loss = Perceptual("vgg19", LAYERS, weights="random")
    found, wanted = loss.backbone(restored), loss.backbone(target)
    expected = sum(w * (found[n] - wanted[n]).abs().mean() for n, w in LAYERS.items())
    torch.testing.assert_close(loss(restored, target), expected)
    squared = sum(w * (found[n] - wanted[n]).square().mean() for n, w in LAYERS.items())
    torch.testing.assert_close(Perceptual("vgg19", LAYERS, "mse", "random")(restored, target), squared)


def test_vgg19_has_the_published_layers():
    loss = Perceptual("vgg19", weights="random")
    assert loss.layer_weights == {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1, "conv4_4": 1, "conv5_4": 1}
    assert loss.criterion == "l1"
    assert loss.shift == 1


def test_the_usual_loss_is_l1_of_torchvisions_features_before_their_relu():
    """Numbers 2, 7, 16, 25 and 34 of torchvision's VGG19, each copied before the next layer overwrites it."""
    models = pytest.importorskip("torchvision.models")
    restored, target = (images[:1, :, :32, :32] for images in kit.images())
    loss = Perceptual("vgg19", weights="random")
    with torch.device("meta"):
        theirs = models.vgg19(weights=None).features[:35]
    ours = list(loss.backbone.parameters())
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours, strict=True)), assign=True)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    features = []
    with torch.no_grad():
        for images in (restored, target):
            x, taps = (images - mean) / std, {}
            for number, layer in enumerate(theirs):
                x = layer(x)
                if number in (2, 7, 16, 25, 34):
                    taps[number] = x.clone()
            features.append(taps)
        weights = {2: 0.1, 7: 0.1, 16: 1.0, 25: 1.0, 34: 1.0}
        expected = sum(w * (features[0][n] - features[1][n]).abs().mean() for n, w in weights.items())
        assert all((tap < 0).any() for tap in features[0].values())
        torch.testing.assert_close(loss(restored, target), expected, rtol=1e-4, atol=1e-5)


def test_relative_differences_do_not_depend_on_the_size_of_features():
    restored, target = kit.images()
    loss = Perceptual("efficientnet-lite0", {"stem": 1.0}, weights="random", shift=1)
    before = loss(restored, target)
    with torch.no_grad():
        for parameter in loss.backbone.parameters():
            parameter.mul_(10)
    torch.testing.assert_close(loss(restored, target), before)


def test_per_image_averages_to_the_loss():
    restored, target = kit.images()
    loss = Perceptual("squeezenet1_1", weights="random").eval()
    each = loss.per_image(restored, target)
    assert each.shape == (3,)
    torch.testing.assert_close(each.mean(), loss(restored, target))


def test_shifts_are_random_in_training_alone_and_cover_every_phase():
    restored, target = kit.images()
    loss = Perceptual("efficientnet-lite0", {"stem": 1.0}, weights="random", shift=2)
    torch.manual_seed(0)
    values = {round(float(loss(restored, target)), 7) for _ in range(40)}
    assert len(values) == 4
    loss.eval()
    state = torch.get_rng_state()
    assert float(loss(restored, target)) == float(loss(restored, target))
    assert torch.equal(torch.get_rng_state(), state)


def test_no_gradient_is_kept_for_the_target():
    restored, target = kit.images()
    target.requires_grad_()
    Perceptual("squeezenet1_1", weights="random")(restored.requires_grad_(), target).backward()
    assert target.grad is None


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf])
def test_refuses_layer_weights(weight):
    with pytest.raises(Refused, match="layer_weights"):
        Perceptual("vgg19", {"conv1_2": weight}, weights="random")


def test_refuses_the_rest(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSAGENT_HOME", str(tmp_path))
    with pytest.raises(Refused, match="shift"):
        Perceptual("vgg19", weights="random", shift=0)
    with pytest.raises(UnknownName, match="backbone"):
        Perceptual("vgg21", {"conv1_2": 1.0}, weights="random")
    with pytest.raises(UnknownName, match="backbone"):
        Perceptual("vgg21", weights="random")
    with pytest.raises(MissingAsset, match="efficientnet-lite0"):
        Perceptual("efficientnet-lite0")
