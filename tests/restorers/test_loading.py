"""Networks by name and by import path; weights from files."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lossagent.errors import DoesNotFit, Refused, UnknownName
from lossagent.restorers import (
    DISCRIMINATORS,
    RESTORERS,
    CompactSR,
    PatchDiscriminator,
    SwinIR,
    build,
    build_discriminator,
    load_into,
    load_state,
)


def network() -> CompactSR:
    return CompactSR(scale=2, channels=4, blocks=1)


def same(ours: nn.Module, theirs: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


@pytest.mark.parametrize("wrapper", ["params_ema", "params", "state_dict", "model", None])
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt"])
def test_each_wrapper_key_loads(tmp_path, wrapper, suffix, caplog):
    trained, fresh = network(), network()
    path = tmp_path / f"weights{suffix}"
    torch.save({wrapper: trained.state_dict(), "iteration": 5} if wrapper else trained.state_dict(), path)
    with caplog.at_level(logging.INFO):
        load_into(fresh, path)
    assert same(fresh, trained)
    assert (repr(wrapper) in caplog.text) == (wrapper is not None)


def test_safetensors_and_the_prefix_of_data_parallel(tmp_path):
    trained, fresh = network(), network()
    path = tmp_path / "weights.safetensors"
    save_file({f"module.{n}": t for n, t in trained.state_dict().items()}, path)
    load_into(fresh, path)
    assert same(fresh, trained)


def test_the_average_is_preferred_unless_a_key_is_named(tmp_path):
    average, raw = network(), network()
    path = tmp_path / "both.pth"
    torch.save({"params": raw.state_dict(), "params_ema": average.state_dict()}, path)
    fresh = network()
    load_into(fresh, path)
    assert same(fresh, average)
    load_into(fresh, path, key="params")
    assert same(fresh, raw)
    with pytest.raises(Refused, match=r"no key 'ema' that holds weights; found params, params_ema"):
        load_state(path, key="ema")


def test_a_checkpoint_that_does_not_fit_is_named_and_changes_nothing(tmp_path):
    wider = {n: t for n, t in CompactSR(scale=2, channels=8, blocks=1).state_dict().items() if "tail" not in n}
    path = tmp_path / "wider.safetensors"
    save_file({**wider, "extra.weight": torch.zeros(1)}, path)
    fresh = network()
    before = {n: t.clone() for n, t in fresh.state_dict().items()}
    with pytest.raises(DoesNotFit) as caught:
        load_into(fresh, path)
    message = str(caught.value)
    assert "do not fit CompactSR" in message
    assert "2 missing from the file: tail.weight, tail.bias" in message
    assert "1 not in the network: extra.weight" in message
    assert "8 of another shape: " in message
    assert "head.weight [8, 3, 3, 3] in the file, [4, 3, 3, 3] in the network" in message
    assert message.count("in the file, ") == 5
    assert "..." in message
    assert all(torch.equal(t, before[n]) for n, t in fresh.state_dict().items())


def test_missing_keys_alone_change_nothing(tmp_path):
    state = network().state_dict()
    del state["tail.bias"]
    save_file(state, tmp_path / "part.safetensors")
    fresh = network()
    before = fresh.head.weight.clone()
    with pytest.raises(DoesNotFit, match=r"1 missing from the file: tail\.bias\. Give"):
        load_into(fresh, tmp_path / "part.safetensors")
    assert torch.equal(fresh.head.weight, before)


def test_swinir_of_another_img_size_loads_from_a_file(tmp_path):
    settings = {"embed_dim": 8, "depths": [2], "num_heads": [2], "window_size": 4}
    trained = SwinIR(img_size=16, **settings)
    torch.save({"params_ema": trained.state_dict()}, tmp_path / "swinir.pth")
    fresh = SwinIR(img_size=8, **settings)
    load_into(fresh, tmp_path / "swinir.pth")
    assert same(fresh, trained)
    with pytest.raises(DoesNotFit) as caught:
        load_into(SwinIR(img_size=8, **(settings | {"embed_dim": 12})), tmp_path / "swinir.pth")
    assert "attn_mask" not in str(caught.value)


class Anything:
    """No tensor."""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"net": Anything()}, "hold Python objects beside tensors"),
        ({"epoch": 3, "w": torch.zeros(1)}, r"must hold tensors; found 1 tensors and, of other kinds: epoch"),
        ({"params": {}}, "must hold tensors under 'params'"),
        ([torch.zeros(1)], "must be a dictionary of tensors; found list"),
    ],
)
def test_files_without_plain_weights_are_refused(tmp_path, content, message):
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(Refused, match=message):
        load_state(tmp_path / "weights.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("keep", [0, 60, 0.5])
def test_damaged_files_are_refused(tmp_path, suffix, keep):
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(network().state_dict(), path)
    else:
        save_file(network().state_dict(), path)
    data = path.read_bytes()
    path.write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
    with pytest.raises(Refused, match="damaged"):
        load_state(path)


def test_missing_files_and_other_kinds_are_refused(tmp_path):
    with pytest.raises(Refused, match=r"nothing\.pth are not there"):
        load_state(tmp_path / "nothing.pth")
    with pytest.raises(Refused, match=r"must be a file of kind \.safetensors, \.pth, \.pt, \.ckpt; found .*\.onnx"):
        load_state(tmp_path / "net.onnx")


def test_published_files_are_read(shared_data):
    found = sorted((shared_data / "weights").glob("*x4.pth"))
    if not found:
        pytest.skip("no published weights here")
    for path in found:
        assert all(t.dtype.is_floating_point or t.dtype == torch.int64 for t in load_state(path).values())


def test_tables_build():
    assert isinstance(build("compact", {"channels": 4, "blocks": 1}), CompactSR)
    assert isinstance(build_discriminator("patch", {"channels": 2, "norm": "none"}), PatchDiscriminator)
    settings = {"img_size": 8, "embed_dim": 8, "depths": [1], "num_heads": [2], "window_size": 4}
    assert isinstance(build("swinir", settings), SwinIR)
    assert set(RESTORERS) == {"swinir", "compact", "promptir"}
    assert set(DISCRIMINATORS) == {"unet", "patch", "vgg"}


def test_unknown_names_and_arguments():
    with pytest.raises(UnknownName, match=r"Unknown restorer 'swinr'\. Did you mean 'swinir'\?"):
        build("swinr", {})
    with pytest.raises(UnknownName, match=r"Unknown discriminator 'unett'\. Did you mean 'unet'"):
        build_discriminator("unett", {})
    with pytest.raises(Refused, match=r"'compact' takes no argument 'depth'\. It takes: scale, channels, blocks"):
        build("compact", {"depth": 3})
    with pytest.raises(Refused, match="scale must be one of"):
        build("compact", {"scale": 7})


FOREIGN = """
from torch import nn

class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        if width < 0:
            raise RuntimeError("width is negative")
        self.conv = nn.Conv2d(3, width, 1)

class Other(nn.Module):
    def __init__(self, **settings):
        super().__init__()
        self.settings = settings

def make(width=2):
    return Net(width)

def text():
    return "no network"

number = 3
"""


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "foreign_nets.py").write_text(FOREIGN)
    (tmp_path / "foreign_broken.py").write_text("import a_package_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("foreign_nets", None)
    sys.modules.pop("foreign_broken", None)


@pytest.mark.usefixtures("foreign")
def test_your_own_network_by_import_path():
    assert isinstance(build("foreign_nets:Net", {"width": 2}), nn.Module)
    assert isinstance(build("foreign_nets:make", {}), nn.Module)
    assert build("foreign_nets:Other", {"anything": 1}).settings == {"anything": 1}


@pytest.mark.usefixtures("foreign")
@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("foreign_nets:Nett", {}, "Unknown network of the module 'foreign_nets' 'Nett'. Did you mean 'Net'"),
        ("foreign_nets:Net", {}, "needs 'width'. It takes: width"),
        ("foreign_nets:Net", {"with": 2}, "takes no argument 'with'. Did you mean 'width'"),
        ("foreign_nets:Net", {"width": -1}, "could not be built: RuntimeError: width is negative"),
        ("foreign_nets:text", {}, r"must give a torch.nn.Module; found str"),
        ("foreign_nets:number", {}, "must name a class or function; found int"),
        (
            "foreign_broken:Net",
            {},
            "importing 'foreign_broken' failed: ModuleNotFoundError: No module named 'a_pack",
        ),
        ("foreign_missing:Net", {}, "importing 'foreign_missing' failed: ModuleNotFoundError.*PYTHONPATH"),
        (":Net", {}, "must be written 'my.module:Net'"),
    ],
)
def test_import_paths_that_fail_say_why(name, arguments, message):
    with pytest.raises(Refused, match=message):
        build(name, arguments)
