"""pyiqa itself, where it is installed: what needs no download scores, the rest names the file that it lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import scipy.io
import torch
from PIL import Image

from lossagent.errors import MissingAsset, Refused, UnknownName
from lossagent.iqa import names
from lossagent.losses import MetricLoss
from lossagent.metrics import MetricOptions, PyIQA, create
from lossagent.metrics.niqe import pristine

pytestmark = pytest.mark.skipif(find_spec("pyiqa") is None, reason="pyiqa is not installed (extra iqa)")

FREE = ("cw_ssim", "entropy", "fsim", "gmsd", "ms_ssim", "nlpd", "piqe", "psnr", "psnry", "ssim", "ssimc", "vif", "vsi")
"""Those that need no download; ``mad`` is another one, and takes seconds."""

LACKING = {
    "niqe": "niqe_modelparameters.mat, which belongs into {torch}/hub/pyiqa",
    "clipiqa": "RN50.pt, which belongs into {torch}/hub/clip",
    "laion_aes": "ViT-L-14.pt, which belongs into {home}/.cache/clip",
    "musiq": "musiq_koniq_ckpt-e95806b9.pth, which belongs into {torch}/hub/pyiqa",
    "lpips": "alexnet-owt-7be5be79.pth, which belongs into {torch}/hub/checkpoints",
    "maniqa": "model.safetensors or pytorch_model.bin of https://huggingface.co/timm/vit_base_patch8_224",
    "qalign": "config.json of https://huggingface.co/q-future/one-align, whose files belong into {hub}",
}


def metric(name):
    try:
        return PyIQA(name)
    except UnknownName:
        pytest.skip(f"this version of pyiqa has no {name}")


@pytest.fixture(scope="module")
def pair():
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, 3, 48, 48, generator=generator)
    sharp = torch.nn.functional.interpolate(coarse, (192, 192), mode="bicubic").clamp(0, 1)
    return (sharp + 0.05 * torch.randn(sharp.shape, generator=generator)).clamp(0, 1), sharp


@pytest.mark.parametrize("name", FREE)
def test_what_needs_no_download_scores_each_image_alone(name, pair):
    found = metric(name)
    restored, sharp = pair
    reference = sharp if found.facts.needs_reference else None
    together = found(restored, reference)
    alone = [found(restored[i : i + 1], reference[i : i + 1] if reference is not None else None) for i in (0, 1)]
    assert together.dtype == torch.float64
    assert torch.isfinite(together).all()
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-5)
    if reference is not None:
        better, worse = found(sharp, sharp), together
        assert (better < worse).all() if found.facts.direction == "lower" else (better > worse).all()


@pytest.mark.parametrize("name", ["ssim", "gmsd", "nlpd", "vsi"])
def test_a_metric_as_a_loss_is_lowered_by_its_gradient(name, pair):
    restored, sharp = pair[0].clone().requires_grad_(), pair[1]
    loss = MetricLoss(f"pyiqa:{name}")
    before = loss(restored, sharp)
    (gradient,) = torch.autograd.grad(before, restored)
    step = 1e-3 * gradient / gradient.abs().max()
    assert loss(restored.detach() - step, sharp) < before


@pytest.mark.parametrize("name", ["piqe", "entropy"])
def test_metrics_without_a_gradient_are_no_losses(name, pair):
    with pytest.raises(Refused, match="cannot be a loss"):
        MetricLoss(f"pyiqa:{name}")(*pair)


def test_psnry_reads_as_the_field_does_with_its_options(pair):
    usual = create("psnr", MetricOptions(space="y", border=4))(*pair)
    theirs = PyIQA("psnry", {"color_space": "ycbcr", "crop_border": 4})(*pair)
    assert torch.allclose(theirs, usual, atol=0.02)
    assert (PyIQA("psnry")(*pair) < usual - 1).all()


def score(tmp_path, *arguments):
    places = {"HOME": tmp_path, "TORCH_HOME": tmp_path / "torch", "HF_HOME": tmp_path / "hf"}
    return subprocess.run(
        [sys.executable, "-c", "from lossagent.cli import main; main()", "score", *map(str, arguments)],
        env={**os.environ, **{name: str(place) for name, place in places.items()}},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.mark.slow
@pytest.mark.parametrize("name", LACKING)
def test_missing_weights_are_named_with_their_place(name, tmp_path, picture):
    metric(name)
    ended = score(tmp_path, f"pyiqa:{name}", picture)
    wanted = LACKING[name].format(torch=tmp_path / "torch", home=tmp_path, hub=tmp_path / "hf" / "hub")
    assert ended.returncode == 2, ended.stderr
    assert wanted in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


@pytest.mark.slow
def test_a_file_put_where_the_error_says_is_found(tmp_path, picture):
    place = tmp_path / "torch" / "hub" / "pyiqa"
    place.mkdir(parents=True)
    model = {"mu_prisparam": pristine().mean.numpy()[None], "cov_prisparam": pristine().covariance.numpy()}
    scipy.io.savemat(place / "niqe_modelparameters.mat", model)
    ended = score(tmp_path, "pyiqa:niqe", picture, "--json")
    assert ended.returncode == 0, ended.stderr
    assert '"sha256 of niqe_modelparameters.mat"' in ended.stdout


@pytest.mark.slow
def test_every_metric_scores_or_names_what_it_lacks(pair, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    lacking: dict[str, str] = {}
    for name in names():
        found = PyIQA(name)
        try:
            assert torch.isfinite(found(pair[0], pair[1] if found.facts.needs_reference else None)).all(), name
        except MissingAsset as error:
            lacking[name] = str(error)
    assert all("belong" in text for text in lacking.values())
    assert not set(lacking) & {*FREE, "mad"}


def test_niqe_is_pyiqas_where_nothing_is_flat(shared_data, tmp_path):
    model = {"mu_prisparam": pristine().mean.numpy()[None], "cov_prisparam": pristine().covariance.numpy()}
    scipy.io.savemat(tmp_path / "model.mat", model)
    theirs = PyIQA("niqe", {"pretrained_model_path": str(tmp_path / "model.mat")})
    for name in ("baboon", "zebra"):
        pixels = np.asarray(Image.open(shared_data / "bench" / "Set14" / "HR" / f"{name}.png").convert("RGB"))
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
        assert float(theirs(image)) == pytest.approx(float(create("niqe_yiq")(image)), abs=0.005)
