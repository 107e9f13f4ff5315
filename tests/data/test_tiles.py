"""Tiles: where they are cut, and that cutting can stop, go on, be refused and be checked."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lossagent.data import read
from lossagent.data.sources import folder, pairs
from lossagent.data.tile_manifest import LOG, MANIFEST, read_manifest
from lossagent.data.tiles import Box, TileSettings, boxes, tile_names
from lossagent.data.tiling import tile, verify
from lossagent.errors import Damaged, Failed, Interrupted, Refused, RunBusy

SMALL = TileSettings(size=24, step=12, least=16)


def picture(path: Path, height: int, width: int, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    for number in range(5):
        picture(tmp_path / "photos" / f"p{number}.png", 36 + 5 * number, 50, number)
    return tmp_path / "photos"


def test_boxes_are_those_of_extract_subimages():
    # A DIV2K image of 2040 x 1356: 0, 240, ..., 720 and 876; 0, 240, ..., 1440 and 1560.
    places = boxes(1356, 2040, TileSettings())
    assert sorted({box.top for box in places}) == [0, 240, 480, 720, 876]
    assert sorted({box.left for box in places}) == [0, 240, 480, 720, 960, 1200, 1440, 1560]
    assert len(places) == 40
    assert places[:2] == [Box(0, 0, 480, 480), Box(0, 240, 480, 480)]  # rows first
    assert places[-1] == Box(876, 1560, 480, 480)
    assert tile_names("0001", 40)[::39] == ["0001_s001", "0001_s040"]


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 30), st.integers(1, 30), st.integers(1, 4))
@settings(max_examples=80, deadline=None)
def test_tiles_cover_every_pixel_and_stay_inside(height, width, size, step, scale):
    size, step = size * scale, min(step, size) * scale
    chosen = TileSettings(size=size, step=step, least=1, scale=scale)
    height, width = height * scale, width * scale
    covered = np.zeros((height, width), bool)
    for box in boxes(height, width, chosen):
        assert box.height == min(size, height)
        assert box.width == min(size, width)
        assert box.top + box.height <= height
        assert box.left + box.width <= width
        assert not any(side % scale for side in box)
        covered[box.top : box.top + box.height, box.left : box.left + box.width] = True
    assert covered.all()


def test_a_short_side_is_taken_whole_and_a_shorter_one_not_at_all():
    assert boxes(300, 1000, TileSettings())[0] == Box(0, 0, 300, 480)
    assert boxes(300, 300, TileSettings()) == [Box(0, 0, 300, 300)]
    assert boxes(255, 1000, TileSettings()) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"step": 500}, "step must be from 1 to size"),
        ({"least": 0}, "least must be"),
        ({"scale": 7}, "multiples of the scale"),
        ({"compression": 10}, "compression"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, message):
    with pytest.raises(Refused, match=message):
        TileSettings(**wrong)


def test_tiles_are_the_parts_of_the_images(photographs, tmp_path):
    out = tmp_path / "tiles"
    made = tile([folder(photographs)], out, SMALL)
    chosen, cuts = read_manifest(out)
    assert chosen == SMALL
    assert (made.written, made.kept, made.small, made.corrupt) == (5, 0, (), ())
    assert made.tiles == len(list(out.glob("*.png"))) == sum(len(one.tiles) for one in cuts)
    for one in cuts:
        pixels = read(Path(one.source.path))
        for file in one.tiles:
            top, left, height, width = file.box
            assert np.array_equal(read(out / file.file), pixels[top : top + height, left : left + width])
    assert verify(out, full=True) == ()
    assert len(folder(out).images) == made.tiles  # what training is given


def test_tiles_do_not_depend_on_workers(photographs, tmp_path):
    for workers in (1, 3):
        tile([folder(photographs)], tmp_path / str(workers), SMALL, workers=workers)
    assert (tmp_path / "1" / MANIFEST).read_bytes() == (tmp_path / "3" / MANIFEST).read_bytes()


def test_a_second_run_does_only_what_is_missing_or_changed(photographs, tmp_path):
    out = tmp_path / "tiles"
    tile([folder(photographs)], out, SMALL)
    assert tile([folder(photographs)], out, SMALL).written == 0
    (out / "p1_s001.png").unlink()
    (out / "p2_s001.png").write_bytes(b"")  # as a crash of the machine leaves it
    os.utime(photographs / "p3.png", (1, 1))  # touched, but the same
    picture(photographs / "p4.png", 24, 24, 99)  # smaller: fewer tiles
    before = len(list(out.glob("p4_*.png")))
    made = tile([folder(photographs)], out, SMALL)
    assert (made.written, made.kept) == (3, 2)
    assert before > len(list(out.glob("p4_*.png"))) == 1
    assert verify(out, full=True) == ()


def test_an_interrupted_run_goes_on_and_ends_the_same(photographs, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "tiles"
    tile([folder(photographs)], whole, SMALL)

    def stop(done: int, total: int, tiles: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match=r"2 images are cut .* run the same command again"):
        tile([folder(photographs)], out, SMALL, workers=1, progress=stop)
    assert not (out / MANIFEST).exists()
    with pytest.raises(Refused, match="to the end"):
        verify(out)
    (out / ".p3_s001.tmp").write_bytes(b"half")
    told: list[tuple[int, int, int]] = []
    assert tile([folder(photographs)], out, SMALL, progress=lambda *what: told.append(what)).kept == 2
    assert [(done, total) for done, total, _ in told] == [(3, 5), (4, 5), (5, 5)]
    assert (out / MANIFEST).read_bytes() == (whole / MANIFEST).read_bytes()
    assert not list(out.glob(".*.tmp"))


def test_a_torn_last_line_is_dropped_and_said(photographs, tmp_path):
    out = tmp_path / "tiles"
    tile([folder(photographs)], out, SMALL, workers=1)
    log = (out / LOG).read_bytes()
    (out / LOG).write_bytes(log[:-40])
    made = tile([folder(photographs)], out, SMALL)
    assert made.written == 1
    assert "torn last line" in made.notes[0]
    assert all(json.loads(line) for line in (out / LOG).read_text().splitlines())
    (out / LOG).write_bytes(log.replace(b'"key"', b"key", 1))
    with pytest.raises(Damaged, match="line 2"):
        tile([folder(photographs)], out, SMALL)


def test_settings_and_strange_files_are_not_mixed(photographs, tmp_path):
    out = tmp_path / "tiles"
    tile([folder(photographs)], out, SMALL)
    with pytest.raises(Refused, match="different settings are not mixed"):
        tile([folder(photographs)], out, TileSettings(size=24, step=24, least=16))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(Refused, match=r"not empty .* letter\.txt"):
        tile([folder(photographs)], tmp_path / "mine", SMALL)


def test_two_processes_do_not_cut_into_one_folder(photographs, tmp_path):
    from filelock import FileLock

    out = tmp_path / "tiles"
    out.mkdir()
    with FileLock(out / ".tiles.lock"), pytest.raises(RunBusy, match="another process"):
        tile([folder(photographs)], out, SMALL)


def test_small_and_corrupt_images_are_named_and_counted(photographs, tmp_path):
    picture(photographs / "tiny.png", 40, 15)
    (photographs / "p1.png").write_bytes((photographs / "p1.png").read_bytes()[:600])
    made = tile([folder(photographs)], tmp_path / "tiles", SMALL, most_corrupt=0.2)
    assert len(made.small) == len(made.corrupt) == 1
    assert "tiny.png: 40 x 15 is smaller than 16" in made.small[0]
    assert "p1.png" in made.corrupt[0]
    assert verify(tmp_path / "tiles") == ()
    again = tile([folder(photographs)], tmp_path / "tiles", SMALL, most_corrupt=0.2)
    assert (again.written, again.corrupt, again.small) == (0, made.corrupt, made.small)


def test_too_many_corrupt_images_fail_and_keep_what_was_cut(photographs, tmp_path):
    out = tmp_path / "tiles"
    (photographs / "p4.png").write_bytes(b"no image")
    with pytest.raises(Failed, match=r"1 of 5 images .* at most 1\.0% may be corrupt.*p4\.png"):
        tile([folder(photographs)], out, SMALL, workers=1)
    picture(photographs / "p4.png", 30, 30)
    assert tile([folder(photographs)], out, SMALL).kept >= 1
    assert verify(out) == ()


def test_names_stay_unique_across_folders_and_runs(photographs, tmp_path):
    picture(tmp_path / "more" / "p1.png", 30, 30, 7)
    picture(tmp_path / "more" / "q.png", 30, 30, 8)
    out = tmp_path / "tiles"
    tile([folder(photographs)], out, SMALL)
    made = tile([folder(tmp_path / "more")], out, SMALL)
    assert (made.written, made.kept) == (2, 0)
    assert "5 images of earlier runs" in made.notes[0]
    assert (out / "more-p1_s001.png").is_file()
    assert (out / "q_s001.png").is_file()
    # The order of the folders does not rename what has a name.
    assert tile([folder(tmp_path / "more"), folder(photographs)], out, SMALL).written == 0
    with pytest.raises(Refused, match="a name of its own"):
        tile([folder(photographs), folder(photographs)], out, SMALL)


def test_pairs_are_cut_together(tmp_path):
    for number in range(3):
        clean = picture(tmp_path / "HR" / f"i{number}.png", 41, 66, number)  # not multiples of 4
        low = read(clean)[:40:4, :64:4]
        (tmp_path / "LR").mkdir(exist_ok=True)
        Image.fromarray(low).save(tmp_path / "LR" / f"i{number}x4.png")
    out = tmp_path / "tiles"
    chosen = TileSettings(size=24, step=12, least=16, scale=4)
    tile([pairs(tmp_path / "HR", tmp_path / "LR", 4)], out, chosen)
    made = pairs(out / "hq", out / "lq", 4)  # what training is given
    assert made.lq is not None
    assert len(made.images) == 3 * 3 * 5
    for image, twin in zip(made.images, made.lq, strict=True):
        assert np.array_equal(image.pixels()[::4, ::4], twin.pixels())
    assert verify(out, full=True) == ()
    with pytest.raises(Refused, match="tiles are cut for"):
        tile([folder(tmp_path / "HR")], tmp_path / "other", chosen)


def test_verify_names_what_is_wrong(photographs, tmp_path):
    out = tmp_path / "tiles"
    tile([folder(photographs)], out, SMALL)
    (out / "p0_s001.png").unlink()
    content = bytearray((out / "p1_s001.png").read_bytes())
    content[-30] ^= 1
    (out / "p1_s001.png").write_bytes(content)
    (out / "p2_s001.png").write_bytes(b"")
    picture(out / "stranger.png", 20, 20)
    wrong = " ".join(verify(out, full=True))
    for part in (
        "p0_s001.png is missing",
        "p1_s001.png is another",
        "p2_s001.png has 0 bytes",
        "stranger.png is in no",
    ):
        assert part in wrong
    assert "p1_s001" not in " ".join(verify(out))
