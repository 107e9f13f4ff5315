"""Feedback: means and parts."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from lossagent.feedback import Feedback, MetricFacts, Remark


def test_a_mean_leaves_out_images_without_a_score() -> None:
    feedback = Feedback(scores={"niqe": {"a": 4.0, "b": None, "c": 6.0, "d": float("nan")}, "psnr": {"a": None}})
    assert feedback.mean("niqe") == 5.0
    assert feedback.means() == {"niqe": 5.0, "psnr": None}
    assert feedback.mean("unknown") is None


def test_means_are_taken_within_conditions_first() -> None:
    scores: dict[str, float | None] = {"h": 10.0, "r1": 1.0, "r2": 3.0, "n": 5.0}
    feedback = Feedback(scores={"psnr": scores}, conditions={"h": "haze", "r1": "rain", "r2": "rain"})
    assert feedback.mean("psnr") == pytest.approx((10.0 + 2.0 + 5.0) / 3)


def test_a_metric_has_no_default_direction() -> None:
    facts = {
        "name": "niqe", "low": 0, "high": None, "needs_reference": False, "unit": 0.1,
        "implementation": "x", "version": "1",
    }  # fmt: skip
    with pytest.raises(ValidationError, match="direction"):
        MetricFacts.model_validate(facts)
    assert MetricFacts.model_validate({**facts, "direction": "lower"}).direction == "lower"


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(ValidationError, match="colour"):
        Remark.model_validate({"author": "a", "text": "b", "colour": "red"})


def test_words_that_cannot_be_written_are_made_so() -> None:
    remark = Remark(author="a\ud800b", text="half \udfff", image=None)
    feedback = Feedback(remarks=(remark,), problems={"mine": "odd \udc80 byte"})
    assert Feedback.model_validate_json(feedback.model_dump_json()) == feedback
    feedback.model_dump_json().encode("utf-8")
