"""Tiles are compared with other sets by the photographs they were cut from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lossagent.data import check_disjoint, list_images, sources
from lossagent.data.origins import origins, photographs
from lossagent.data.tiles import TileSettings
from lossagent.data.tiling import tile
from lossagent.errors import Refused
from tiny import pictures


@pytest.fixture
def tiled(tmp_path: Path) -> tuple[Path, Path]:
    whole, folder = pictures(tmp_path / "whole", 2, side=96), tmp_path / "tiles"
    tile([sources.folder(whole)], folder, TileSettings(size=48, step=48, least=32), workers=1)
    return whole, folder


def test_tiles_stand_for_their_photographs(tiled: tuple[Path, Path]) -> None:
    whole, folder = tiled
    tiles = list_images(folder)
    assert len(tiles) == 8
    found = photographs(tiles, origins(tiles))
    assert [i.path.resolve() for i in found] == [i.path.resolve() for i in list_images(whole)]


def test_tiles_without_their_photographs_and_plain_images_stand_for_themselves(tiled: tuple[Path, Path]) -> None:
    whole, folder = tiled
    first, second = (image.path for image in list_images(whole))
    first.unlink()
    Image.fromarray(np.zeros((96, 96, 3), np.uint8)).save(second)  # another picture of that name
    tiles = list_images(folder)
    assert photographs(tiles, origins(tiles)) == tiles
    assert photographs(list_images(whole), origins(list_images(whole))) == list_images(whole)


def test_somebodys_own_manifest_is_none_of_ours(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "own", 1)
    (folder / "manifest.json").write_text('{"name": "mine"}')
    assert origins(list_images(folder)) == {}


def test_the_overlap_check_sees_the_photograph_behind_the_tiles(tiled: tuple[Path, Path]) -> None:
    whole, folder = tiled
    tiles = list_images(folder)
    with pytest.raises(Refused, match="must not overlap"):
        check_disjoint(photographs(tiles, origins(tiles)), list_images(whole), (), ())
