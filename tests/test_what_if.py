"""What-if tables against vectors, and the Pareto front against its definition."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossagent.errors import Refused
from lossagent.pareto import front
from lossagent.records import Evidence
from lossagent.weights import Weights
from lossagent.what_if import FACTORS, composite_norm, what_if

GRADE = st.sampled_from([0.0, 1.0, 2.0, 3.0])


def gradients(rng: np.random.Generator) -> dict[str, np.ndarray]:
    shared = rng.normal(size=40)
    return {
        "l1": rng.normal(size=40),
        "perceptual": 5 * (shared + rng.normal(size=40)),
        "gan": -0.3 * shared + rng.normal(size=40),
    }


def evidence_of(vectors: dict[str, np.ndarray]) -> Evidence:
    norms = {n: float(np.linalg.norm(v)) for n, v in vectors.items()}
    cosines = {f"{a}|{b}": float(vectors[a] @ vectors[b] / (norms[a] * norms[b])) for a, b in combinations(vectors, 2)}
    return Evidence(image_norms=norms, cosines=cosines)


@pytest.mark.parametrize("off", [False, True])
def test_the_composite_is_that_of_the_vectors(rng: np.random.Generator, off: bool) -> None:
    vectors = gradients(rng)
    weights = Weights.of({"l1": 1.0, "perceptual": 0.1, "gan": 0.0 if off else 0.02}, Weights.of({"gan": 0.02}))
    found = evidence_of(vectors)

    def norm(w: Weights) -> float:
        return float(np.linalg.norm(sum(w[n] * v for n, v in vectors.items())))

    assert composite_norm(found, weights) == pytest.approx(norm(weights))
    rows = what_if(found, weights)
    assert [(r.loss, r.factor) for r in rows] == [(n, f) for n in vectors for f in FACTORS]
    for row in rows:
        wanted = {**weights.values(), row.loss: row.factor * weights.magnitudes[row.loss]}
        assert row.weights.values() == pytest.approx(wanted)
        assert row.gradient == pytest.approx(norm(row.weights) / norm(weights) - 1)
        lengths = {n: wanted[n] * float(np.linalg.norm(v)) for n, v in vectors.items()}
        assert row.shares == pytest.approx({n: x / sum(lengths.values()) for n, x in lengths.items()})


def test_what_cannot_be_told_is_none() -> None:
    weights = Weights.of({"a": 1.0, "b": 2.0})
    assert what_if(Evidence(), weights) == ()
    lacking = Evidence(image_norms={"a": 1.0, "b": 1.0})
    assert composite_norm(lacking, weights) is None
    assert {r.gradient for r in what_if(lacking, weights)} == {None}
    assert composite_norm(Evidence(image_norms={"a": 1.0}), weights) is None
    nothing = Evidence(image_norms={"a": 0.0, "b": 0.0})
    assert composite_norm(nothing, weights) == 0.0
    assert {r.gradient for r in what_if(nothing, weights)} == {None}
    assert composite_norm(Evidence(image_norms={"a": 3.0, "b": 0.0}), weights) == 3.0
    infinite = Evidence(image_norms={"a": float("inf"), "b": 1.0}, cosines={"a|b": 0.0})
    assert composite_norm(infinite, weights) is None


def test_cosines_are_found_either_way_and_rounding_stays_real() -> None:
    weights = Weights.of({"a": 1.0, "b": 1.0})
    opposed = Evidence(image_norms={"a": 1.0, "b": 1.0}, cosines={"b|a": -1.0 - 1e-9})
    assert composite_norm(opposed, weights) == 0.0


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(GRADE, GRADE, GRADE), max_size=12),
    st.lists(st.sampled_from(["lower", "higher"]), min_size=3, max_size=3),
)
def test_the_front_is_what_nothing_beats(points: list[tuple[float, float, float]], directions: list) -> None:
    signs = [1 if d == "higher" else -1 for d in directions]

    def beats(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
        gains = [s * (x - y) for s, x, y in zip(signs, a, b, strict=True)]
        return min(gains) >= 0 and max(gains) > 0

    wanted = tuple(not any(beats(other, point) for other in points) for point in points)
    assert front(points, directions) == wanted


def test_missing_scores_are_on_no_front_and_beat_nothing() -> None:
    points = [(1.0, None), (float("nan"), 9.0), (2.0, 1.0), (1.0, 2.0), (1.0, 1.0), (float("inf"), 5.0)]
    assert front(points, ("higher", "higher")) == (False, False, True, True, False, False)
    assert front([], ("lower",)) == ()
    assert front([(None,)], ("lower",)) == (False,)


def test_odd_points_are_refused() -> None:
    with pytest.raises(Refused, match="point 1 has 1"):
        front([(1.0, 2.0), (1.0,)], ("lower", "higher"))
