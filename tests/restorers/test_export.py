"""Exported files: what is in them, and that spandrel opens them as the same function."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from lossagent.errors import Failed, Refused
from lossagent.restorers import (
    CompactSR,
    PromptIR,
    SwinIR,
    export_restorer,
    known_to_spandrel,
    load_foreign,
    load_into,
    reopened,
)

EVERY = [("", 1)] + [(u, s) for u in ("pixelshuffle", "pixelshuffledirect", "nearest+conv") for s in (1, 2, 3, 4, 8)]


def swinir(spread: float = 0.05, **changes: object) -> SwinIR:
    settings: dict[str, object] = {"img_size": 16, "embed_dim": 8, "depths": [2], "num_heads": [2], "window_size": 8}
    network = SwinIR(**(settings | changes))
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0.0, spread)
    return network


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_come_back_and_facts_are_in_the_header(tmp_path, suffix):
    network = CompactSR(4, 8, 1).to(memory_format=torch.channels_last)
    path = export_restorer(network, {"network": "compact", "scale": "4"}, tmp_path / "new" / f"net{suffix}")
    fresh = CompactSR(4, 8, 1)
    load_into(fresh, path)
    assert all(torch.equal(a, b) for a, b in zip(fresh.parameters(), network.parameters(), strict=True))
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    if suffix == ".safetensors":
        with safe_open(path, "pt") as opened:
            assert opened.metadata() == {"network": "compact", "scale": "4"}
    else:
        assert list(torch.load(path, weights_only=True)) == ["params"]


def test_files_of_other_kinds_and_folders_that_cannot_be_written(tmp_path):
    with pytest.raises(Refused, match=r"out must be a file of kind .safetensors or .pth; found .*net.onnx"):
        export_restorer(CompactSR(4, 8, 1), {}, tmp_path / "net.onnx")
    (tmp_path / "file").touch()
    with pytest.raises(Failed, match="could not be written"):
        export_restorer(CompactSR(4, 8, 1), {}, tmp_path / "file" / "net.pth")


@pytest.mark.parametrize(("upsampler", "scale"), EVERY)
@pytest.mark.parametrize("residual", ["1conv", "3conv"])
def test_spandrel_opens_every_swinir_that_is_said_to_be_known(tmp_path, upsampler, scale, residual):
    pytest.importorskip("spandrel", reason="extra archs is not installed")
    network = swinir(upsampler=upsampler, upscale=scale, resi_connection=residual)
    path = export_restorer(network, {}, tmp_path / "net.safetensors")
    known = known_to_spandrel(network)
    if known.architecture is not None:
        assert reopened(network, path) == ("SwinIR", pytest.approx(0, abs=1e-5))
        assert load_foreign(path).scale == scale
        assert known.reason == ""
    else:
        assert "powers of two" in known.reason or "at least x2" in known.reason


@pytest.mark.parametrize(
    "changes",
    [
        {"in_chans": 1},
        {"depths": [3, 1], "num_heads": [2, 4]},
        {"depths": [1, 1], "num_heads": [2, 4]},
        {"depths": [1, 2], "num_heads": [2, 4], "img_size": 64},
        {"img_size": 32, "mlp_ratio": 4.0},
        {"window_size": 7, "img_size": 14, "img_range": 255.0},
        {"drop_rate": 0.1, "drop_path_rate": 0.5, "use_checkpoint": True},
    ],
)
def test_other_settings_that_spandrel_tells_from_the_weights(tmp_path, changes):
    pytest.importorskip("spandrel", reason="extra archs is not installed")
    network = swinir(**changes).train()
    assert known_to_spandrel(network).architecture == "SwinIR"
    assert reopened(network, export_restorer(network, {}, tmp_path / "net.safetensors"))[1] < 1e-5
    assert all(module.training for module in network.modules())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"img_range": 255.0}, "image range of window 8 for 1"),
        ({"window_size": 7, "img_size": 14}, "image range of window 7 for 255"),
        ({"ape": True}, "ape"),
        ({"patch_norm": False}, "patch_norm"),
        ({"qkv_bias": False}, "qkv_bias"),
        ({"qk_scale": 0.1}, "qk_scale"),
        ({"upsampler": "nearest+conv", "upscale": 3}, "powers of two"),
        ({"upsampler": "pixelshuffle", "upscale": 1}, "at least x2"),
        ({"img_size": [16, 24]}, "square img_size"),
        ({"depths": [1, 2], "num_heads": [2, 4]}, "takes img_size 64"),
    ],
)
def test_settings_that_spandrel_cannot_tell_are_named(tmp_path, changes, reason):
    network = swinir(spread=0.3, **changes)
    known = known_to_spandrel(network)
    assert known.architecture is None
    assert reason in known.reason
    pytest.importorskip("spandrel", reason="extra archs is not installed")
    path = export_restorer(network, {}, tmp_path / "net.safetensors")
    try:
        difference = reopened(network, path)[1]
    except Refused:
        return
    assert difference > 1e-5


def test_networks_that_spandrel_does_not_know(tmp_path):
    assert "this project's own" in known_to_spandrel(CompactSR(4, 8, 1)).reason
    with torch.device("meta"):
        assert known_to_spandrel(PromptIR(dim=8, decoder=True)).reason == "spandrel has no PromptIR"
        assert known_to_spandrel(PromptIR(dim=8)).reason == "spandrel has no Restormer"
    assert "Linear is a class of your own" in known_to_spandrel(nn.Linear(1, 1)).reason
    pytest.importorskip("spandrel", reason="extra archs is not installed")
    small = {"dim": 8, "num_blocks": [1] * 4, "num_refinement_blocks": 1, "prompt_sizes": (2, 2, 2)}
    for network in (CompactSR(4, 8, 1), PromptIR(**small, decoder=True), PromptIR(**small)):
        with pytest.raises(Refused, match="no architecture that spandrel knows"):
            reopened(network, export_restorer(network, {}, tmp_path / "net.safetensors"))


def test_networks_of_spandrel_go_back_to_it(tmp_path):
    pytest.importorskip("spandrel", reason="extra archs is not installed")
    from spandrel.architectures.Compact import Compact

    torch.manual_seed(0)
    source = export_restorer(Compact(num_feat=8, num_conv=2, upscale=2), {}, tmp_path / "source.pth")
    foreign = load_foreign(source)
    optimizer = torch.optim.SGD(foreign.network.parameters(), 0.1)
    foreign.network(torch.rand(1, 3, 8, 8)).square().mean().backward()
    optimizer.step()
    assert known_to_spandrel(foreign.network).architecture == "Compact"
    path: Path = export_restorer(foreign.network, {}, tmp_path / "trained.safetensors")
    assert reopened(foreign.network, path) == ("RealESRGAN Compact", 0.0)
    assert reopened(foreign.network, source)[1] > 0
