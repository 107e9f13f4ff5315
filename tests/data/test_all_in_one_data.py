"""Noise, rain, haze and the folders of all-in-one restoration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from lossagent.data import (
    ImageSet,
    NamedImage,
    PatchSampler,
    dataset,
    evaluation_tasks,
    folder,
    name_rng,
    pairs,
    training_tasks,
)
from lossagent.data.degradations import Degradation
from lossagent.data.degradations.added_noise import AddedNoise
from lossagent.data.degradations.depth import Scene
from lossagent.data.degradations.haze import SyntheticHaze, scattered
from lossagent.data.degradations.rain import Streaks, SyntheticRain
from lossagent.errors import Refused

EACH: tuple[Degradation, ...] = (AddedNoise(25.0), SyntheticRain(), SyntheticHaze())


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def photo(rng) -> np.ndarray:
    coarse = Image.fromarray(rng.integers(0, 256, (20, 27, 3), dtype=np.uint8))
    return np.array(coarse.resize((271, 203), Image.Resampling.BICUBIC))


@pytest.fixture
def save(rng):
    def to(path: Path, height: int = 32, width: int = 48) -> np.ndarray:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        return pixels

    return to


# -- what all three have in common ------------------------------------------------------------------------------


@pytest.mark.parametrize("made", EACH, ids=lambda made: made.name)
def test_size_type_and_numbers_from_the_generator_alone(made, photo):
    assert isinstance(made, Degradation)
    assert made.scale == 1
    low = made(photo, generator(3))
    assert low.shape == photo.shape
    assert low.dtype == np.uint8
    assert np.array_equal(low, made(photo, generator(3)))
    assert not np.array_equal(low, made(photo, generator(4)))
    for size in (64, 128):
        crop = made.patch(photo, 40, 100, size, generator(3))
        assert crop.shape == (size, size, 3)
        assert np.array_equal(crop, made.patch(photo, 40, 100, size, generator(3)))


@pytest.mark.parametrize("made", EACH, ids=lambda made: made.name)
@pytest.mark.parametrize(("top", "left", "size"), [(-1, 0, 8), (0, 265, 8), (196, 0, 8), (0, 0, 0)])
def test_crops_outside_are_refused(made, photo, top, left, size):
    with pytest.raises(Refused, match="not inside the image of 203 x 271"):
        made.patch(photo, top, left, size, generator())


def test_names_say_what_is_made_up():
    assert [made.label for made in EACH] == ["noise 25", "synthetic rain", "synthetic haze"]
    assert [made.name for made in EACH] == ["noise-25", "synthetic-rain", "synthetic-haze"]
    assert AddedNoise(12.5).label == "noise 12.5"


# -- noise ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [15.0, 25.0, 50.0])
def test_noise_has_its_deviation_and_is_cut_not_rounded(sigma):
    gray = np.full((400, 400, 3), 128, np.uint8)
    noise = AddedNoise(sigma)(gray, generator()).astype(float) - 128
    # Quantisation adds 1/12; at sigma 50 about one value in a hundred is clipped.
    assert noise.std() == pytest.approx(np.sqrt(sigma**2 + 1 / 12), rel=0.012)
    assert noise.mean() == pytest.approx(-0.5, abs=0.4)
    correlation = np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]
    assert abs(correlation) < 0.015


def test_noise_is_clipped():
    both = np.stack([np.zeros((50, 50), np.uint8), np.full((50, 50), 255, np.uint8)])[..., None].repeat(3, axis=3)
    black, white = (AddedNoise(50.0)(image, generator()) for image in both)
    assert black.min() == 0
    assert white.max() == 255
    assert (black == 0).mean() > 0.5
    assert 0.45 < (white == 255).mean() < 0.55


def test_noise_is_the_formula():
    image = generator(1).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    wanted = np.clip(image + 25 * generator(2).standard_normal(image.shape), 0, 255).astype(np.uint8)
    assert np.array_equal(AddedNoise(25.0)(image, generator(2)), wanted)
    with pytest.raises(Refused, match="sigma must be a positive number"):
        AddedNoise(0.0)


def test_test_noise_is_a_function_of_the_file_name(tmp_path, save):
    for name in ("a", "b", "c"):
        save(tmp_path / "one" / f"{name}.png")
    (tmp_path / "two").mkdir()
    content = (tmp_path / "one" / "b.png").read_bytes()
    (tmp_path / "two" / "b.png").write_bytes(content)
    (tmp_path / "two" / "z.png").write_bytes(content)
    noise = AddedNoise(25.0)
    whole, other = (ImageSet.of(folder(tmp_path / part), 1, noise) for part in ("one", "two"))
    alone = whole.take(["c", "b"])
    assert np.array_equal(whole.item(1).lq, alone.item(1).lq)
    assert np.array_equal(whole.item(1).lq, other.item(0).lq)
    assert not np.array_equal(other.item(0).lq, other.item(1).lq)
    joined = ImageSet.join("all", [ImageSet.of(folder(tmp_path / "one"), 1, noise, "noise 25"), other])
    assert joined.names[1] == "noise 25-b"
    assert np.array_equal(joined.item(1).lq, whole.item(1).lq)
    assert np.array_equal(whole.item(1).lq, noise(folder(tmp_path / "one").images[1].pixels(), name_rng("b")))


# -- rain -------------------------------------------------------------------------------------------------------


def test_rain_adds_the_same_light_to_all_channels(photo):
    dark = (photo // 2).astype(np.uint8)
    added = SyntheticRain()(dark, generator(1)).astype(int) - dark
    assert added.min() >= 0
    assert added.max() > 60
    unclipped = (dark.max(axis=2) + added.max(axis=2)) < 255
    assert np.array_equal(added[unclipped][:, 0], added[unclipped][:, 2])
    assert 0.3 < (added[..., 0] <= 2).mean() < 0.98


def test_rain_is_a_convolution_of_sparse_drops():
    streaks = Streaks(density=0.003, length=14.0, angle=20.0, width=0.8, brightness=0.2)
    rng = generator(5)
    layer = streaks.layer(60, 70, rng)
    reach, again = streaks.reach, generator(5)
    drops = np.zeros((60 + 2 * reach, 70 + 2 * reach), np.float32)
    count = int(again.poisson(0.003 * drops.size))
    places = again.integers(drops.size, size=count)
    np.maximum.at(drops.reshape(-1), places, again.uniform(0.4, 1.0, count).astype(np.float32))
    wanted = ndimage.convolve(drops, streaks.kernel(), mode="constant")[reach:-reach, reach:-reach]
    assert np.allclose(layer, np.clip(0.2 * wanted, 0, 1), atol=1e-5)


@pytest.mark.parametrize("angle", [-30.0, 0.0, 25.0, 60.0])
def test_streaks_have_their_length_and_direction(angle):
    kernel = Streaks(density=0.001, length=40.0, angle=angle, width=0.8, brightness=0.5).kernel()
    assert kernel.max() == pytest.approx(1, abs=0.01)
    middle = kernel.shape[0] // 2
    row, column = np.mgrid[-middle : middle + 1, -middle : middle + 1]
    total = kernel.sum()
    moments = np.array([[(kernel * a * b).sum() / total for a in (row, column)] for b in (row, column)])
    values, vectors = np.linalg.eigh(moments)
    down, right = vectors[:, 1] * np.sign(vectors[0, 1])
    assert np.degrees(np.arctan2(right, down)) == pytest.approx(angle, abs=1.0)
    # A uniform segment has a variance of length squared over 12; its rounded ends add a little.
    assert np.sqrt(12 * values[1]) == pytest.approx(40, rel=0.06)
    assert np.sqrt(values[0]) == pytest.approx(0.8, rel=0.05)


def test_a_crop_is_as_rainy_as_the_whole():
    black = np.zeros((300, 300, 3), np.uint8)
    rain = SyntheticRain(density=(0.001, 0.001), length=(30.0, 30.0), brightness=(0.5, 0.5), width=(0.8, 0.8))
    whole = np.mean([rain(black, generator(seed)).mean() for seed in range(6)])
    crops = [rain.patch(black, 100, 100, 48, generator(seed)).astype(float)[..., 0] for seed in range(150)]
    assert np.mean(crops) == pytest.approx(whole, rel=0.12)
    # Streaks enter from outside: the border is no drier than the middle.
    mean = np.mean(crops, axis=0)
    assert mean[[0, -1]].mean() == pytest.approx(mean[16:32].mean(), rel=0.25)


def test_bad_rain_is_refused():
    with pytest.raises(Refused, match=r"length must be \(low, high\) within 1..200; found \(9.0, 3.0\)"):
        SyntheticRain(length=(9.0, 3.0))


# -- haze -------------------------------------------------------------------------------------------------------


def test_haze_is_the_scattering_model_where_depth_is_constant(tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "a.png")
    (tmp_path / "depth").mkdir()
    Image.fromarray(np.full(photo.shape[:2], 51, np.uint8)).save(tmp_path / "depth" / "a.png")
    haze = SyntheticHaze(tmp_path / "depth", beta=(1.5, 1.5), light=(0.8, 0.8))
    clear = np.exp(-1.5 * 0.2)
    wanted = np.floor(photo * clear + 255 * 0.8 * (1 - clear) + 0.5)
    low = haze.named("a")(photo, generator())
    assert np.abs(low - wanted).max() <= 1
    assert (low == wanted).mean() > 0.999
    item = ImageSet.of(folder(tmp_path), 1, haze).item(0)
    assert np.array_equal(item.lq, low)
    crop = haze.named("a").patch(photo, 9, 20, 32, generator())
    assert np.array_equal(crop, low[9:41, 20:52])


def test_haze_thickens_with_depth_and_ends_in_the_air():
    image = np.full((1, 4, 3), 40, np.uint8)
    depth = np.array([[0.0, 0.3, 1.0, 400.0]], np.float32)
    values = scattered(image, depth, 1.2, 0.9)[0, :, 0]
    assert values[0] == 40
    assert np.all(np.diff(values.astype(int)) > 0)
    assert values[-1] == round(255 * 0.9)


def test_a_crop_of_haze_is_that_of_the_whole(photo):
    haze = SyntheticHaze()
    for seed, (top, left, size) in enumerate([(0, 0, 64), (139, 207, 64), (37, 101, 128), (75, 143, 128), (50, 9, 33)]):
        whole = haze(photo, generator(seed))
        crop = haze.patch(photo, top, left, size, generator(seed))
        assert np.abs(crop.astype(int) - whole[top : top + size, left : left + size]).max() <= 1


def test_made_up_depth_recedes_and_follows_edges():
    image = np.full((240, 320, 3), 60, np.uint8)
    image[:, 150:] = 190
    flat = np.full((5, 5), 0.5)
    depth = Scene(0.0, 1.0, flat).crop(image, 0, 0, 240, 320)
    assert np.all((depth >= 0) & (depth <= 1))
    assert np.all(np.diff(depth[::40, 40]) < 0)
    # Hills change across the image; where the picture has an edge the depth takes it at once.
    hills = np.tile(np.array([0.2, 0.2, 0.5, 0.8, 0.8]), (5, 1))
    steep = Scene(0.0, 0.0, hills)
    step = np.abs(np.diff(steep.crop(image, 120, 0, 1, 320)[0]))
    plain = np.abs(np.diff(steep.crop(np.full_like(image, 60), 120, 0, 1, 320)[0]))
    assert int(step.argmax()) == 149
    assert step.max() > 4 * plain.max()


def test_haze_has_the_strength_of_published_data(photo):
    squares = [np.mean((SyntheticHaze()(photo, generator(s)).astype(float) - photo) ** 2) for s in range(20)]
    values = 10 * np.log10(255**2 / np.array(squares))
    # SOTS lies at about 12 dB indoors and 16 dB outdoors.
    assert 9 < values.mean() < 18
    assert values.std() > 1


def test_depth_maps_of_16_bit_and_those_that_do_not_fit(tmp_path, photo):
    maps = tmp_path / "depth"
    maps.mkdir()
    deep = np.full(photo.shape[:2], 13107, np.uint16)
    Image.fromarray(deep).save(maps / "a.png")
    Image.fromarray(photo[:-1, :, 0]).save(maps / "small.png")
    Image.fromarray(photo).save(maps / "colour.png")
    (maps / "broken.png").write_bytes(b"x")
    haze = SyntheticHaze(maps, beta=(1.0, 1.0), light=(1.0, 1.0))
    shallow = scattered(photo, np.full(photo.shape[:2], 0.2, np.float32), 1.0, 1.0)
    assert np.abs(haze.named("a")(photo, generator()).astype(int) - shallow).max() <= 1
    with pytest.raises(Refused, match="must have its image's size"):
        haze.named("small")(photo, generator())
    with pytest.raises(Refused, match="must be gray, 8 or 16 bit; found pixel type RGB"):
        haze.named("colour")(photo, generator())
    with pytest.raises(Refused, match="cannot be read as a depth map"):
        haze.named("broken")(photo, generator())
    with pytest.raises(Refused, match="holds no depth map for image 'none'; found 4 maps, first a, broken, colour"):
        haze.named("none")
    with pytest.raises(Refused, match="must know its image"):
        haze(photo, generator())
    Image.fromarray(photo).save(tmp_path / "none.png")
    for build in (
        lambda: ImageSet.of(folder(tmp_path), 1, haze),
        lambda: PatchSampler([NamedImage("x", tmp_path / "none.png")], 1, 16, haze, 1),
    ):
        with pytest.raises(Refused, match="holds no depth map for image 'none'"):
            build()
    with pytest.raises(Refused, match="no such folder"):
        SyntheticHaze(tmp_path / "nowhere")


def test_samplers_find_each_photograph_s_depth(tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "a.png")
    ramp = np.linspace(0, 255, photo.shape[0]).astype(np.uint8)[:, None].repeat(photo.shape[1], axis=1)
    (tmp_path / "depth").mkdir()
    Image.fromarray(ramp).save(tmp_path / "depth" / "a.png")
    haze = SyntheticHaze(tmp_path / "depth", beta=(1.0, 1.0), light=(1.0, 1.0))
    whole = haze.named("a")(photo, generator())
    made = PatchSampler(folder(tmp_path).images, 1, 32, haze, 1)
    parts = {whole[y : y + 32, x : x + 32].tobytes() for y in range(172) for x in range(240)}
    sample = made.sample(4)
    upright = [np.rot90(low, turn) for low in (sample.lq, sample.lq[:, ::-1]) for turn in range(4)]
    assert any(np.ascontiguousarray(low).tobytes() in parts for low in upright)


# -- sets under conditions --------------------------------------------------------------------------------------


def test_joined_sets_keep_conditions_and_tell_equal_names_apart(tmp_path, save):
    for name in ("a", "b"):
        save(tmp_path / "clean" / f"{name}.png")
    save(tmp_path / "rain" / "target" / "r.png")
    save(tmp_path / "rain" / "input" / "r.png")
    clean = folder(tmp_path / "clean")
    parts = [ImageSet.of(clean, 1, AddedNoise(s), f"noise {s:g}") for s in (15.0, 50.0)]
    parts.append(ImageSet.of(dataset(tmp_path / "rain", 1), 1, None, "rain"))
    joined = ImageSet.join("all", parts)
    assert joined.names == ("noise 15-a", "noise 15-b", "noise 50-a", "noise 50-b", "r")
    assert joined.conditions["noise 50-a"] == "noise 50"
    assert joined.conditions["r"] == "rain"
    assert [item.condition for item in joined] == ["noise 15", "noise 15", "noise 50", "noise 50", "rain"]
    assert joined.reference
    assert [image.name for image in joined.images] == list(joined.names)
    assert joined.images[0].path == joined.images[2].path
    taken = joined.take(["r", "noise 50-b"])
    assert taken.conditions == {"r": "rain", "noise 50-b": "noise 50"}
    with pytest.raises(Refused, match="found twice: noise 15-a, noise 15-b"):
        ImageSet.join("x", [parts[0], parts[0]])
    real = ImageSet.real("phone", 1, clean.images, "phone")
    with pytest.raises(Refused, match="references or none; 2 of 4 have none, first phone-a, phone-b"):
        ImageSet.join("x", [parts[0], real])
    assert ImageSet.of(clean, 1, AddedNoise(15.0)).conditions == {}


@pytest.mark.parametrize(("height", "width"), [(35, 48), (32, 61), (47, 16), (321, 481)])
def test_the_middle_is_kept_when_cropping_to_16(tmp_path, save, height, width):
    clean = save(tmp_path / "target" / "a.png", height, width)
    rainy = save(tmp_path / "input" / "a.png", height, width)
    item = ImageSet.of(dataset(tmp_path, 1), 1, None, crop=16).item(0)
    rows, columns = height // 16 * 16, width // 16 * 16
    top, left = height % 16 // 2, width % 16 // 2
    assert np.array_equal(item.lq, rainy[top : top + rows, left : left + columns])
    assert item.hq is not None
    assert np.array_equal(item.hq, clean[top : top + rows, left : left + columns])


def test_noise_does_not_change_with_the_crop(tmp_path, save):
    save(tmp_path / "a.png", 37, 50)
    whole, cropped = (ImageSet.of(folder(tmp_path), 1, AddedNoise(25.0), crop=c).item(0).lq for c in (1, 16))
    assert np.array_equal(cropped, whole[2:34, 1:49])


# -- folders ----------------------------------------------------------------------------------------------------


def test_rain_pairs_by_number(tmp_path, save):
    for number in (1, 2, 10):
        save(tmp_path / "gt" / f"norain-{number}.png")
        save(tmp_path / "rainy" / f"rain-{number}.png")
    found = dataset(tmp_path, 1)
    assert found.lq is not None
    assert [(i.name, i.path.name, x.path.name) for i, x in zip(found.images, found.lq, strict=True)] == [
        (f"rain-{n}", f"norain-{n}.png", f"rain-{n}.png") for n in (1, 2, 10)
    ]
    assert "paired by the rule 'rain': rain-1 with norain-1" in found.notes[0]
    assert pairs(tmp_path / "gt", tmp_path / "rainy", 1, match="rain").notes == ()
    with pytest.raises(Refused, match="by 'name'"):
        pairs(tmp_path / "gt", tmp_path / "rainy", 1, match="name")
    save(tmp_path / "rainy" / "rain-11.png")
    with pytest.raises(Refused, match=r"rainy: each image must have one clean twin, by 'rain'.*rain-11\.png \(0 found"):
        pairs(tmp_path / "gt", tmp_path / "rainy", 1, match="rain")


def test_first_published_names_of_rain100l(tmp_path, save):
    for number in ("001", "002"):
        save(tmp_path / "norain" / f"norain-{number}.png")
        save(tmp_path / "rain" / f"norain-{number}x2.png")
    assert [image.name for image in dataset(tmp_path, 1, match="rain").images] == ["norain-001x2", "norain-002x2"]


@pytest.mark.parametrize(
    ("clean", "low"),
    [("GT", "hazy"), ("gt", "hazy"), ("clear", "hazy"), ("original", "synthetic"), ("target", "input")],
)
def test_many_hazy_images_share_a_clean_one(tmp_path, save, clean, low):
    for name in ("0001", "0002"):
        save(tmp_path / clean / f"{name}.png")
    for name in ("0001_0.8_0.2", "0001_1_0.1", "0002_0.9_0.16"):
        save(tmp_path / low / f"{name}.png")
    found = dataset(tmp_path, 1)
    assert [image.name for image in found.images] == ["0001_0.8_0.2", "0001_1_0.1", "0002_0.9_0.16"]
    assert [image.path.stem for image in found.images] == ["0001", "0001", "0002"]
    assert len(ImageSet.of(found, 1, None, "haze")) == 3
    sampler = PatchSampler(found.images, 1, 16, None, 1, lq=found.lq)
    assert {sampler.sample(i).name for i in range(40)} == {image.name for image in found.images}


def test_mismatched_haze_names_both_sides(tmp_path, save):
    save(tmp_path / "clear" / "0001.png")
    save(tmp_path / "clear" / "0009.png")
    for name in ("0001_1", "0002_1", "0003_1", "0004_1", "0005_1"):
        save(tmp_path / "hazy" / f"{name}.png")
    wanted = r"hazy: each image must have one clean image, by 'haze' \(NAME_... for NAME\); 4 of 5 have none or several"
    with pytest.raises(Refused, match=rf"{wanted}, first 0002_1\.png .* 0003_1\.png .* 0004_1\.png \(0 found\)\. "):
        pairs(tmp_path / "clear", tmp_path / "hazy", 1, match="haze")
    for number in range(2, 6):
        (tmp_path / "hazy" / f"000{number}_1.png").unlink()
    assert "1 of 2 clean images have no input" in dataset(tmp_path, 1).notes[1]


def test_a_missing_input_is_not_taken_for_haze(tmp_path, save):
    for name in ("a_1", "a_2", "a"):
        save(tmp_path / "target" / f"{name}.png")
    save(tmp_path / "input" / "a_1.png")
    with pytest.raises(Refused, match="by 'name'"):
        dataset(tmp_path, 1)


def test_two_layouts_at_once_are_refused(tmp_path, save):
    for part in ("input", "target", "gt", "rainy"):
        save(tmp_path / part / "a.png")
    with pytest.raises(Refused, match=r"several layouts fit \(input with target, rainy with gt\)"):
        dataset(tmp_path, 1)


def promptir(root: Path, save) -> None:
    for name in ("x", "y"):
        save(root / "Train" / "Denoise" / f"{name}.png")
        save(root / "test" / "denoise" / "bsd68" / f"{name}.png")
    save(root / "Train" / "Derain" / "gt" / "norain-1.png")
    save(root / "Train" / "Derain" / "rainy" / "rain-1.png")
    save(root / "test" / "derain" / "Rain100L" / "target" / "1.png")
    save(root / "test" / "derain" / "Rain100L" / "input" / "1.png")
    for clean, low in (
        ("Train/Dehaze/original", "Train/Dehaze/synthetic"),
        ("test/dehaze/target", "test/dehaze/input"),
    ):
        save(root / clean / "0025.png")
        for air in ("0.8_0.1", "1_0.2"):
            save(root / low / f"0025_{air}.png")


def test_promptir_folders(tmp_path, save):
    promptir(tmp_path, save)
    train, test = training_tasks(tmp_path / "Train"), evaluation_tasks(tmp_path / "test")
    for tasks in (train, test):
        assert tasks.absent == ()
        assert tasks.denoise is not None
        assert tasks.derain is not None
        assert tasks.dehaze is not None
        assert [len(part.images) for part in (tasks.denoise, tasks.derain, tasks.dehaze)] == [2, 1, 2]
    assert test.denoise is not None
    assert test.derain is not None
    assert test.dehaze is not None
    assert [part.name for part in (test.denoise, test.derain, test.dehaze)] == ["BSD68", "Rain100L", "SOTS"]


def test_promptir_folders_in_part(tmp_path, save):
    save(tmp_path / "Denoise" / "x.png")
    tasks = training_tasks(tmp_path)
    assert tasks.derain is None
    assert len(tasks.absent) == 2
    assert "deraining has no data" in tasks.absent[0]
    save(tmp_path / "Derain" / "gt" / "norain-1.png")
    with pytest.raises(Refused, match=r"Derain: wanted the folders gt and rainy; rainy is missing"):
        training_tasks(tmp_path)
    with pytest.raises(Refused, match=r"wanted at least one of denoise/bsd68.*found Denoise, Derain"):
        evaluation_tasks(tmp_path)
    with pytest.raises(Refused, match="found no such folder"):
        evaluation_tasks(tmp_path / "nowhere")


@pytest.mark.parametrize(("name", "count"), [("SOTS_indoor_part", 13), ("rain_samples_MFDNet", 3)])
def test_given_samples_load_as_pairs(shared_data, name, count):
    found = dataset(shared_data / "bench" / name, 1)
    assert found.lq is not None
    assert len(found.images) == count
    assert found.notes == ()
    item = ImageSet.of(found, 1, None, "haze", crop=16).item(0)
    assert item.hq is not None
    assert item.lq.shape == item.hq.shape
    assert item.lq.shape[0] % 16 == item.lq.shape[1] % 16 == 0
    assert not np.array_equal(item.lq, item.hq)
