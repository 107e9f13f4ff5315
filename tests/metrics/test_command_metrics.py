"""An executable as a metric: the protocol, the deadline, and what it may print."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from lossagent.errors import Failed, Refused
from lossagent.feedback import POOLED
from lossagent.metrics import Metric
from lossagent.metrics.command import from_command, located_command

LEVELS = "import json, sys\nfrom PIL import Image\nlevel = lambda p: Image.open(p).getpixel((0, 0))[0]\n"
LIST = LEVELS + "print(json.dumps([level(p) for p in sys.argv[1:]]))"
BY_PATH = LEVELS + "print(json.dumps([{'path': p, 'value': level(p)} for p in reversed(sys.argv[1:])]))"
PAIRS = LEVELS + (
    "pairs = json.load(sys.stdin)['images']\n"
    "print(json.dumps([level(p['path']) - level(p['reference']) for p in pairs]))"
)


def scored_by(folder: Path, code: str, count: int = 3, reference: bool = False, deadline: float = 20.0):
    """What an executable with this code says of images whose levels are 10, 20, ..."""
    file = folder / "score"
    file.write_text(f"#!{sys.executable}\n{code}\n", encoding="utf-8")
    file.chmod(0o755)
    metric = from_command(
        [str(file)], name="mine", direction="higher", unit=1.0, reference=reference, deadline=deadline
    )
    images = {f"im/age {n}": np.full((4, 6, 3), 10 * n, dtype=np.uint8) for n in range(1, count + 1)}
    return dict(metric.of_files(images, {n: np.full_like(i, 7) for n, i in images.items()} if reference else {}))


@pytest.mark.parametrize("code", [LIST, BY_PATH], ids=["list", "by-path"])
def test_each_image_gets_its_value(tmp_path, code):
    assert scored_by(tmp_path, code) == {"im/age 1": 10, "im/age 2": 20, "im/age 3": 30}


def test_references_come_as_a_manifest(tmp_path):
    assert scored_by(tmp_path, PAIRS, reference=True) == {"im/age 1": 3, "im/age 2": 13, "im/age 3": 23}


def test_one_value_is_of_the_whole_set(tmp_path):
    assert scored_by(tmp_path, "print('{\"value\": 4.5}')") == {POOLED: 4.5}


def test_missing_values_are_left_out(tmp_path):
    assert scored_by(tmp_path, "print('[1, null, 3]')") == {"im/age 1": 1, "im/age 3": 3}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        pytest.param("print('[1, 2]')", "a list of 2 for 3 images", id="short"),
        pytest.param("print('score: 1')", "no JSON but 'score: 1", id="text"),
        pytest.param("pass", "printed nothing", id="nothing"),
        pytest.param("print('7')", "printed 7 in place of a list", id="number"),
        pytest.param("print('{\"a\": 1}')", "an object with", id="object"),
        pytest.param("print('[' * 100000)", "no JSON", id="deep"),
        pytest.param('print(\'[{"path": "x", "value": 1}]\')', "'x', which is no image", id="unknown"),
        pytest.param("import sys; sys.exit('oh\\nno: <b>')", "status 1; its last words: 'no: <b>'", id="status"),
        pytest.param("import os; os.kill(os.getpid(), 11)", "ended by signal 11", id="signal"),
        pytest.param("while True: print('1' * 65536)", "more than 1 MiB", id="flood"),
    ],
)
def test_what_it_does_wrong_is_named(tmp_path, code, message):
    with pytest.raises(Failed, match=message):
        scored_by(tmp_path, code)


def test_at_the_deadline_it_is_killed_with_all_it_started(tmp_path):
    pid = tmp_path / "pid"
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(pid)!r}, 'w').write(str(child.pid))\n"
        "print('still loading', file=sys.stderr, flush=True)\n"
        "time.sleep(600)\n"
    )
    began = time.monotonic()
    with pytest.raises(Failed, match=r"gave nothing within 1\.5 s and was ended; its last words: 'still loading'"):
        scored_by(tmp_path, code, deadline=1.5)
    assert time.monotonic() - began < 10
    assert not alive(int(pid.read_text()))


def test_what_it_leaves_running_does_not_hold_the_answer_back(tmp_path):
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print([1, 2, 3], flush=True)\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
    )
    assert len(scored_by(tmp_path, code, deadline=15.0)) == 3
    assert not alive(int((tmp_path / "pid").read_text()))


def alive(pid: int) -> bool:
    """Whether a process still runs; one that was killed and not yet collected does not."""
    for _ in range(50):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        if state == "Z":
            return False
        time.sleep(0.02)
    return True


def test_it_is_a_metric_of_tensors_too(tmp_path):
    file = tmp_path / "score.py"
    file.write_text(LIST, encoding="utf-8")
    metric = from_command([sys.executable, str(file)], name="mine", direction="higher", unit=1.0)
    assert isinstance(metric, Metric)
    images = torch.stack([torch.full((3, 4, 4), level / 255) for level in (3, 200)])
    assert metric(images).tolist() == [3, 200]
    assert "sha256 score.py" in metric.facts.options


def test_an_executable_must_be_there(tmp_path, monkeypatch):
    make = {"name": "m", "direction": "lower", "unit": 1.0}
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused, match=r"there is no executable 'no-such-scorer' in PATH"):
        from_command(["no-such-scorer"], **make)
    with pytest.raises(Refused, match="there is no executable"):
        from_command(["./score.sh"], **make)
    (tmp_path / "score.sh").write_text("#!/bin/sh\n")
    with pytest.raises(Refused, match=r"chmod \+x"):
        from_command(["./score.sh"], **make)
    with pytest.raises(Refused, match="must name an executable"):
        from_command([], **make)
    located = located_command(["./score.sh", "--fast", "score.sh"])
    assert located == (str(tmp_path / "score.sh"), "--fast", str(tmp_path / "score.sh"))


def test_a_file_of_no_known_format_is_named(tmp_path):
    (tmp_path / "score").write_bytes(b"\0\1\2")
    os.chmod(tmp_path / "score", 0o755)
    metric = from_command([str(tmp_path / "score")], name="m", direction="lower", unit=1.0)
    with pytest.raises(Failed, match="could not be started: Exec format error"):
        metric.of_files({"a": np.zeros((2, 2, 3), dtype=np.uint8)}, {})
