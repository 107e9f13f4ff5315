"""What the pages about adapters show runs as it stands."""

import re
from pathlib import Path

import pytest

from lossagent.runs import read_trajectory

DOCS = Path(__file__).resolve().parents[2] / "docs" / "adapters"
RUNS = {
    "lightning": ("mine", "back", "many"),
    "accelerate": ("plain", "many"),
    "transformers": ("swin2sr",),
}


@pytest.mark.filterwarnings("default")  # advice of the frameworks: few workers, few batches
@pytest.mark.parametrize("page", RUNS)
def test_the_blocks_of_a_page_run_one_after_the_other(tmp_path, monkeypatch, no_assets, page):
    pytest.importorskip(page, reason=f"{page} is not installed")
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for block in blocks:
        exec(compile(block, f"{page}.md", "exec"), names)
    for run in RUNS[page]:
        trajectory = read_trajectory(tmp_path / "runs" / run)
        assert len(trajectory.scored) == 4
        assert all(state.feedback.mean("niqe") is not None for state in trajectory.states)
