"""The adapter to pyiqa, against a stand-in for it."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from hashlib import sha256

import numpy as np
import pytest
import torch
from PIL import Image

import fake_pyiqa
from command_line import command
from lossagent.errors import MissingAsset, MissingPackage, Refused, UnknownName
from lossagent.iqa import dependencies, entry, licence_notice, listing, names
from lossagent.metrics import METRICS, Metric, MetricOptions, PyIQA, create, known


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """The stand-in, and the folder of its weights."""
    yield fake_pyiqa.install(tmp_path, monkeypatch)
    fake_pyiqa.uninstall()


@pytest.fixture
def images():
    return torch.rand(5, 3, 40, 48)


def made():
    return sys.modules["pyiqa"].MADE


@pytest.fixture
def absent(monkeypatch):
    monkeypatch.setattr(listing, "find_spec", lambda name: None)


def test_facts_come_from_the_table_and_nothing_is_imported(weights):
    facts = PyIQA("pyiqa:dark").facts
    assert facts.name == "pyiqa:dark"
    assert (facts.direction, facts.low, facts.high, facts.needs_reference) == ("lower", 0.0, 200.0, False)
    assert facts.unit == 2.0
    assert (facts.implementation, facts.version) == ("pyiqa", "9.8.7")
    assert facts.options == {"gain": 2.0, "border": 0}
    open_ended = PyIQA("gap").facts
    assert (open_ended.low, open_ended.high, open_ended.needs_reference) == (0.0, None, True)
    assert PyIQA("pair").facts.low is None
    assert "pyiqa" not in sys.modules


def test_every_listed_metric_that_scores_an_image_can_be_named(weights):
    assert set(names()) == {"bright", "dark", "gap", "steps", "crops", "averaged", "pair", "weighted", "clipped", "hub",
                            "lacking", "late", "picky", "qalign", "qalign_8bit", "clipiqa"}  # fmt: skip
    assert known() == (*METRICS, *(f"pyiqa:{name}" for name in names()))
    assert isinstance(create("pyiqa:bright"), Metric)


def test_what_cannot_score_an_image_says_why(weights):
    with pytest.raises(Refused, match="'pyiqa:fid' cannot be used: it compares whole folders"):
        create("pyiqa:fid")
    with pytest.raises(Refused, match="caption"):
        create("pyiqa:clipscore")
    with pytest.raises(UnknownName, match="Did you mean 'bright'"):
        create("pyiqa:brigth")
    with pytest.raises(UnknownName, match="Did you mean 'pyiqa:bright'"):
        create("bright")


def test_without_pyiqa_the_exact_line_is_said(absent):
    with pytest.raises(MissingPackage, match=r"pip install 'lossagent\[iqa\]'"):
        create("pyiqa:clipiqa")
    assert known() == tuple(METRICS)


def test_scores_are_one_an_image_in_float64_and_batches_are_bounded(weights, images):
    metric = PyIQA("bright", batch=2)
    values = metric(images)
    assert values.dtype == torch.float64
    assert torch.allclose(values, images.mean(dim=(1, 2, 3)).double())
    assert metric.network.load(torch.device("cpu")).net.seen == [2, 2, 1]


def test_references_are_compared_where_wanted_and_nowhere_else(weights, images):
    gap = PyIQA("gap")
    assert torch.allclose(gap(images, images * 0.5), (images * 0.5).mean(dim=(1, 2, 3)).double())
    with pytest.raises(Refused, match="pyiqa:gap compares with a reference"):
        gap(images)
    assert torch.equal(PyIQA("bright")(images, images * 0), PyIQA("bright")(images))


def test_values_outside_the_range_are_refused_before_pyiqa_sees_them(weights, images):
    with pytest.raises(Refused, match="Clamp"):
        PyIQA("bright")(images * 2)
    assert "pyiqa" not in sys.modules


def test_the_border_is_left_out(weights):
    image = torch.zeros(1, 3, 40, 40)
    image[..., 4:36, 4:36] = 1
    assert float(PyIQA("bright", border=4)(image)) == 1.0
    assert float(create("pyiqa:bright", MetricOptions(border=4))(image)) == 1.0


def test_options_reach_pyiqa_and_stand_in_the_facts(weights, images):
    metric = PyIQA("bright", {"gain": 3, "color_space": "ycbcr"})
    assert torch.allclose(metric(images), 3 * images.mean(dim=(1, 2, 3)).double())
    assert metric.facts.options == {"gain": 3, "color_space": "ycbcr", "border": 0}
    PyIQA("gap", {"data_range": 2.0})  # handed on to the function of its name


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("bright", {"colour": "y"}, "no option 'colour'; it takes color_space, crop_border, flip, gain"),
        ("bright", {"crop_border": "4"}, "'crop_border' must be int"),
        ("bright", {"crop_border": True}, "'crop_border' must be int"),
        ("bright", {"flip": 1}, "'flip' must be bool"),
        ("steps", {"gain": 1.0}, "no option 'gain'; it takes none"),
        ("gap", {"kwargs": 1}, "no option 'kwargs'"),
    ],
)
def test_wrong_options_are_refused_without_an_import(weights, name, options, message):
    with pytest.raises(Refused, match=message):
        PyIQA(name, options)
    assert "pyiqa" not in sys.modules


def test_wrong_settings_are_refused(weights):
    for settings, message in (
        ({"border": -1}, "border must be at least 0"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"unit": 0.0}, "unit must be positive"),
        ({"device": "abacus"}, "device must be"),
    ):
        with pytest.raises(Refused, match=message):
            PyIQA("bright", **settings)
    with pytest.raises(Refused, match="color_space"):
        create("pyiqa:bright", MetricOptions(space="y"))
    with pytest.raises(Refused, match="no option 'download'"):
        create("psnr", MetricOptions(download=True))


def test_a_metric_that_draws_sees_one_image_a_call_and_leaves_generators_alone(weights, images):
    before = (torch.get_rng_state(), np.random.get_state()[1].copy())
    metric = PyIQA("crops")
    together = metric(images)
    assert metric.batch == 1
    alone = torch.cat([PyIQA("crops")(image[None]) for image in images])
    assert torch.equal(together, alone)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()


def test_a_metric_that_averages_a_batch_sees_one_image_a_call(weights, images):
    metric = PyIQA("averaged")
    assert torch.allclose(metric(images), images.mean(dim=(1, 2, 3)).double())
    assert metric.batch == 1


def test_what_is_no_number_is_refused(weights, images):
    with pytest.raises(Refused, match=r"'pyiqa:pair'.*tuple in place of a number"):
        PyIQA("pair")(images)


def test_released_memory_is_taken_again_when_needed(weights, images):
    metric = PyIQA("bright")
    assert not metric.network.loaded
    metric(images)
    metric(images)
    metric.release()
    assert not metric.network.loaded
    metric(images)
    assert made() == [("bright", "cpu")] * 2
    placed = PyIQA("bright", device="meta")
    assert placed.device == torch.device("meta")


def test_nothing_is_printed_by_pyiqa(weights, images, capsys):
    PyIQA("bright")(images)
    assert capsys.readouterr() == ("", "")


def test_a_missing_file_is_named_with_its_place_and_address(weights, images):
    with pytest.raises(MissingAsset) as caught:
        PyIQA("weighted").load()
    assert f"weighted.pth, which belongs into {weights}, from http://127.0.0.1:9/weights/weighted.pth" in str(
        caught.value
    )
    assert "lossagent score pyiqa:weighted IMAGE --download" in str(caught.value)
    with pytest.raises(MissingAsset, match=f"RN50.pt, which belongs into {weights}, from http://127.0.0.1:9/clip"):
        PyIQA("clipped")(images)


def test_a_file_that_is_missed_at_the_first_image_is_named_too(weights, images):
    metric = PyIQA("late")
    with pytest.raises(MissingAsset, match=f"detector.pth, which belongs into {weights}"):
        metric(images)
    (weights / "detector.pth").write_bytes(b"")
    assert len(metric(images)) == 5


def test_a_file_of_the_hub_is_named_with_its_repository(weights):
    pytest.importorskip("huggingface_hub")
    with pytest.raises(MissingAsset) as caught:
        PyIQA("hub").load()
    text = str(caught.value)
    assert "model.safetensors or pytorch_model.bin of https://huggingface.co/someone/model" in text
    assert f"{weights}/models--someone--model" in text
    assert "hf download someone/model" in text


def test_the_file_put_there_is_read_and_its_hash_kept(weights, images):
    torch.save({"gain": torch.tensor(2.0)}, weights / "weighted.pth")
    metric = PyIQA("weighted")
    assert torch.allclose(metric(images), 2 * images.mean(dim=(1, 2, 3)).double())
    digest = sha256((weights / "weighted.pth").read_bytes()).hexdigest()
    assert metric.facts.options["sha256 of weighted.pth"] == digest
    metric.release()
    assert metric.facts.options["sha256 of weighted.pth"] == digest


def test_a_failed_download_is_said_at_once(weights, images):
    with pytest.raises(MissingAsset, match=r"fetching it failed: .*To go on, put it there by hand"):
        PyIQA("weighted", download=True)(images)
    with pytest.raises(MissingAsset, match=r"RN50.pt.*fetching it failed"):
        PyIQA("clipped", download=True)(images)


def test_checkpoints_that_can_run_code_are_not_read_unasked(weights, images):
    torch.save({"gain": Gain()}, weights / "weighted.pth")
    with pytest.raises(Refused, match=r"weighted.pth is damaged, or holds more than tensors.*unpickle: true"):
        PyIQA("weighted")(images)
    assert len(PyIQA("weighted", unpickle=True)(images)) == 5
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


class Gain:
    """What a checkpoint should not hold."""

    def __float__(self) -> float:
        return 1.0


def test_everything_that_was_replaced_is_put_back(weights, images):
    replaced = (torch.hub.download_url_to_file, urllib.request.urlopen, torch.load, torch.jit.load)
    with pytest.raises(MissingAsset):
        PyIQA("weighted")(images)
    PyIQA("bright")(images)
    assert replaced == (torch.hub.download_url_to_file, urllib.request.urlopen, torch.load, torch.jit.load)
    assert sys.modules["pyiqa.archs.fake_arch"].download_url_to_file is torch.hub.download_url_to_file


def test_packages_that_are_missing_are_named_with_their_line(weights, monkeypatch):
    with pytest.raises(MissingPackage, match="pip install a_package_that_is_nowhere"):
        PyIQA("lacking").load()
    for package, name, line in (
        ("pkg_resources", "clipiqa", "pip install 'setuptools<81'"),
        ("clip", "clipiqa", "pip install openai-clip"),
        ("icecream", "qalign", "pip install icecream"),
        ("bitsandbytes", "qalign_8bit", "pip install bitsandbytes"),
    ):
        monkeypatch.setattr(dependencies, "find_spec", _all_but(package))
        with pytest.raises(MissingPackage, match=line):
            PyIQA(name)
    PyIQA("qalign")  # 16 bits need no bitsandbytes


def _all_but(package):
    return lambda name: None if name == package else name


def test_a_language_model_sees_one_image_and_never_falls_back(weights, images, monkeypatch):
    monkeypatch.setattr(dependencies, "find_spec", lambda name: name)
    metric = PyIQA("qalign", batch=8)
    assert metric.batch == 1
    assert len(metric(images)) == 5
    with pytest.raises(Refused, match="Falling back to fp16"):
        PyIQA("qalign_8bit").load()


def test_what_pyiqa_raises_is_told_in_a_line_with_the_size(weights, images):
    with pytest.raises(Refused, match=r"'pyiqa:picky'.*score an image of 40x48: AssertionError: wants 64 pixels$"):
        PyIQA("picky")(images)


def test_the_command_scores_and_says_the_licence_apart(weights, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.full((40, 40, 3), 51, dtype=np.uint8)).save(path)
    result = command("score", "pyiqa:bright", path, "--json", "--option", "gain=2.0", "--option", "color_space=ycbcr")
    assert result.status == 0
    (row,) = json.loads(result.out)
    assert row["metric"] == "pyiqa:bright"
    assert row["value"] == pytest.approx(0.4)
    assert row["options"] == {"gain": 2.0, "color_space": "ycbcr", "border": 0}
    assert licence_notice() in result.err
    for wrong in ("gain", "gain=", "=2", "gain=[1]"):
        assert command("score", "pyiqa:bright", path, "--option", wrong).status == 2
    assert command("score", "pyiqa:weighted", path).status == 2


def test_the_command_lists_metrics(weights):
    result = command("score", "--list")
    assert result.status == 0
    rows = {line.split()[0]: line.split()[1:] for line in result.out.splitlines() if line.strip()}
    assert rows["pyiqa:dark"] == ["lower", "0", "to", "200"]
    assert rows["pyiqa:gap"] == ["lower", "0", "to", "yes"]
    assert rows["niqe"][0] == "lower"


def test_an_entry_is_found_with_and_without_the_prefix(weights):
    assert entry("pyiqa:bright") == entry("bright")
