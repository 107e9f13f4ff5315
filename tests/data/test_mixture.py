"""Several sources of samples, drawn from by weight."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from lossagent.data import Indexed, MixedSampler, NamedImage, PatchSampler, promptir_weights
from lossagent.data.degradations.added_noise import AddedNoise
from lossagent.data.degradations.rain import SyntheticRain
from lossagent.errors import Refused


@pytest.fixture
def photos(tmp_path, rng) -> dict[str, list[NamedImage]]:
    made = {}
    for part in "abc":
        file = tmp_path / f"{part}.png"
        Image.fromarray(rng.integers(0, 256, (24, 20, 3), dtype=np.uint8)).save(file)
        made[part] = [NamedImage(part, file)]
    return made


def source(images, seed=5, patch=8, sigma=25.0, **options) -> PatchSampler:
    return PatchSampler(images, 1, patch, AddedNoise(sigma), seed, **options)


@pytest.fixture
def mixed(photos) -> MixedSampler:
    return MixedSampler([(source(photos["a"]), 1.0), (source(photos["b"]), 6.0), (source(photos["c"]), 3.0)], 5)


def test_each_source_gets_its_share(mixed):
    draws = Counter(mixed.chosen(index) for index in range(20_000))
    # Five standard deviations of a binomial share.
    assert [draws[n] / 20_000 for n in range(3)] == pytest.approx([0.1, 0.6, 0.3], abs=0.018)
    # Batches of other windows and iterations, which are far apart as indices, too.
    names = Counter(name for w in range(4) for i in range(8) for name in mixed.batch(w, i, 32).names)
    assert [names[n] / 1024 for n in "abc"] == pytest.approx([0.1, 0.6, 0.3], abs=0.08)


def test_a_sample_is_the_source_s_own(mixed):
    for index in range(30):
        part = mixed.parts[mixed.chosen(index)][0]
        own, given = part.sample(index), mixed.sample(index)
        assert own.name == given.name
        assert np.array_equal(own.lq, given.lq)
        assert np.array_equal(own.hq, given.hq)


def test_the_choice_says_nothing_of_the_sample(photos):
    # Source and sampler share seed and index: were the streams the same, each source would show half of its images.
    images = [photos["a"][0], photos["b"][0]]
    made = MixedSampler([(source(images), 1.0), (source(images), 1.0)], 5)
    seen = Counter((made.chosen(index), made.sample(index).name) for index in range(800))
    assert len(seen) == 4
    assert min(seen.values()) > 140


def test_samples_do_not_depend_on_order_or_workers(mixed, photos):
    again = MixedSampler([(source(photos["a"]), 0.5), (source(photos["b"]), 3.0), (source(photos["c"]), 1.5)], 5)
    with ThreadPoolExecutor(4) as threads:
        forth = list(threads.map(mixed.sample, range(40)))
    back = [again.sample(index) for index in reversed(range(40))][::-1]
    assert all(np.array_equal(a.lq, b.lq) and a.name == b.name for a, b in zip(forth, back, strict=True))
    other = MixedSampler(mixed.parts, 6)
    assert [other.chosen(i) for i in range(40)] != [mixed.chosen(i) for i in range(40)]


def test_shares_of_ranks_make_up_the_batch(mixed):
    whole = mixed.batch(1, 2, 6)
    parts = [mixed.batch(1, 2, 6, first, 2) for first in (0, 2, 4)]
    assert torch.equal(torch.cat([part.lq for part in parts]), whole.lq)
    assert torch.equal(torch.cat([part.hq for part in parts]), whole.hq)
    assert sum((part.names for part in parts), ()) == whole.names


def test_a_mixture_of_mixtures_is_flat(mixed, photos):
    outer = MixedSampler([(mixed, 1.0), (source(photos["a"], sigma=50.0), 1.0)], 9)
    assert [weight for _, weight in outer.parts] == pytest.approx([0.05, 0.3, 0.15, 0.5])
    assert isinstance(mixed, Indexed)


def test_notices_of_all_sources_come_once(photos):
    for part in "ab":
        file = photos[part][0].path
        file.write_bytes(file.read_bytes()[:300])
    good = photos["c"][0]
    parts = [source([photos[part][0], good], max_damaged=0.5) for part in "ab"]
    made = MixedSampler([(part, 1.0) for part in parts], 1)
    assert {made.sample(index).name for index in range(30)} == {"c"}
    assert sorted(text.split("/")[-1][:5] for text in made.notices()) == ["a.png", "b.png"]
    assert made.notices() == ()


def test_bad_parts_are_refused(photos):
    one = source(photos["a"])
    with pytest.raises(Refused, match="at least one source"):
        MixedSampler([], 1)
    with pytest.raises(Refused, match=r"positive numbers; found 0\.0"):
        MixedSampler([(one, 0.0)], 1)
    with pytest.raises(Refused, match="positive numbers; found nan"):
        MixedSampler([(one, float("nan"))], 1)
    with pytest.raises(Refused, match=r"share scale, patch and sharpen; found \(1, 8, False\), \(1, 6, False\)"):
        MixedSampler([(one, 1.0), (source(photos["a"], patch=6), 1.0)], 1)
    with pytest.raises(Refused, match=r"\(1, 8, True\)"):
        MixedSampler([(one, 1.0), (PatchSampler(photos["a"], 1, 8, SyntheticRain(), 1, sharpen=True), 1.0)], 1)
    with pytest.raises(Refused, match="seed must be"):
        MixedSampler([(one, 1.0)], -1)


def test_published_ratios_of_all_in_one_restoration():
    published = promptir_weights()
    assert sum(published.values()) == 5144 * 9 + 200 * 120 + 72135
    assert published == {"noise 15": 15432, "noise 25": 15432, "noise 50": 15432, "rain": 24000, "haze": 72135}
    assert promptir_weights(10, 0, 3) == {"noise 15": 30, "noise 25": 30, "noise 50": 30, "haze": 3}
    for sizes in ((0, 0, 0), (-1, 2, 2)):
        with pytest.raises(Refused, match="0 or more and not all 0"):
            promptir_weights(*sizes)
