"""Scoring a set: every image converted once, every network called once a batch, and the same numbers as one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lossagent.feedback import POOLED, MetricFacts
from lossagent.metrics import NIQE, PSNR, SSIM
from lossagent.metrics.own import from_function
from lossagent.objectives import Scored, Scores
from lossagent.objectives import pairs as pairs_module
from lossagent.objectives.guarded import Guarded
from lossagent.objectives.pairs import Pair, Tensors, batches
from lossagent.restorers import from_uint8


def facts(name: str, reference: bool = False) -> MetricFacts:
    return MetricFacts(
        name=name, direction="higher", low=None, high=None, needs_reference=reference, unit=1.0, implementation="test",
        version="1",
    )  # fmt: skip


class Levels:
    """A network that counts its calls: the mean level of each image."""

    def __init__(self, batch: int, reference: bool = False):
        self.batch = batch
        self.facts = facts("levels", reference)
        self.calls: list[int] = []
        self.released = 0

    def __call__(self, restored, reference=None):
        self.calls.append(len(restored))
        assert not torch.is_grad_enabled()
        values = restored.mean(dim=(1, 2, 3)).double() * 255
        return values if reference is None else values - reference.mean(dim=(1, 2, 3)).double() * 255

    def release(self):
        self.released += 1


def images(rng, count=7, sides=((96, 96), (96, 120))):
    """Images of two sizes, mixed."""
    return {f"i{n}": rng.integers(0, 256, (*sides[n % 3 % 2], 3), dtype=np.uint8) for n in range(count)}


def test_built_in_metrics_give_what_they_give_one_by_one_bit_for_bit(rng):
    restored = images(rng)
    references = {n: np.clip(i.astype(int) + 5, 0, 255).astype(np.uint8) for n, i in restored.items()}
    metrics = {
        "niqe": Scored(NIQE()),
        "psnr": Scored(PSNR(), references.get),
        "ssim": Scored(SSIM("y"), references.get),
    }
    found = Scores(metrics)(restored)
    for name, scored in metrics.items():
        alone = {
            n: float(scored.metric(from_uint8(i), None if name == "niqe" else from_uint8(references[n]))[0])
            for n, i in restored.items()
        }
        assert found.scores[name] == alone
        assert list(found.scores[name]) == list(restored)
    assert found.problems == {}


def test_networks_are_called_once_a_batch_and_the_order_is_kept(rng):
    restored = images(rng)  # 5 of one size, 2 of the other
    network = Levels(batch=4)
    found = Scores({"levels": Scored(network)})(restored)
    assert network.calls == [4, 1, 2]
    assert list(found.scores["levels"]) == list(restored)
    for name, image in restored.items():
        assert found.scores["levels"][name] == pytest.approx(image.mean(), rel=1e-6)


def test_references_go_with_their_images(rng):
    restored = images(rng)
    references = {n: np.full_like(i, k) for k, (n, i) in enumerate(restored.items())}
    found = Scores({"d": Scored(Levels(3, reference=True), references.get)})(restored)
    for k, (name, image) in enumerate(restored.items()):
        assert found.scores["d"][name] == pytest.approx(image.mean() - k, rel=1e-5)


def test_every_image_is_converted_once_for_all_metrics(rng, monkeypatch):
    restored = images(rng)
    references = images(rng)
    seen: list[int] = []

    def counted(array):
        seen.append(id(array))
        return from_uint8(array)

    monkeypatch.setattr(pairs_module, "from_uint8", counted)
    metrics = {f"m{n}": Scored(Levels(n + 1, reference=True), lambda name: references[name]) for n in range(3)}
    Scores(metrics)(restored)
    assert len(seen) == len(set(seen)) == 14


def test_tensors_beyond_the_room_are_converted_again_and_are_the_same(rng):
    image, other = images(rng, 2).values()
    tensors = Tensors(torch.device("cpu"), room=image.size * 4)
    assert tensors.of(image) is tensors.of(image)
    assert tensors.of(other) is not tensors.of(other)
    assert torch.equal(tensors.of(other), from_uint8(other))


def test_batches_hold_images_of_one_size_with_references_of_one_size(rng):
    small, large = (rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for side in (8, 16))
    pairs = [Pair("a", small), Pair("b", large), Pair("c", small, large), Pair("d", small), Pair("e", small)]
    assert [[p.name for p in b] for b in batches(pairs, 2)] == [["a", "d"], ["e"], ["b"], ["c"]]


def test_memory_is_given_back_after_each_scoring_where_that_is_asked(rng):
    kept, unloaded = Levels(2), Levels(2)
    score = Scores({"kept": Scored(kept), "unloaded": Scored(Guarded(unloaded, deadline=30.0, unload=True))})
    for _ in range(2):
        score(images(rng))
    assert (kept.released, unloaded.released) == (0, 2)


def test_an_image_without_a_reference_has_no_score_and_that_is_no_problem(rng):
    restored = images(rng, 3)
    references = {"i0": restored["i0"]}
    found = Scores({"levels": Scored(Levels(2, reference=True), references.get)})(restored)
    assert found.scores == {"levels": {"i0": 0.0, "i1": None, "i2": None}}
    assert found.problems == {}
    assert Scores({"levels": Scored(Levels(2))})({}).scores == {"levels": {}}


class WholeSet:
    """A metric of a set of images, such as FID."""

    facts = facts("whole")

    def of_files(self, images, references):
        del references
        return {POOLED: float(len(images))}

    def __call__(self, restored, reference=None):
        raise AssertionError("it is asked for the set")


def test_a_score_of_the_whole_set_stands_for_itself(rng):
    restored = images(rng)
    score = Scores({"whole": Scored(WholeSet()), "levels": Scored(Levels(1))}, {"i0": "haze", "i1": "rain"})
    found = score(restored)
    assert found.scores["whole"] == {POOLED: 7.0}
    assert found.mean("whole") == 7.0
    each, together = score.parted()
    assert (list(each.metrics), list(together.metrics)) == (["levels"], ["whole"])


def test_functions_get_the_arrays_themselves(rng):
    restored = images(rng, 3)
    own = from_function(lambda image: float(image[0, 0, 0]), name="corner", direction="higher", unit=1.0)
    found = Scores({"corner": Scored(Guarded(own, deadline=30.0))})(restored)
    assert found.scores["corner"] == {n: float(i[0, 0, 0]) for n, i in restored.items()}
    assert all(math.isfinite(v) for v in found.scores["corner"].values() if v is not None)
