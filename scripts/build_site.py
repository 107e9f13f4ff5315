"""Builds the documentation site, offline, with warnings as errors.

    python scripts/build_site.py [--out site]

The pages are those of docs/ and the files that they link to; the API reference is made from the docstrings. Look at it
with ``python -m http.server -d site``; pages also open as files, without the search.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from site_pages import assemble, tune

ROOT = Path(__file__).resolve().parents[1]
WARNING = re.compile(r"(?m)^griffe: .*$")
"""What the reader of docstrings says of entries that it cannot place; the site's builder does not count these."""


def build(out: Path, work: Path) -> str:
    """Builds the site.

    Args:
        out: its folder; what is in it from before is replaced.
        work: folder for the assembled pages and the cache.

    Returns:
        What the builder said: empty but for its own notes where the site was written.

    Raises:
        RuntimeError: a warning or an error, in its own words.
    """
    assemble(ROOT, work / "docs")
    if not (work / "src").exists():
        (work / "src").symlink_to(ROOT / "src", target_is_directory=True)
    shutil.copyfile(ROOT / "mkdocs.yml", work / "mkdocs.yml")
    shutil.copytree(ROOT / "scripts" / "site_pages" / "theme", work / "theme", dirs_exist_ok=True)
    paths = os.pathsep.join([str(ROOT / "scripts"), os.environ.get("PYTHONPATH", "")])  # for what mkdocs.yml names
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict", "--clean"],
        cwd=work,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    if done.returncode != 0 or WARNING.search(said):
        raise RuntimeError(said)
    (work / "site" / "404.html").unlink(missing_ok=True)  # its links are those of a server's root
    tune(work / "site" / "search.json")
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(work / "site", out)
    return said


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Builds the documentation site, offline, with warnings as errors.")
    parser.add_argument("--out", type=Path, default=ROOT / "site", help="folder of the site")
    chosen = parser.parse_args()
    try:
        print(build(chosen.out, ROOT / "build" / "site"), end="")
    except (RuntimeError, FileNotFoundError) as error:
        sys.exit(str(error))
