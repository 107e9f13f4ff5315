"""Layouts: what a folder is compared with, what is found wrong, and that the documentation says the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from lossagent.data.layout_check import Report, check
from lossagent.data.layouts import Layout, markdown
from lossagent.data.published import LAYOUTS, REAL5, REAL20, SET5, SOURCES, layout
from lossagent.errors import Refused, UnknownName

DOCS = Path(__file__).resolve().parents[2] / "docs" / "datasets.md"


def image(path: Path, width: int = 24, height: int = 24) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), "gray").save(path)


def text(report: Report) -> str:
    return "\n".join(report.lines)


@pytest.fixture
def set5(tmp_path: Path) -> Path:
    """Set5 in BasicSR's layout, x4."""
    for name in SET5:
        image(tmp_path / "Set5" / "GTmod12" / f"{name}.png")
        image(tmp_path / "Set5" / "LRbicx4" / f"{name}.png", 6, 6)
    return tmp_path / "Set5"


def test_a_complete_set_fits_in_both_layouts(set5, tmp_path):
    report = check(set5, layout("Set5"))
    assert (report.fit, report.variant.name) == ("complete", "BasicSR")
    for name in SET5:
        image(tmp_path / "swinir" / "HR" / f"{name}.png")
        image(tmp_path / "swinir" / "LR_bicubic" / "X4" / f"{name}x4.png", 6, 6)
    report = check(tmp_path / "swinir", layout("set5"))
    assert (report.fit, report.variant.name) == ("complete", "SwinIR")
    assert "LR_bicubic/X4/: found 5 images." in text(report)


def test_clean_images_alone_fit_too(tmp_path):
    for name in SET5:
        image(tmp_path / f"{name}.png", 25, 31)
    assert (check(tmp_path, layout("Set5")).fit, check(tmp_path, layout("Set5")).variant.name) == ("complete", "plain")


def test_a_partial_set_is_told_and_not_refused(tmp_path):
    for number in (4, 9, 14):
        image(tmp_path / f"img_{number:03d}.png")
    report = check(tmp_path, layout("Urban100"))
    assert report.fit == "partial"
    for part in ("found 3 images, expected 100", "97 missing: img_001, img_002, img_003, ...", "struct_sr"):
        assert part in text(report)


def test_the_first_three_offending_names_are_told(set5):
    for name in ("zebra", "ape", "cat", "dog"):
        image(set5 / "GTmod12" / f"{name}.png")
    (set5 / "GTmod12" / "readme.txt").write_text("x")
    (set5 / "GTmod12" / ".DS_Store").write_text("x")
    report = check(set5, layout("Set5"))
    assert report.fit == "misfit"
    assert "4 named otherwise than expected" in text(report)
    assert ": ape.png, cat.png, dog.png, ..." in text(report)
    assert "1 files that are no images" in text(report)


def test_odd_sizes_are_told(set5):
    image(set5 / "LRbicx4" / "baby.png", 7, 6)
    image(set5 / "GTmod12" / "bird.png", 26, 24)
    words = text(check(set5, layout("Set5")))
    assert "baby.png is 6 x 7, but baby.png is 24 x 24: wanted 6 x 6" in words
    assert "bird.png is 24 x 26, no multiple of 12" in words


def test_images_without_a_partner_are_told(set5):
    (set5 / "LRbicx4" / "head.png").unlink()
    (set5 / "GTmod12" / "woman.png").unlink()
    words = text(check(set5, layout("Set5")))
    assert "2 without a partner: woman.png, head.png" in words


def test_unreadable_images_are_told_and_decoding_finds_more(set5):
    (set5 / "GTmod12" / "baby.png").write_bytes(b"no image")
    assert "1 unreadable: baby.png (cannot be read as an image" in text(check(set5, layout("Set5")))
    image(set5 / "GTmod12" / "baby.png")
    whole = (set5 / "GTmod12" / "bird.png").read_bytes()
    (set5 / "GTmod12" / "bird.png").write_bytes(whole[:-30])  # the header is good
    assert check(set5, layout("Set5")).fit == "complete"
    told: list[tuple[int, int]] = []
    report = check(set5, layout("Set5"), decode=True, progress=lambda *what: told.append(what))
    assert "1 unreadable: bird.png" in text(report)
    assert told[-1] == (10, 10)


def test_a_folder_that_looks_like_another_layout_is_told(set5, tmp_path):
    report = check(set5, layout("Set14"))
    assert report.fit == "misfit"
    assert "It looks like Set5 (100% of it): --layout Set5" in report.suggestions
    above = check(tmp_path, layout("Set5"))
    assert f"{set5} looks like Set5: check that one." in above.suggestions
    assert "BasicSR: GTmod12/; SwinIR: HR/; plain: images directly in the folder" in text(above)


def test_real_sets_are_told_apart(tmp_path):
    for name in (*REAL20, *REAL5):
        image(tmp_path / f"{name}.png")
    assert check(tmp_path, layout("RealSRSet+5images")).fit == "complete"
    report = check(tmp_path, layout("RealSRSet"))
    assert report.fit == "misfit"
    assert report.suggestions == ("It looks like RealSRSet+5images (100% of it): --layout RealSRSet+5images",)


@pytest.mark.parametrize(
    ("clean", "low"),
    [("gt/norain-{}", "rainy/rain-{}"), ("norain/norain-{}", "rain/norain-{}x2"), ("target/{}", "input/{}")],
)
def test_rain_pairs_in_the_ways_of_their_releases(tmp_path, clean, low):
    for number in range(1, 201):
        image(tmp_path / f"{clean.format(number)}.png")
        image(tmp_path / f"{low.format(number)}.png")
    assert check(tmp_path, layout("Rain100L-train")).fit == "complete"
    report = check(tmp_path, layout("Rain100L"))
    assert report.fit == "misfit"
    assert "It looks like Rain100L-train (100% of it): --layout Rain100L-train" in report.suggestions


def test_rain_pairs_in_one_folder(tmp_path):
    for number in range(1, 101):
        image(tmp_path / f"norain-{number:03d}.png")
        image(tmp_path / f"rain-{number:03d}.png")
    report = check(tmp_path, layout("Rain100L"))
    assert (report.fit, report.variant.name) == ("complete", "one folder")
    image(tmp_path / "rain-007.png", 30, 24)
    (tmp_path / "norain-008.png").unlink()
    words = text(check(tmp_path, layout("Rain100L")))
    assert "rain-007.png is 24 x 30, but norain-007.png is 24 x 24" in words
    assert "1 without a partner: rain-008.png" in words


def test_haze_pairs_share_clean_images(tmp_path):
    for number in range(492):
        image(tmp_path / "gt" / f"{number:04d}.png")
    for number in range(500):
        image(tmp_path / "hazy" / f"{number % 492:04d}_0.8_0.{number}.jpg")
    assert check(tmp_path, layout("SOTS-outdoor")).fit == "complete"
    image(tmp_path / "hazy" / "9999_0.8_0.2.jpg")
    assert "1 without a partner: 9999_0.8_0.2.jpg" in text(check(tmp_path, layout("SOTS-outdoor")))


def test_haze_in_subfolders_and_the_tree_of_promptir(tmp_path):
    train = tmp_path / "Train"
    for folder in ("Derain/gt/norain-1", "Derain/rainy/rain-1", "Dehaze/original/0025"):
        image(train / f"{folder}.png")
    image(train / "Dehaze" / "synthetic" / "part1" / "0025_0.8_0.1.png")
    image(train / "Denoise" / "00001.bmp")
    for test in ("derain/Rain100L/target/1", "derain/Rain100L/input/1", "dehaze/target/0001", "dehaze/input/0001_0.8"):
        image(tmp_path / "test" / f"{test}.png")
    report = check(tmp_path, layout("PromptIR"))
    assert report.fit == "partial"
    assert "Train/Dehaze/synthetic/: found 1 images, expected 72,135." in text(report)
    image(tmp_path / "test" / "dehaze" / "target" / "0001.png", 25, 24)
    assert "0001_0.8.png is 24 x 24, but 0001.png is 24 x 25" in text(check(tmp_path, layout("PromptIR")))


def test_no_folder_and_no_layout_are_refused(tmp_path):
    with pytest.raises(Refused, match=r"no such folder.*data\.vision"):
        check(tmp_path / "nothing", layout("DIV2K"))
    with pytest.raises(UnknownName, match="Did you mean 'Urban100'"):
        layout("Urban10")
    assert layout("B100").name == "BSD100"
    assert check(tmp_path, layout("DF2K")).fit == "misfit"  # empty


@pytest.mark.parametrize("one", LAYOUTS.values(), ids=list(LAYOUTS))
def test_the_table_holds_together(one: Layout):
    assert one.sources
    assert all(source.startswith(("https://", "http://")) for source in one.sources)
    assert all((one.use, one.naming, one.licence))
    for variant in one.variants:
        assert variant.folders[0].role == "clean"
        for folder in variant.folders:
            assert list(folder.counts) == sorted(folder.counts)
            assert all(re.fullmatch(folder.names, name) for name in folder.listed)
            assert not folder.listed or len(set(folder.listed)) == len(folder.listed) == folder.counts[0]


def test_the_documentation_holds_this_table():
    begin, end = "<!-- layouts -->\n", "\n<!-- end of layouts -->"
    found = DOCS.read_text(encoding="utf-8").split(begin)[1].split(end)[0]
    assert found == markdown(LAYOUTS, SOURCES), (
        "write the table anew: python -m lossagent.data.published docs/datasets.md"
    )


@pytest.mark.parametrize(
    ("folder", "name", "fit"),
    [
        ("Set5", "Set5", "complete"),
        ("Set14", "Set14", "complete"),
        ("BSD100", "BSD100", "complete"),
        ("RealSRSet+5images", "RealSRSet+5images", "complete"),
        ("Urban100_part", "Urban100", "partial"),
        ("SOTS_indoor_part", "SOTS-indoor", "partial"),
        ("OST300_part", "OST300", "partial"),
    ],
)
def test_benchmark_images_fit(shared_data, folder, name, fit):
    assert check(shared_data / "bench" / folder, layout(name)).fit == fit
