"""DISTS as a metric."""

from __future__ import annotations

import pytest
import torch

from lossagent.errors import MissingAsset, Refused
from lossagent.metrics import MetricOptions, create
from lossagent.metrics.dists import DISTSMetric


@pytest.fixture(scope="module")
def metric() -> DISTSMetric:
    return DISTSMetric("random")


def pair(side: int = 48) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(2, 3, side, side, generator=generator)
    return (target + 0.1 * torch.randn(target.shape, generator=generator)).clamp(0, 1), target


def test_scores_one_by_one(metric):
    restored, target = pair()
    values = metric(restored, target)
    assert values.dtype == torch.float64
    assert (values > 0).all()
    singles = torch.cat([metric(a[None], b[None]) for a, b in zip(restored, target, strict=True)])
    torch.testing.assert_close(values, singles, rtol=0, atol=1e-6)
    torch.testing.assert_close(metric(target, restored), values, rtol=0, atol=1e-6)
    assert (metric(target, target) < 1e-6).all()


def test_facts(metric):
    facts = metric.facts
    assert (facts.name, facts.direction, facts.low, facts.needs_reference) == ("dists", "lower", 0.0, True)
    assert facts.options["published_weights"] is False
    assert facts.options["resize"] == "none"


def test_border_leaves_out_the_frame(metric):
    restored, target = pair()
    target = target.clone()
    target[..., :4, :] = 0
    inner = metric(restored[..., 4:-4, 4:-4], target[..., 4:-4, 4:-4])
    torch.testing.assert_close(DISTSMetric("random", border=4)(restored, target), inner, rtol=0, atol=1e-6)


def test_refusals(metric, tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSAGENT_HOME", str(tmp_path))
    with pytest.raises(MissingAsset, match="lossagent assets fetch vgg16"):
        create("dists")
    with pytest.raises(Refused, match="'dists' has no option 'backbone'"):
        create("dists", MetricOptions(backbone="alex", weights="random"))
    with pytest.raises(Refused, match="at least 32 px"):
        metric(torch.rand(1, 3, 31, 40), torch.rand(1, 3, 31, 40))
