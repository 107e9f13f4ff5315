"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of benchmark images and training photographs, where there is one."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("LOSSAGENT_DATA", default))
    if not folder.is_dir():
        pytest.skip("benchmark images are not here; set LOSSAGENT_DATA to a folder with bench/ and train/")
    return folder


@pytest.fixture
def no_assets(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An asset cache with nothing in it."""
    monkeypatch.setenv("LOSSAGENT_HOME", str(tmp_path_factory.mktemp("home")))
