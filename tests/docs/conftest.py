"""The documentation site, built once."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site; building it takes about seven seconds of one core."""
    for package in ("zensical", "mkdocstrings_handlers.python", "latex2mathml"):
        pytest.importorskip(package, reason="the site needs the extra docs")
    from build_site import build

    folder = tmp_path_factory.mktemp("site")
    build(folder / "site", folder / "work")
    return folder / "site"
