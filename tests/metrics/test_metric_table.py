"""The table of metrics and scoring of files."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from lossagent.errors import Refused, UnknownName
from lossagent.metrics import METRICS, MetricOptions, create, score_paths

RANDOM = MetricOptions(weights="random")
LEARNED = ("dists", "lpips-alex", "lpips-squeeze", "lpips-vgg", "shifted-lpips")


def read(path):
    return np.asarray(Image.open(path).convert("RGB"))


def save(path, pixels):
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def folders(tmp_path, rng):
    """Three references and their restored twins of other names."""
    high, restored = tmp_path / "HR", tmp_path / "restored"
    high.mkdir()
    restored.mkdir()
    for stem, twin in (("baby", "babyx4"), ("bird", "bird_x4_SwinIR"), ("head", "head")):
        pixels = rng.integers(0, 256, (34, 41, 3), dtype=np.uint8)
        save(high / f"{stem}.png", pixels)
        save(restored / f"{twin}.png", np.clip(pixels.astype(int) + 8, 0, 255).astype(np.uint8))
    return high, restored


@pytest.mark.parametrize("name", sorted(set(METRICS) - set(LEARNED)))
def test_every_metric_has_complete_facts(name):
    facts = create(name).facts
    assert facts.name == name
    assert facts.implementation == "lossagent"
    assert facts.version
    assert facts.unit > 0


@pytest.mark.parametrize("name", LEARNED)
def test_learned_metrics_score_and_say_that_their_weights_are_random(name):
    metric = create(name, RANDOM)
    assert metric.facts.name == name
    assert metric.facts.options["published_weights"] is False
    x = torch.rand(2, 3, 64, 64)
    values = metric(x, x * 0.5)
    assert values.dtype == torch.float64
    assert values.shape == (2,)
    assert (values > 0).all()
    assert torch.allclose(metric(x, x), torch.zeros(2, dtype=torch.float64), atol=1e-7)
    with pytest.raises(Refused, match="px"):
        metric(x[..., :20], x[..., :20])


@pytest.mark.parametrize("name", sorted(set(METRICS) - set(LEARNED)))
def test_every_metric_scores_a_batch(name):
    metric = create(name)
    x = torch.rand(2, 3, 176, 176)
    values = metric(x, (x * 0.9) if metric.facts.needs_reference else None)
    assert values.shape == (2,)
    assert values.dtype == torch.float64
    assert torch.isfinite(values).all()
    if metric.facts.needs_reference:
        with pytest.raises(Refused, match=r"none was given|compares with"):
            metric(x)


def test_options_reach_the_metric():
    assert create("psnr", MetricOptions(space="y", border=4)).facts.options["border"] == 4
    assert create("psnr", MetricOptions(space="y")).facts.name == "psnr_y"
    assert create("ssim_y").facts.options["space"] == "y"
    assert create("niqe", MetricOptions(border=4)).facts.options["border"] == 4


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("niqe", MetricOptions(space="y"), "'niqe' has no option 'space'"),
        ("lattice", MetricOptions(border=2), "no option 'border'"),
        ("psnr", MetricOptions(weights="random"), "no option 'weights'"),
        ("psnr_y", MetricOptions(space="rgb"), "'psnr_y' is of space 'y'"),
        ("lpips-vgg", MetricOptions(backbone="alex"), "'lpips-vgg' is of backbone 'vgg'"),
        ("psnr", MetricOptions(border=-1), "border must be >= 0"),
    ],
)
def test_options_that_a_metric_does_not_have_are_refused(name, options, message):
    with pytest.raises(Refused, match=message):
        create(name, options)


def test_unknown_names_name_the_nearest():
    with pytest.raises(UnknownName, match=r"Unknown metric 'niqee'\. Did you mean 'niqe'"):
        create("niqee")


def test_folders_are_matched_by_stem_with_or_without_scale(folders):
    high, restored = folders
    rows = score_paths(create("psnr"), [restored], [high], read=read)
    assert [row.path.rsplit("/", 1)[-1] for row in rows] == ["babyx4.png", "bird_x4_SwinIR.png", "head.png"]
    assert [str(row.options["reference_path"]).rsplit("/", 1)[-1] for row in rows] == [
        "baby.png",
        "bird.png",
        "head.png",
    ]
    assert all(29 < row.value < 32 for row in rows)
    assert set(rows[0].record()) == {"path", "metric", "value", "options"}


def test_one_file_beside_one_file_needs_no_common_name(folders):
    high, restored = folders
    rows = score_paths(create("ssim"), [restored / "head.png"], [high / "baby.png"], read=read)
    assert len(rows) == 1


def test_identical_files_are_json_safe(folders):
    high, _ = folders
    rows = score_paths(create("psnr"), [high], [high], read=read)
    assert rows[0].value == math.inf
    assert json.loads(json.dumps(rows[0].record(), allow_nan=False))["value"] == "inf"


def test_gray_files_are_scored(tmp_path, rng):
    path = tmp_path / "gray.png"
    Image.fromarray(rng.integers(0, 256, (128, 128), dtype=np.uint8)).save(path)
    for name in ("niqe", "niqe_yiq", "lattice"):
        (row,) = score_paths(create(name), [path], read=read)
        assert math.isfinite(row.value)


def test_references_are_cropped_only_on_request(tmp_path, rng):
    pixels = rng.integers(0, 256, (34, 41, 3), dtype=np.uint8)
    high = save(tmp_path / "a.png", pixels)
    small = save(tmp_path / "ax4.png", pixels[:32, :40])
    with pytest.raises(Refused, match=r"ax4.png against .*a.png: .*32x40 px, reference is 1 x 34x41 px"):
        score_paths(create("psnr"), [small], [high], read=read)
    (row,) = score_paths(create("psnr"), [small], [high], read=read, crop_references=True)
    assert row.value == math.inf
    assert row.options["reference_cropped"] is True
    tiny = save(tmp_path / "a_tiny.png", pixels[:20, :20])
    with pytest.raises(Refused, match="20x20"):
        score_paths(create("psnr"), [tiny], [high], read=read, crop_references=True)


def test_scoring_refuses_before_it_reads(tmp_path, folders):
    high, restored = folders

    def no_read(path):
        raise AssertionError(f"{path} was read")

    with pytest.raises(Refused, match="none were given"):
        score_paths(create("psnr"), [restored], read=no_read)
    with pytest.raises(Refused, match="takes no reference"):
        score_paths(create("niqe"), [restored], [high], read=no_read)
    with pytest.raises(Refused, match="no file or folder"):
        score_paths(create("niqe"), [tmp_path / "absent"], read=no_read)
    (tmp_path / "empty").mkdir()
    with pytest.raises(Refused, match="holds no image"):
        score_paths(create("niqe"), [tmp_path / "empty"], read=no_read)
    (high / "baby.png").unlink()
    with pytest.raises(Refused, match=r"no reference for .*babyx4"):
        score_paths(create("psnr"), [restored], [high], read=no_read)


def test_ambiguous_references_are_refused(tmp_path, rng):
    pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    (tmp_path / "HR").mkdir()
    for name in ("a_x2.png", "a_x3.png"):
        save(tmp_path / "HR" / name, pixels)
    image = save(tmp_path / "a_x4.png", pixels)
    with pytest.raises(Refused, match=r"several references for .*a_x4.png: a_x2.png, a_x3.png"):
        score_paths(create("psnr"), [image], [tmp_path / "HR"], read=read)
