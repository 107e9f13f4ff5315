"""``lossagent export``: the file it leaves, what it says of it, and what it refuses."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from command_line import command, written
from lossagent.build.networks import network_of_run
from lossagent.restorers import load_foreign, load_state
from tiny import experiment

SWINIR = {
    "img_size": 16,
    "window_size": 8,
    "embed_dim": 8,
    "depths": [2],
    "num_heads": [2],
    "upscale": 4,
    "upsampler": "pixelshuffle",
}


def run_of(root: Path, restorer: dict[str, Any]) -> Path:
    """A short finished run of a network."""
    changes = {"losses": {"l1": {"kind": "l1", "weight": 1.0}, "mse": {"kind": "mse", "weight": 0.5}}}
    ran = command("run", written(experiment(root, restorer=restorer, **changes), root), "--out", root / "run")
    assert ran.status == 0, ran.err
    return root / "run"


@pytest.fixture(scope="module")
def swinir_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_of(tmp_path_factory.mktemp("swinir"), {"network": "swinir", "arguments": SWINIR, "multiple": 8})


@pytest.fixture(scope="module")
def compact_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    arguments = {"scale": 4, "channels": 8, "blocks": 1}
    return run_of(tmp_path_factory.mktemp("compact"), {"network": "compact", "arguments": arguments})


@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_what_is_trained_opens_in_spandrel(swinir_run, tmp_path, kind):
    pytest.importorskip("spandrel", reason="extra archs is not installed")
    done = command("export", swinir_run, "--state", "last", "--out", tmp_path / "net", "--format", kind)
    assert done.status == 0, done.err
    assert "SwinIR x4" in done.out
    assert "Opened again with spandrel as SwinIR: outputs differ by at most" in done.out
    foreign = load_foreign(tmp_path / f"net.{kind}")
    network, _ = network_of_run(swinir_run, "last")
    x = torch.rand(1, 3, 16, 24)
    with torch.no_grad():
        torch.testing.assert_close(foreign.network.eval()(x), network.eval()(x), atol=1e-5, rtol=0)


def test_the_state_asked_for_is_written_and_said_in_the_header(swinir_run, tmp_path):
    for state in ("start", "last", "2"):
        assert command("export", swinir_run, "--state", state, "--out", tmp_path / f"{state}.safetensors").status == 0
        theirs = load_state(tmp_path / f"{state}.safetensors")
        ours = network_of_run(swinir_run, state)[0].state_dict()
        assert all(torch.equal(theirs[name], tensor) for name, tensor in ours.items())
    with safe_open(tmp_path / "last.safetensors", "pt") as opened:
        facts = opened.metadata()
    assert facts["network"] == "swinir"
    assert json.loads(facts["arguments"]) == SWINIR
    assert (facts["scale"], facts["multiple"], facts["state"]) == ("4", "8", "last")
    different = load_state(tmp_path / "start.safetensors")["conv_first.weight"]
    assert not torch.equal(different, load_state(tmp_path / "last.safetensors")["conv_first.weight"])


def test_networks_that_spandrel_does_not_know_are_written_and_it_is_said(compact_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = command("export", compact_run)
    assert done.status == 0, done.err
    assert [path.name for path in tmp_path.iterdir()] == ["run-selected.safetensors"]
    assert "lossagent opens it; spandrel and chaiNNer do not: the compact network is this project's own." in done.out


def test_without_spandrel_it_is_said_that_nothing_was_checked(swinir_run, tmp_path, monkeypatch):
    real = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name == "spandrel":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    done = command("export", swinir_run, "--out", tmp_path / "net.pth")
    assert done.status == 0, done.err
    assert "open it as SwinIR. That was not checked, since spandrel is not installed" in done.out
    assert "pip install 'lossagent[archs]'" in done.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "net.onnx"], "out must be a file of kind .safetensors or .pth"),
        (["--out", "net.pth", "--format", "safetensors"], "--out net.pth and --format safetensors disagree"),
        (["--state", "9"], "has no state '9'"),
    ],
)
def test_what_is_refused_leaves_no_file(compact_run, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    refused = command("export", compact_run, *words)
    assert refused.status == 2
    assert message in refused.err
    assert list(tmp_path.iterdir()) == []
