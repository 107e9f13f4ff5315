"""What a loop of somebody else's hands over by mistake, as it comes without type checks."""

import subprocess
import sys

SCRIPT = """
import sys
from pathlib import Path

import numpy as np
import torch

import lossagent
from lossagent import Course, Every, Snapshots, WeightedSum
from lossagent.errors import Refused
from lossagent.objectives import pixels_of

folder = Path(sys.argv[1])
goal = {"targets": [{"metric": "miss", "direction": "lower", "unit": 0.01}]}
losses = {"near": np.float32(2), "far": torch.tensor(0.5)}
steering = lossagent.steer(folder / "run", losses, goal=goal, score="elsewhere")
assert steering.weights.values() == {"near": 2.0, "far": 0.5}
criterion = WeightedSum(steering)


def score():
    return {"miss": 1.0}


wrong = {
    "losses must be name -> weight": lambda: lossagent.steer(folder / "new", ["near"], goal=goal),
    "losses.near.weight": lambda: lossagent.steer(folder / "new", {"near": "much"}, goal=goal, score="elsewhere"),
    "state '1' was never asked for": lambda: steering.tell("1", scores=score()),
    "state None was never asked for": lambda: steering.tell(None, scores=score()),
    "scores must be metric -> score": lambda: steering.tell(0, scores=1.0),
    "losses: near must be a number; found 'low'": lambda: steering.tell(0, scores=score(), losses={"near": "low"}),
    "tensor, an array or a file; found a list": lambda: pixels_of({"x": [1.0]}),
    "name of an image must be one that a file can have": lambda: pixels_of({3: torch.zeros(3, 4, 4)}),
    "steps of a stage must be a whole number above 0; found 2.5": lambda: Every(steps=2.5),
    "steps of a stage must be a whole number above 0; found '5'": lambda: Every(steps="5"),
    "epochs of a stage must be a whole number above 0; found True": lambda: Every(epochs=True),
    "every must be the length of a stage": lambda: Course(steering, 5, score=score),
    "state_dict and load_state_dict; net have none": lambda: Snapshots(folder / "kept", net=3),
    "a WeightedSum follows a steering": lambda: WeightedSum({"near": 1.0}),
    "the loss 'near' must be a tensor with one value; found a float": lambda: criterion.combine({"near": 0.5}),
}
for words, call in wrong.items():
    try:
        call()
    except Refused as error:
        assert words in str(error), f"{words!r} is not in {str(error)!r}"
    else:
        raise AssertionError(f"{words!r}: not refused")
steering.tell(0, scores={"miss": {"a": np.float32(1), "b": torch.tensor(2.0)}}, losses={"near": torch.tensor(3.0)})
state = steering.trajectory.states[0]
assert state.feedback.mean("miss") == 1.5 and state.report.losses == {"near": 3.0}
"""


def test_wrong_types_are_refused_by_name_and_numbers_of_any_library_taken(tmp_path):
    found = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
