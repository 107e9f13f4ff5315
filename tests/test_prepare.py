"""``lossagent prepare`` as a person meets it: messages, exit status, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from command_line import command
from lossagent.data.published import LAYOUTS
from lossagent.data.tiling import tile


def photograph(seed: int, height: int = 96, width: int = 120) -> Image.Image:
    noise = np.random.default_rng(seed).standard_normal((height, width, 3))
    smooth = sum(gaussian_filter(noise, (sigma, sigma, 0)) * sigma**1.2 for sigma in (1, 2, 4, 8, 16))
    return Image.fromarray(np.clip(128 + 60 * smooth / smooth.std(), 0, 255).astype(np.uint8))


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    (tmp_path / "train").mkdir()
    for number in range(3):
        photograph(number).save(tmp_path / "train" / f"{number}.png")
    return tmp_path / "train"


def test_list_names_every_layout_and_its_sources():
    outcome = command("prepare", "list")
    assert outcome.status == 0
    for one in LAYOUTS.values():
        assert f"{one.name}: {one.use}" in outcome.out
        assert all(source in outcome.out for source in one.sources)
    facts = json.loads(command("prepare", "list", "--json").out)
    assert [one["name"] for one in facts] == list(LAYOUTS)


def test_check_ends_with_2_where_the_layout_does_not_fit(photographs):
    outcome = command("prepare", "check", photographs, "--layout", "Set5")
    assert outcome.status == 2
    assert "does not fit" in outcome.out
    assert "0.png, 1.png, 2.png" in outcome.out
    assert command("prepare", "check", photographs, "--layout", "BSD100").status == 2
    unknown = command("prepare", "check", photographs, "--layout", "Set55")
    assert unknown.status == 2
    assert "Did you mean 'Set5'" in unknown.err


def test_check_ends_with_0_for_a_part_and_says_so(tmp_path):
    photograph(1).save(tmp_path / "OST_007.png")
    outcome = command("prepare", "check", tmp_path, "--layout", "OST300")
    assert outcome.status == 0
    assert "fits in part" in outcome.out
    facts = json.loads(command("prepare", "check", tmp_path, "--layout", "OST300", "--json", "--decode").out)
    assert (facts["fit"], facts["folders"][0]["found"], len(facts["folders"][0]["missing"])) == ("partial", 1, 299)


def test_tiles_are_cut_verified_and_cut_again(photographs, tmp_path):
    cut = ("prepare", "tile", photographs, "--out", tmp_path / "tiles", "--size", 48, "--step", 24, "--least", 32)
    outcome = command(*cut)
    assert outcome.status == 0
    assert "36 tiles; 3 images cut now, 0 before, 0 too small, 0 unreadable." in outcome.out
    assert "0 images cut now, 3 before" in command(*cut).out
    assert command("prepare", "verify", tmp_path / "tiles", "--full").status == 0
    (tmp_path / "tiles" / "1_s002.png").unlink()
    outcome = command("prepare", "verify", tmp_path / "tiles")
    assert outcome.status == 1
    assert "1_s002.png is missing" in outcome.err
    assert command(*cut[:-2], "--least", 16).status == 2


def test_folders_of_one_name_are_told_apart(tmp_path):
    for number, parent in enumerate(("a", "b")):
        (tmp_path / parent / "HR").mkdir(parents=True)
        photograph(number).save(tmp_path / parent / "HR" / "x.png")
    out = tmp_path / "tiles"
    small = ("--size", 48, "--step", 48, "--least", 32)
    assert command("prepare", "tile", tmp_path / "a" / "HR", tmp_path / "b" / "HR", "--out", out, *small).status == 0
    assert (out / "x_s001.png").is_file()
    assert (out / "b-HR-x_s001.png").is_file()
    # A data set's folder stands for the clean images in it.
    assert command("prepare", "tile", tmp_path / "a", "--out", tmp_path / "more", *small).status == 0
    assert (tmp_path / "more" / "x_s001.png").is_file()


def test_pairs_are_cut_from_the_command_line(photographs, tmp_path):
    (tmp_path / "low").mkdir()
    for path in photographs.iterdir():
        with Image.open(path) as image:
            image.resize((30, 24)).save(tmp_path / "low" / path.name)
    cut = ("prepare", "tile", photographs, "--size", 48, "--step", 24, "--least", 32)
    outcome = command(*cut, "--out", tmp_path / "t", "--lq", tmp_path / "low", "--scale", 4)
    assert outcome.status == 0
    assert len(list((tmp_path / "t" / "hq").iterdir())) == len(list((tmp_path / "t" / "lq").iterdir())) == 36
    wrong = command(*cut, "--out", tmp_path / "u", "--lq", tmp_path / "low", "--scale", 2)
    assert wrong.status == 2
    assert "pair(s) do not fit" in wrong.err
    assert command(*cut, "--out", tmp_path / "u", "--scale", 4).status == 2
    assert not (tmp_path / "u").exists()


def test_an_interruption_says_how_to_go_on(photographs, tmp_path, monkeypatch):
    from lossagent.commands import prepare

    def interrupted(*arguments, progress, **options):
        def stop(done: int, total: int, tiles: int) -> None:
            raise KeyboardInterrupt

        return tile(*arguments, progress=stop, **options)

    monkeypatch.setattr(prepare, "cut_tiles", interrupted)
    outcome = command(
        "prepare", "tile", photographs, "--out", tmp_path / "t", "--size", 48, "--step", 24, "--least", 32
    )
    assert outcome.status == 3
    assert "run the same command again to go on" in outcome.err


def test_twins_are_found_across_folders(photographs, tmp_path):
    (tmp_path / "bench" / "HR").mkdir(parents=True)
    photograph(9, 200, 240).save(tmp_path / "bench" / "HR" / "other.png")
    outcome = command("prepare", "twins", photographs, tmp_path / "bench")
    assert outcome.status == 0
    assert "0 pair(s)" in outcome.out
    with Image.open(photographs / "1.png") as image:
        image.save(tmp_path / "bench" / "HR" / "copy.jpg", quality=80)
        image.save(tmp_path / "bench" / "HR" / "same.bmp")
    outcome = command("prepare", "twins", photographs, tmp_path / "bench")
    assert outcome.status == 2
    assert "have the same pixels" in outcome.out
    found = json.loads(command("prepare", "twins", photographs, tmp_path / "bench", "--json").out)
    assert {(one["kind"], Path(one["images"][1]).name) for one in found} == {
        ("twin", "copy.jpg"),
        ("pixels", "same.bmp"),
    }
    assert command("prepare", "twins", photographs).status == 2
    assert command("prepare", "twins", photographs, photographs).status == 2
