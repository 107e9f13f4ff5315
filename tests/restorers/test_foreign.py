"""Networks through spandrel: opened from files, trainable, and refused where they are no restorers."""

from __future__ import annotations

import builtins
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lossagent.errors import MissingPackage, Refused
from lossagent.restorers import CompactSR, SwinIR, load_foreign, parameters_without_gradient

spandrel = pytest.importorskip("spandrel", reason="extra archs is not installed")


def written(network: nn.Module, path: Path) -> Path:
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({"params_ema": state}, path)
    return path


def small_compact() -> nn.Module:
    from spandrel.architectures.Compact import Compact

    return Compact(num_feat=8, num_conv=2, upscale=2)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".pt", ".ckpt"])
def test_a_foreign_network_is_opened_and_trains(tmp_path, suffix):
    source = small_compact().requires_grad_(False).half()
    foreign = load_foreign(written(source, tmp_path / f"net{suffix}"))
    assert (foreign.architecture, foreign.scale, foreign.multiple, foreign.minimum) == ("RealESRGAN Compact", 2, 1, 0)
    assert "8nf" in foreign.tags
    network = foreign.network
    assert network.training
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    x = torch.rand(2, 3, 9, 7)
    restored = network(x)
    assert restored.shape == (2, 3, 18, 14)
    restored.square().mean().backward()
    assert all(p.requires_grad and p.grad is not None for p in network.parameters())
    assert parameters_without_gradient(network, 3, 16) == ()


def test_the_result_is_not_clamped(tmp_path):
    source = small_compact()
    nn.init.constant_(source.get_submodule("body.6").get_parameter("bias"), 5.0)
    foreign = load_foreign(written(source, tmp_path / "net.pth"))
    assert foreign.network(torch.rand(1, 3, 8, 8)).max() > 1


def test_released_weights_of_an_attention_network(shared_data):
    foreign = load_foreign(shared_data / "weights" / "craft_x4.pth")
    assert (foreign.architecture, foreign.scale, foreign.multiple, foreign.minimum) == ("CRAFT", 4, 16, 16)
    foreign.network(torch.rand(1, 3, 16, 16)).square().mean().backward()


def test_parameters_without_gradient_are_named_and_nothing_is_changed():
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used = nn.Conv2d(3, 3, 1)
            self.idle = nn.Conv2d(3, 3, 1)
            self.norm = nn.BatchNorm2d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.norm(self.used(x))

    network = Idle().eval()
    assert parameters_without_gradient(network, 3, 4) == ("idle.weight", "idle.bias")
    assert not network.training
    assert network.used.weight.grad is None
    assert int(network.norm.num_batches_tracked) == 0


def test_unknown_weights_are_refused_with_what_is_known(tmp_path):
    with pytest.raises(Refused, match=r"no architecture that spandrel knows. It knows: .*SwinIR.*my.module:Net"):
        load_foreign(written(CompactSR(2, 8, 1), tmp_path / "ours.safetensors"))
    with pytest.raises(Refused, match="are not there"):
        load_foreign(tmp_path / "nothing.pth")


def test_networks_for_gray_images_are_refused(tmp_path):
    network = SwinIR(img_size=8, window_size=4, in_chans=1, embed_dim=8, depths=[2], num_heads=[2])
    with pytest.raises(Refused, match=r"SwinIR with 1 channels in and 1 out; a restorer takes and gives RGB"):
        load_foreign(written(network, tmp_path / "gray.safetensors"))


def test_networks_that_are_no_restorers_by_themselves_are_refused(tmp_path):
    from spandrel.architectures.DRUNet import DRUNet
    from spandrel.architectures.FBCNN import FBCNN
    from spandrel.architectures.MixDehazeNet import MixDehazeNet

    drunet = DRUNet(in_nc=4, out_nc=3, nc=[4, 4, 4, 4], nb=2)
    with pytest.raises(Refused, match=r"DRUNet fails on an RGB picture of 32x32.*wants more than an image"):
        load_foreign(written(drunet, tmp_path / "drunet.pth"))
    fbcnn = FBCNN(nc=[4, 4, 4, 512], nb=2)
    with pytest.raises(Refused, match=r"FBCNN is no restorer of images in \[0, 1\] by itself"):
        load_foreign(written(fbcnn, tmp_path / "fbcnn.pth"))
    dehaze = MixDehazeNet(embed_dims=[8, 16, 32, 16, 8], depths=[1, 1, 1, 1, 1])
    with pytest.raises(Refused, match=r"MixDehazeNet is no restorer of images in \[0, 1\] by itself"):
        load_foreign(written(dehaze, tmp_path / "dehaze.pth"))


def test_a_network_that_changes_its_input_is_given_a_copy(tmp_path):
    from spandrel.architectures.RCAN import RCAN

    rcan = RCAN(scale=2, n_resgroups=1, n_resblocks=1, n_feats=16, reduction=4)
    foreign = load_foreign(written(rcan, tmp_path / "rcan.pth"))
    x = torch.rand(1, 3, 8, 8)
    before = x.clone()
    first = foreign.network(x)
    assert torch.equal(x, before)
    assert torch.equal(foreign.network(x), first)
    first.mean().backward()


def test_programs_are_not_read(tmp_path):
    path = tmp_path / "program.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated
        torch.jit.save(torch.jit.script(nn.Conv2d(3, 3, 1)), path)
    with pytest.raises(Refused, match=r"TorchScript program, which is not read because it is code"):
        load_foreign(path)


def test_without_spandrel_the_install_line_is_given(tmp_path, monkeypatch):
    path = written(small_compact(), tmp_path / "net.pth")
    real = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name == "spandrel":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingPackage, match=r"pip install 'lossagent\[archs\]'"):
        load_foreign(path)
