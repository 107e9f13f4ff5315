"""Feature networks: frozen, named, before the ReLU where that is said."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from lossagent.assets import verify
from lossagent.errors import MissingAsset, Refused, UnknownName
from lossagent.restorers.backbones import ARCHITECTURES, backbone
from lossagent.restorers.classifiers import vgg
from lossagent.restorers.efficientnet_lite import EfficientNetLite0, SameConv, fold_batch_norm

SMALL = {
    "vgg19": ("conv1_2", "conv2_2"),
    "alexnet": ("relu2",),
    "squeezenet1_1": ("fire3",),
    "efficientnet-lite0": ("stem", "stage2"),
}


@pytest.mark.parametrize("name", SMALL)
def test_frozen_and_open_to_the_gradient(name):
    network = backbone(name, "random", layers=SMALL[name]).train()
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())
    image = torch.rand(2, 3, 48, 48, requires_grad=True)
    features = network(image)
    assert tuple(features) == network.layers == SMALL[name]
    sum(f.sum() for f in features.values()).backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0


def test_vgg19_taps_are_numbers_2_7_16_25_34():
    layers = list(vgg("vgg19"))
    assert [layers.index(tap) for tap in ARCHITECTURES["vgg19"].taps] == [2, 7, 16, 25, 34]
    assert len(layers) == 37


@pytest.mark.parametrize("name", ["vgg19", "vgg16", "squeezenet1_1"])
def test_layers_are_those_of_torchvision(name):
    models = pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        theirs = getattr(models, name)(weights=None).features.state_dict()
        ours = torch.nn.Sequential(*ARCHITECTURES[name].layers().values()).state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


@pytest.mark.parametrize("name", ["vgg19", "alexnet", "squeezenet1_1"])
def test_features_equal_torchvisions(name):
    """With the same weights, every tap equals the output of torchvision's layer of that number."""
    models = pytest.importorskip("torchvision.models")
    taps = ARCHITECTURES[name].taps[:3]
    ours = backbone(name, "random", layers=taps)
    with torch.device("meta"):
        theirs = getattr(models, name)(weights=None).features
    state = {}
    order = list(ours._stages)
    for key, value in ours._stages.state_dict().items():
        layer, _, rest = key.partition(".")
        state[f"{order.index(layer)}.{rest}"] = value
    theirs = theirs[: len(order)]
    theirs.load_state_dict(state, assign=True)
    image = torch.rand(1, 3, 64, 64)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (image - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
    found = ours(image)
    with torch.no_grad():
        for index, layer in enumerate(order):
            x = theirs[index](x)
            if layer in taps:
                torch.testing.assert_close(found[layer], x.clone(), rtol=1e-4, atol=1e-4)


def test_taps_before_the_relu_hold_negatives():
    taps = ("conv1_2", "relu1_2", "conv2_2")
    features = backbone("vgg19", "random", layers=taps)(torch.rand(1, 3, 32, 32))
    assert (features["conv1_2"] < 0).any()
    assert (features["conv2_2"] < 0).any()
    assert torch.equal(features["relu1_2"], features["conv1_2"].relu())


def test_nothing_is_computed_below_the_last_tap():
    few = backbone("vgg19", "random", layers=("conv1_2",))
    assert sum(p.numel() for p in few.parameters()) == 3 * 64 * 9 + 64 + 64 * 64 * 9 + 64


def test_random_weights_come_from_the_seed_and_from_no_global_generator():
    before = torch.get_rng_state()
    one, same, other = (backbone("squeezenet1_1", "random", seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    image = torch.rand(1, 3, 40, 40)
    assert torch.equal(one(image)["fire3"], same(image)["fire3"])
    assert not torch.equal(one(image)["fire3"], other(image)["fire3"])
    assert one.facts["weights"] == "random"
    assert one.facts["seed"] == 1


def test_missing_weights_are_never_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSAGENT_HOME", str(tmp_path))
    with pytest.raises(MissingAsset, match="lossagent assets fetch vgg19"):
        backbone("vgg19")


def test_bad_names_and_sizes():
    with pytest.raises(UnknownName, match="Did you mean 'vgg19'"):
        backbone("vgg-19", "random")
    with pytest.raises(UnknownName, match="layer of vgg19"):
        backbone("vgg19", "random", layers=("conv9_9",))
    with pytest.raises(Refused, match="at least one layer"):
        backbone("vgg19", "random", layers=())
    with pytest.raises(Refused, match="upsample"):
        backbone("vgg19", "random", upsample=0)
    with pytest.raises(Refused, match="at least 31 px; found 20x40"):
        backbone("alexnet", "random")(torch.rand(1, 3, 20, 40))


@pytest.mark.parametrize("name", ["alexnet", "squeezenet1_1", "efficientnet-lite0"])
def test_the_smallest_image_works(name):
    side = ARCHITECTURES[name].smallest
    assert all(f.numel() for f in backbone(name, "random")(torch.rand(1, 3, side, side)).values())


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_same_padding(side, kernel, stride):
    conv = SameConv(1, 1, kernel, stride, bias=False)
    with torch.no_grad():
        conv.weight.fill_(1.0)
    rows = -(-side // stride)
    found = conv(torch.ones(1, 1, side, side))
    assert found.shape == (1, 1, rows, rows)
    total = (rows - 1) * stride + kernel - side
    assert found[0, 0, 0, 0] == (kernel - total // 2) ** 2
    assert found[0, 0, -1, -1] == (kernel - (total - total // 2)) ** 2


def test_folding_batch_norm_changes_nothing():
    torch.manual_seed(1)
    network = EfficientNetLite0().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = network(image)
        stages = image
        for stage in network.layers().values():
            stages = stage(stages)
        after = fold_batch_norm(network)(image)
        folded = image
        for stage in network.layers().values():
            folded = stage(folded)
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(folded, stages, rtol=1e-3, atol=1e-4)


@pytest.mark.skipif(verify("efficientnet-lite0") != "ok", reason="lossagent assets fetch efficientnet-lite0")
@pytest.mark.parametrize(("photo", "classes"), [("coffee", {967}), ("chelsea", {281, 282, 285})])
def test_the_published_weights_know_a_photograph(photo, classes):
    """967 espresso; 281, 282, 285 tabby, tiger cat and Egyptian cat."""
    from lossagent.assets import locate

    data = pytest.importorskip("skimage.data")
    network = EfficientNetLite0()
    network.load_state_dict(
        torch.load(locate("efficientnet-lite0"), map_location="cpu", weights_only=True), assign=True
    )
    array = torch.from_numpy(getattr(data, photo)()).permute(2, 0, 1)[None].float() / 255
    side = min(array.shape[-2:])
    top, left = (array.shape[-2] - side) // 2, (array.shape[-1] - side) // 2
    square = array[..., top : top + side, left : left + side]
    square = F.interpolate(square, (224, 224), mode="bicubic", antialias=True).clamp(0, 1)
    features = backbone("efficientnet-lite0", layers=("stage7",))
    with torch.no_grad():
        logits = network.eval()((255 * square - 127) / 128)
        last = features(square)["stage7"]
        same = network._fc(F.relu6(network._bn1(network._conv_head(last))).mean((2, 3)))
    assert int(logits.argmax()) in classes
    torch.testing.assert_close(same, logits, rtol=1e-3, atol=1e-2)
