"""Methods on image sets: what is compared, what is kept, what is refused."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from lossagent.data import ImageSet, dataset, list_images
from lossagent.data.degradations import Bicubic
from lossagent.errors import Refused, RunBusy
from lossagent.evaluation.benchmark import Benchmark, carry_out
from lossagent.evaluation.files import csv_text, gathered, write_files
from lossagent.evaluation.methods import BicubicMethod, FolderMethod, InputMethod, NetworkMethod
from lossagent.evaluation.protocols import protocol
from lossagent.evaluation.scores import opened
from lossagent.evaluation.sets import SetSpec, open_sets
from lossagent.metrics import MetricOptions, create, psnr
from lossagent.restorers import CompactSR, from_uint8, restore
from lossagent.training.pictures import Application
from tiny import pictures


@dataclass(frozen=True)
class Counted:
    """Half-way between two grey levels, and how often it was asked."""

    label: str = "counted"
    scale: int | None = 1
    objective: tuple[str, ...] = ()
    about: str = ""
    asked: list[str] = field(default_factory=list)

    def fingerprint(self, set_name, item):
        return "counted"

    def restored(self, set_name, item):
        self.asked.append(item.name)
        return (from_uint8(item.hq) - 0.4 / 255).clamp(0, 1)


@pytest.fixture
def photos(tmp_path):
    return pictures(tmp_path / "photos", 2, side=104)


def classical(folder, name="s"):
    return ImageSet.of(dataset(folder, 4, name), 4, Bicubic(4))


def benchmark(sets, methods, rules="classical-sr", metrics=("psnr_y",), scale=4):
    chosen = protocol(rules)
    made = {m: create(m, MetricOptions(border=b) if (b := chosen.border_of(m, scale)) else None) for m in metrics}
    return Benchmark(chosen, scale, tuple(sets), tuple(methods), made)


def scored(plan, folder):
    with opened(folder) as store:
        return carry_out(plan, store)


def test_bicubic_is_scored_as_by_hand(photos, tmp_path):
    images = classical(photos)
    found = scored(benchmark([images], [BicubicMethod(4)], metrics=("psnr_y", "ssim_y")), tmp_path / "out")
    item = images.item(0)
    picture = BicubicMethod(4).restored("s", item)
    assert found[0].value == float(psnr(picture, from_uint8(item.hq), space="y", border=4))
    assert [s.metric for s in found] == ["psnr_y", "ssim_y"] * 2


def test_rounding_is_the_protocols(photos, tmp_path):
    entries = ImageSet.of(dataset(photos, 1, "s"), 1, InputTwin())
    method = Counted()
    whole = scored(benchmark([entries], [method], "all-in-one", ("psnr",), 1), tmp_path / "a")
    rounded = scored(benchmark([entries], [method], "real-sr", ("psnr",), 1), tmp_path / "b")
    assert all(s.value == float("inf") for s in rounded)  # 0.4 of a level is rounded away
    assert all(55 < s.value < 57 for s in whole)


@dataclass(frozen=True)
class InputTwin:
    """The image itself as its input."""

    scale: int = 1
    name: str = "none"

    def __call__(self, image, rng):
        return image

    def patch(self, image, top, left, size, rng):
        return image[top : top + size, left : left + size]


def test_scores_are_kept_one_by_one_and_not_taken_again(photos, tmp_path):
    images = ImageSet.of(dataset(photos, 1, "s"), 1, InputTwin())
    method = Counted()
    plan = benchmark([images], [method], "all-in-one", ("psnr",), 1)

    def interrupt(done, total, what):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), opened(tmp_path / "out") as store:
        carry_out(plan, store, interrupt)
    assert method.asked == ["p0-0"]
    file = tmp_path / "out" / "results.jsonl"
    file.write_text(file.read_text() + '{"method": "torn')
    first = scored(plan, tmp_path / "out")
    assert method.asked == ["p0-0", "p0-1"]
    assert scored(plan, tmp_path / "out") == first
    assert len(method.asked) == 2
    scored(benchmark([images], [method], "all-in-one", ("psnr", "ssim"), 1), tmp_path / "out")
    assert len(method.asked) == 4  # another metric has to be taken
    renamed = Counted("other name")
    assert [s.method for s in scored(benchmark([images], [renamed], "all-in-one", ("psnr",), 1), tmp_path / "out")] == [
        "other name"
    ] * 2
    assert renamed.asked == []


def test_changed_weights_and_changed_images_are_scored_anew(photos, tmp_path):
    network = CompactSR(4, channels=4, blocks=1)
    images = classical(photos)
    plan = benchmark([images], [NetworkMethod("n", network, Application(4))])
    before = scored(plan, tmp_path / "out")
    with torch.no_grad():
        next(network.parameters()).mul_(1.5)
    again = benchmark([classical(photos)], [NetworkMethod("n", network, Application(4))])
    assert {s.key for s in scored(again, tmp_path / "out")}.isdisjoint({s.key for s in before})
    Image.fromarray(np.zeros((104, 104, 3), np.uint8)).save(photos / "p0-0.png")
    third = scored(benchmark([classical(photos)], [NetworkMethod("n", network, Application(4))]), tmp_path / "out")
    assert third[0].key != before[0].key


def test_one_process_writes_at_a_time(tmp_path):
    with opened(tmp_path / "out"), pytest.raises(RunBusy, match="another process"), opened(tmp_path / "out"):
        pass


def test_ground_truth_stands_below_where_a_metric_needs_no_reference(photos, tmp_path):
    plan = benchmark([classical(photos)], [BicubicMethod(4)], metrics=("psnr_y", "niqe"))
    found = scored(plan, tmp_path / "out")
    truth = [s for s in found if s.method == "GT"]
    assert {s.metric for s in truth} == {"niqe"}
    assert "GT" not in {s.method for s in scored(benchmark([classical(photos)], [BicubicMethod(4)]), tmp_path / "out")}


def test_a_set_without_ground_truth_and_a_small_image_say_why_there_is_no_score(photos, tmp_path):
    small = pictures(tmp_path / "small", 1, side=18)
    sets = [ImageSet.real("real", 4, list_images(small))]
    found = scored(benchmark(sets, [BicubicMethod(4)], "real-sr", ("psnr", "niqe")), tmp_path / "out")
    assert found[0].reason == "the set has no ground truth"
    assert "at least 96 px" in found[1].reason
    assert [s.value for s in found] == [None, None]


def test_what_cannot_be_compared_is_refused(photos):
    images = classical(photos)
    with pytest.raises(Refused, match=r"'input' is of scale 1; this evaluation is of scale 4"):
        benchmark([images], [InputMethod()])
    with pytest.raises(Refused, match=r"found twice: bicubic\. Give one another label"):
        benchmark([images], [BicubicMethod(4), BicubicMethod(4)])
    with pytest.raises(Refused, match="at least one method"):
        benchmark([images], [])


def test_restored_images_are_found_by_name_and_checked(photos, tmp_path):
    images = classical(photos)
    folder = tmp_path / "restored" / "s"
    folder.mkdir(parents=True)
    for item in images:
        Image.fromarray(item.hq).save(folder / f"{item.name}_x4_SwinIR.png")
    found = scored(benchmark([images], [FolderMethod("theirs", tmp_path / "restored")]), tmp_path / "out")
    assert all(s.value == float("inf") for s in found)
    Image.fromarray(np.zeros((50, 50, 3), np.uint8)).save(folder / "p0-1_x4_SwinIR.png")
    with pytest.raises(Refused, match=r"p0-1_x4_SwinIR\.png is 50x50 px; its ground truth.* is 104x104 px"):
        scored(benchmark([images], [FolderMethod("theirs", tmp_path / "restored")]), tmp_path / "out")
    (folder / "p0-1_x4_SwinIR.png").unlink()
    with pytest.raises(Refused, match="wanted one restored image of 'p0-1'"):
        benchmark([images], [FolderMethod("theirs", tmp_path / "restored")])


def test_all_in_one_crops_to_sixteen_and_averages_conditions(photos, tmp_path):
    specs = [SetSpec.parse(f"mixed:{kind}={photos}") for kind in ("noise15", "noise50", "synthetic-rain")]
    (made,) = open_sets(specs, protocol("all-in-one"), 1)
    assert all(item.lq.shape == item.hq.shape == (96, 96, 3) for item in made.images)
    assert set(made.images.conditions.values()) == {"noise15", "noise50", "synthetic-rain"}
    assert "none of the published rain sets" in made.about
    plan = benchmark([made.images], [InputMethod()], "all-in-one", ("psnr",), 1)
    found = scored(plan, tmp_path / "out")
    scores = gathered(plan, found)
    cells = [scores.cell("input", "mixed", "psnr", c).value for c in scores.conditions("mixed")]
    assert scores.cell("input", "mixed", "psnr").value == pytest.approx(sum(cells) / 3)
    assert 24 < cells[0] < 25.5
    page = write_files(tmp_path / "out", plan, found, ["a note"], {"mixed": made.about})
    assert "mixed: psnr ↑ by condition" in page
    assert {p.name for p in (tmp_path / "out").iterdir()} >= {"scores.csv", "scores.json", "tables.md", "tables.tex"}
    assert "float, clipped to [0, 1]" in csv_text(scores)


def test_noise_does_not_depend_on_the_set(photos):
    (a,) = open_sets([SetSpec.parse(f"a:noise25={photos}")], protocol("all-in-one"), 1)
    both = [SetSpec.parse(f"b:{kind}={photos}") for kind in ("noise25", "noise15")]
    (b,) = open_sets(both, protocol("all-in-one"), 1)
    assert np.array_equal(a.images.item(1).lq, b.images.item(1).lq)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Set5", "NAME=FOLDER"),
        ("a=/nowhere", "there is no folder"),
        ("a:nois=.", "Unknown kind of image set 'nois'"),
        ("a/b=.", "NAME=FOLDER"),
    ],
)
def test_a_set_that_is_written_wrong_is_refused(text, message):
    with pytest.raises(Refused, match=message):
        SetSpec.parse(text)


def test_clean_images_alone_are_no_pairs(photos):
    with pytest.raises(Refused, match="holds no pairs"):
        open_sets([SetSpec.parse(f"a={photos}")], protocol("all-in-one"), 1)
    with pytest.raises(Refused, match="leaves images at their size"):
        open_sets([SetSpec.parse(f"a:noise25={photos}")], protocol("classical-sr"), 4)


def test_foreign_padding_reflects_and_crops_back():
    seen = []

    class Same(nn.Module):
        def forward(self, x):
            seen.append(x)
            return x

    image = torch.arange(5.0 * 3).reshape(1, 1, 3, 5).expand(1, 3, 3, 5) / 15
    assert torch.equal(restore(Same(), image, scale=1, multiple=4, reflect=True), image)
    assert seen[0].shape == (1, 3, 4, 8)
    assert torch.equal(seen[0], torch.nn.functional.pad(image, (0, 3, 0, 1), mode="reflect"))


def test_tiles_of_a_convolutional_network_are_the_whole_image():
    network = CompactSR(4)  # sees 15 px in each direction
    image = torch.rand(1, 3, 100, 76)
    whole = restore(network, image, scale=4)
    gap = (restore(network, image, scale=4, tile=48, overlap=32) - whole).abs()
    assert float(gap.max()) < 2e-6
    seams = (restore(network, image, scale=4, tile=48, overlap=0) - whole).abs()
    assert float(seams.max()) > 1e-4
