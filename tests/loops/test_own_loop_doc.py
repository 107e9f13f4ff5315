"""What docs/own-loop.md shows works as it stands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from command_line import command
from lossagent import Shared
from lossagent.loops import LoopSettings, read_settings
from lossagent.runs import read_trajectory
from tiny import pictures

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "own-loop.md").read_text(encoding="utf-8")
FAKES = """
told=0
lossagent() {
    echo "lossagent $*" >> calls
    case "$*" in
        *"--losses"*) echo "done=false state=0 start_from= best= weights=" ;;
        *"--state 0"*) echo "done=false state=1 start_from=0 best= weights=l1=1.0,gan=0.01" ;;
        *"--state 1"*) echo "done=false state=2 start_from=1 best= weights=l1=1.0,gan=0.02" ;;
        *) echo "done=true state=2 start_from= best=1 weights=" ;;
    esac
}
my-trainer() { echo "my-trainer $*" >> calls; }
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


class Programs:
    """The names that the page takes for yours, and those that its blocks leave."""

    def __init__(self) -> None:
        net = torch.nn.Conv2d(3, 3, 3, padding=1)
        clean = torch.rand(2, 3, 96, 96)
        noisy = clean + 0.1 * torch.randn_like(clean)
        self.trained: list[dict[str, float]] = []
        self.names = {
            "net": net,
            "clean": clean,
            "noisy": noisy,
            "optimizer": torch.optim.Adam(net.parameters()),
            "adversarial": lambda output: output.square().mean(),
            "restored": lambda: {str(n): net(x[None]).detach().clamp(0, 1) for n, x in enumerate(noisy)},
            "train": self.train,
            "save": lambda state: None,
        }

    def train(self, weights: dict[str, float]) -> None:
        self.trained.append(weights)
        with torch.no_grad():
            for parameter in self.names["net"].parameters():
                parameter.mul_(0.99)

    def run(self, text: str) -> None:
        exec(compile(text, "own-loop.md", "exec"), self.names)


def test_the_programs_run_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = Programs()
    texts = blocks("python")
    assert len(texts) == 8
    first, *rest = texts
    page.run(first)
    assert len(page.trained) == 10
    assert page.trained[0] == {"l1": 1.0, "gan": 0.01}
    for text in rest:
        page.run(text)
        if isinstance(page.names["steering"], Shared):
            page.names["steering"].close()
    assert read_trajectory(Path("runs/mine")).finished is None  # it went back to state 7
    assert read_trajectory(Path("runs/opinion")).states[1].report.losses.keys() == {"l1", "gan"}
    assert [s.report.iterations for s in read_trajectory(Path("runs/course")).states] == [0, 5, 5, 5]
    assert len(read_trajectory(Path("runs/back")).scored) == 4
    assert read_settings(Path("runs/people")).people is not None
    for shown in ("loop.yaml", "events.jsonl", "environment.json", "images/state-0003"):
        assert (Path("runs/mine") / shown).exists()


def test_the_first_program_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page, loaded = Programs(), []
    killed = iter([False, False, True])

    def save(state: int) -> None:
        if next(killed, False):
            raise KeyboardInterrupt

    page.names |= {"save": save, "load": loaded.append}
    with pytest.raises(KeyboardInterrupt):
        page.run(blocks("python")[0])  # while state 3 is saved
    page.run(blocks("python")[0])
    assert loaded == [2]
    assert len(page.trained) == 11  # stage 3 once more
    assert page.trained[2] == page.trained[3]
    assert len(read_trajectory(Path("runs/mine")).scored) == 11


def test_the_commands_after_a_run_know_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Programs().run(blocks("python")[0])
    after, *_ = blocks("sh")
    for line in after.strip().splitlines():
        words = line.split("#")[0].split()[1:]
        found = command(*words, "--help") if "dashboard" in words else command(*words)
        assert found.status == 0, found.err


def test_the_first_call_answers_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path / "restored", 2)
    (line,) = [b for b in blocks("sh") if b.startswith("lossagent steer")]
    found = command(*line.split()[1:])
    assert found.status == 0, found.err
    (answer,) = blocks("json")
    assert json.loads(found.out) == json.loads(answer)


def test_the_loop_in_bash_goes_through_its_states(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    (loop,) = [block for block in blocks("sh") if "while" in block]
    done = subprocess.run(
        [bash, "-c", FAKES + loop], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "the best state is 1\n"
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call for call in calls if call.startswith("my-trainer")] == [
        "my-trainer restore --net 0 --into restored",
        "my-trainer train --from 0 --weights l1=1.0,gan=0.01 --save 1",
        "my-trainer restore --net 1 --into restored",
        "my-trainer train --from 1 --weights l1=1.0,gan=0.02 --save 2",
        "my-trainer restore --net 2 --into restored",
    ]
    shown = command("steer", "--help").out
    for call in calls:
        if call.startswith("lossagent"):
            assert all(word in shown for word in call.split() if word.startswith("--"))


def test_options_settings_and_files_named_are_there() -> None:
    shown = command("steer", "--help").out
    table = TEXT[TEXT.index("| option | says |") : TEXT.index("The exit status")]
    assert all(option in shown for option in re.findall(r"--[a-z][a-z-]+", table))
    keys = {
        key for block in re.findall(r"settings=\{(.*?)\}", TEXT) for key in re.findall(r'"(\w+)": (?=[\[{\d])', block)
    }
    assert {"iterations", "tolerance", "people"} <= keys
    assert keys - {"opinion"} <= LoopSettings.model_fields.keys()
