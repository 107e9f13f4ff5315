"""Bad input of the three tasks: sets in parts, degradations, checkpoints, baselines, evaluation, export, restoring."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from command_line import Outcome, command, written
from lossagent import assets
from lossagent.checkpoints_data import path
from lossagent.data import read
from lossagent.restorers import build
from tiny import experiment, pictures

pytestmark = pytest.mark.usefixtures("no_assets")

Data = dict[str, Any]
SWINIR = {
    "img_size": 16,
    "window_size": 8,
    "embed_dim": 8,
    "depths": [2],
    "num_heads": [2],
    "upscale": 2,
    "upsampler": "pixelshuffle",
}
PROMPTIR = {"dim": 8, "num_blocks": [1, 1, 1, 1], "num_refinement_blocks": 1, "heads": [1, 1, 2, 2]}
DISCRIMINATOR = {"network": "patch", "arguments": {"channels": 4, "layers": 1, "norm": "spectral"}}


def tiny(root: Path, **changes: Any) -> Data:
    """The tiny experiment with one stage and fixed weights."""
    data = experiment(root, agent={"kind": "fixed"}, **changes)
    data["training"] |= {"stages": 1, "iterations": 2, "warmup": 1}
    return data


def at_one_size(root: Path, degradation: object = None, **changes: Any) -> Data:
    """The tiny experiment at scale 1."""
    data = tiny(root, scale=1, **changes)
    data["restorer"] = {"network": "compact", "arguments": {"scale": 1, "channels": 8, "blocks": 1}}
    data["data"]["degradation"] = degradation or {"kind": "noise", "sigma": 25}
    return data


def assert_run_refused(root: Path, data: Data, *parts: str) -> None:
    """The run is refused with these words, and nothing is written."""
    file = written(data, root)
    before = sorted(root.rglob("*"))
    outcome = command("run", file, "--out", root / "run")
    assert_refused(outcome, *parts)
    assert sorted(root.rglob("*")) == before, "a refused run writes nothing"


def assert_refused(outcome: Outcome, *parts: str) -> None:
    assert outcome.status == 2, outcome
    for part in parts:
        assert part in outcome.err


def folder(root: Path, role: str) -> str:
    return str(root / "data" / role)


# -- sets and their parts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("match", ["name", "rain", "haze", None])
def test_pairs_whose_names_do_not_fit(tmp_path: Path, match: str | None) -> None:
    data = tiny(tmp_path)
    low = pictures(tmp_path / "low", 2, side=24, seed=8)
    data["data"]["feedback"] = {"images": [folder(tmp_path, "feedback")], "low": str(low), "match": match}
    assert_run_refused(
        tmp_path, data, "data.feedback", f"{match or 'name'!r}", "2 of 2 have none or several", "(0 found)"
    )


def with_parts(**second: Any) -> Callable[[Path, Data], None]:
    """The feedback images twice, the second time with other settings."""

    def change(root: Path, data: Data) -> None:
        first = {"images": [folder(root, "feedback")], "condition": "a"}
        data["data"]["feedback"] = [first, first | second]

    return change


def circle(root: Path, data: Data) -> None:
    data["data"]["feedback"] = {"images": [folder(root, "feedback")], "without": ["selection"]}
    data["data"]["selection"] = {"images": [folder(root, "feedback")], "without": ["feedback"]}


def set_of(name: str, role: str, **settings: Any) -> Callable[[Path, Data], None]:
    def change(root: Path, data: Data) -> None:
        place = data["data"]["test"] if name == "test" else data["data"]
        place[name] = {"images": [folder(root, role)]} | settings

    return change


def drawn(root: Path, data: Data) -> None:
    data["data"]["feedback"] = {"images": [folder(root, "feedback")], "count": 1}
    data["data"]["selection"] = {"images": [folder(root, "feedback")], "without": ["feedback"], "count": 2}


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        pytest.param(
            set_of("feedback", "feedback", without=["trian"]),
            ["data.feedback.without", "'trian'", "Did you mean 'train'"],
            id="unknown",
        ),
        pytest.param(
            circle,
            ["data.feedback.without", "circle"],
            id="circle",
        ),
        pytest.param(
            set_of("selection", "feedback", without=["feedback"]),
            ["data.selection.without", "no image is left"],
            id="nothing",
        ),
        pytest.param(
            drawn,
            ["data.selection.count must be at most 1", "found 2"],
            id="count",
        ),
        pytest.param(
            with_parts(),
            ["data.feedback", "found twice: a-p1-0", "conditions of their own"],
            id="twice",
        ),
        pytest.param(
            with_parts(reference=False, condition="b"),
            ["data.feedback", "all images must have references or none"],
            id="mixed",
        ),
        pytest.param(
            with_parts(wieght=2),
            ["data.feedback.1.wieght", "Did you mean 'weight'"],
            id="typo",
        ),
        pytest.param(
            with_parts(condition="a/b"),
            ["data.feedback.1.condition", "a/b"],
            id="condition",
        ),
        pytest.param(
            set_of("train", "train", reference=False),
            ["data.train", "reference: false"],
            id="train",
        ),
        pytest.param(
            set_of("test", "test", crop=32),
            ["data.test.test", "96 x 96", "multiples of 32", "128 x 128"],
            id="crop",
        ),
        pytest.param(
            set_of("test", "test", crop=128, reference=False),
            ["data.test.test", "needs 128 x 128"],
            id="crop-real",
        ),
        pytest.param(
            set_of("test", "gone"),
            ["data.test.test", "no such folder"],
            id="gone",
        ),
    ],
)
def test_sets_that_cannot_be(tmp_path: Path, change: Callable[[Path, Data], None], parts: list[str]) -> None:
    data = tiny(tmp_path)
    change(tmp_path, data)
    assert_run_refused(tmp_path, data, *parts)


# -- degradations -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [{"kind": "noise", "sigma": 25}, "rain", "haze"])
def test_what_keeps_the_size_is_of_no_use_at_scale_4(tmp_path: Path, made: object) -> None:
    data = tiny(tmp_path)
    data["data"]["degradation"] = made
    assert_run_refused(tmp_path, data, "data.train", "at scale 4", "bicubic, bsrgan, real-esrgan", "found degradation")


@pytest.mark.parametrize(
    ("made", "parts"),
    [
        ("bicubic", ["data.train", "at scale 1", "haze, noise, rain", "found degradation bicubic"]),
        ({"kind": "noise", "sigma": 0}, ["data.degradation.sigma", "greater than 0", "found 0"]),
        ("noise", ["data.degradation.sigma", "required"]),
        ("nois", ["data.degradation", "'nois'", "'noise'"]),
        ({"kind": "real-esrgan", "pol": 3}, ["data.degradation.pol", "Did you mean 'pool'"]),
    ],
)
def test_a_degradation_that_is_none(tmp_path: Path, made: object, parts: list[str]) -> None:
    assert_run_refused(tmp_path, at_one_size(tmp_path, made), *parts)


def test_a_depth_map_that_is_missing_or_of_another_size(tmp_path: Path) -> None:
    data = at_one_size(tmp_path, "haze")
    depth = tmp_path / "depth"
    made = {"kind": "haze", "depth": str(depth)}
    data["data"]["train"] = {"images": [folder(tmp_path, "train")], "degradation": made}
    assert_run_refused(tmp_path, data, str(depth), "no such folder")
    depth.mkdir()
    Image.fromarray(np.full((96, 96), 90, np.uint8)).save(depth / "p0-1.png")
    assert_run_refused(tmp_path, data, str(depth), "no depth map for image 'p0-0'", "p0-1")
    for image in (tmp_path / "data" / "train").iterdir():
        Image.fromarray(np.full((40, 96), 90, np.uint8)).save(depth / image.name)
    assert_run_refused(tmp_path, data, str(depth), "40 x 96", "96 x 96")


def on_device(root: Path, pool: int) -> Data:
    data = tiny(root)
    data["data"]["train"] = str(pictures(root / "large", 2, side=198, seed=9))
    data["data"]["degradation"] = {"kind": "real-esrgan", "on_device": True, "pool": pool}
    return data


@pytest.mark.parametrize("pool", [1, 5])
def test_a_pool_that_is_no_multiple_of_the_batch_is_refused_before_training(tmp_path: Path, pool: int) -> None:
    assert_run_refused(
        tmp_path, on_device(tmp_path, pool), "data.degradation.pool", "training.batch (2)", f"found {pool}"
    )


def test_degradation_on_the_device_wants_one_set_of_large_photographs(tmp_path: Path) -> None:
    data = on_device(tmp_path, 4)
    data["data"]["patch"] = 16
    assert_run_refused(tmp_path, data, "data.patch 16 at scale 4", "on_device", "198 x 198", "needs 208 x 208")
    images = [data["data"]["train"]]
    data["data"]["train"] = [{"images": images}, {"images": images}]
    assert_run_refused(tmp_path, data, "data.train", "one set of clean photographs", "found 2 parts")


# -- checkpoints ------------------------------------------------------------------------------------------


def foreign(data: Data, start: object, **more: Any) -> Data:
    return data | {"restorer": {"network": "spandrel", "start": start and str(start)} | more}


def test_a_checkpoint_of_another_scale(tmp_path: Path) -> None:
    data = tiny(tmp_path)
    file = tmp_path / "x2.safetensors"
    save_file(build("swinir", SWINIR).state_dict(), file)
    data["restorer"] = {"network": "swinir", "arguments": SWINIR | {"upscale": 4}, "start": str(file)}
    assert_run_refused(
        tmp_path, data, "restorer", str(file), "do not fit SwinIR", "network for x2", "this one is for x4"
    )
    data["restorer"]["arguments"] = SWINIR
    assert_run_refused(tmp_path, data, "restorer", "scale 4", "Set scale to the network's own")
    pytest.importorskip("spandrel", reason="extra archs is not installed")
    assert_run_refused(tmp_path, foreign(data, file), "restorer.start", str(file), "enlarges by 2", "scale is 4")


def test_a_foreign_network_takes_its_architecture_from_a_file_that_has_one(tmp_path: Path) -> None:
    data = tiny(tmp_path)
    assert_run_refused(tmp_path, foreign(data, None), "restorer", "give start", "found start: null")
    assert_run_refused(tmp_path, foreign(data, "x.pth", arguments={"dim": 4}), "no arguments", "1 argument(s)")
    pytest.importorskip("spandrel", reason="extra archs is not installed")
    assert_run_refused(
        tmp_path, foreign(data, "compact_x4"), "restorer", "no architecture that spandrel knows", "my.module:Net"
    )
    text = tmp_path / "words.pth"
    text.write_text("words")
    assert_run_refused(tmp_path, foreign(data, text), "restorer", str(text), "damaged")


def test_a_foreign_network_for_gray_images(tmp_path: Path, shared_data: Path) -> None:
    pytest.importorskip("spandrel", reason="extra archs is not installed")
    gray = shared_data / "weights" / "dncnn_gray_sigma25.pth"
    assert_run_refused(tmp_path, foreign(tiny(tmp_path), gray), str(gray), "1 channels in and 1 out", "RGB")


def test_a_foreign_network_without_spandrel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "spandrel":
            raise ImportError(name)
        return real(name, *rest)

    for module in [name for name in sys.modules if name.partition(".")[0] == "spandrel"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(builtins, "__import__", absent)
    assert_run_refused(
        tmp_path, foreign(tiny(tmp_path), path("swinir_small_x4")), "spandrel", "pip install 'lossagent[archs]'"
    )


def test_a_name_that_is_nearly_that_of_a_checkpoint(tmp_path: Path) -> None:
    data = tiny(tmp_path)
    data["restorer"]["start"] = "swinir-classical-x4"
    assert_run_refused(tmp_path, data, "restorer", "'swinir-classical-x4'", "Did you mean 'swinir-m-classical-x4'?")
    data = tiny(tmp_path)
    data["losses"]["gan"]["discriminator"]["start"] = "realesrgan-netd"
    assert_run_refused(tmp_path, data, "losses.gan", "'realesrgan-netd'", "Known: ")
    assert_refused(
        command("restore", "promptir_smal", pictures(tmp_path / "low", 1), tmp_path / "out"), "'promptir_small'?"
    )


# -- losses and networks ----------------------------------------------------------------------------------


def gan(kind: str = "vanilla", **discriminator: Any) -> Data:
    return {"kind": "adversarial", "weight": 0.1, "adversarial": kind, "discriminator": DISCRIMINATOR | discriminator}


@pytest.mark.parametrize(
    ("loss", "training", "parts"),
    [
        ({"kind": "ldl", "weight": 1.0}, {"ema": None, "score": "raw"}, ["losses x", "training.ema", "refine: false"]),
        (gan("ragan"), {"accumulate": 2}, ["losses.x", "training.accumulate: 1"]),
        (gan("ragann"), {}, ["losses.x", "'ragann'", "Did you mean 'ragan'"]),
        (gan(network="vgg", arguments={"input_size": 128, "channels": 4}), {}, ["data.patch", "128", "[3, 48, 48]"]),
        (gan(network="vgg", arguments={"input_size": 50}), {}, ["losses.x", "input_size", "found 50"]),
        ({"kind": "ms-ssim", "weight": 1.0}, {}, ["data.patch", "at least 176 px", "48x48"]),
        ({"kind": "l1", "weight": 1.0, "adversarial": "hinge"}, {}, ["losses.x", "takes no option adversarial"]),
    ],
)
def test_losses_that_cannot_work(tmp_path: Path, loss: Data, training: Data, parts: list[str]) -> None:
    data = tiny(tmp_path, losses={"x": loss})
    data["training"] |= training
    assert_run_refused(tmp_path, data, *parts)


def promptir(root: Path, patch: int, multiple: int) -> Data:
    data = at_one_size(root, losses={"l1": {"kind": "l1", "weight": 1.0}})
    data["restorer"] = {"network": "promptir", "arguments": PROMPTIR, "multiple": multiple}
    data["data"]["patch"] = patch
    return data


def test_promptir_wants_multiples_of_8_in_training_and_in_every_set(tmp_path: Path) -> None:
    assert_run_refused(tmp_path, promptir(tmp_path, 20, 1), "data.patch", "multiples of 8", "20x20")
    odd = {"odd": str(pictures(tmp_path / "odd", 1, side=90, seed=5))}
    data = promptir(tmp_path, 16, 1)
    data["data"]["test"] = odd
    assert_run_refused(tmp_path, data, "data.test.odd", "'p5-0'", "90 x 90", "restorer.multiple, found 1")
    data["data"]["test"] = {"odd": {"images": [odd["odd"]], "crop": 16}}
    file = written(data, tmp_path)
    assert command("run", file, "--dry-run").status == 0
    data["data"]["test"], data["restorer"]["multiple"] = odd, 8
    assert command("run", written(data, tmp_path), "--dry-run").status == 0


@pytest.mark.parametrize(
    ("training", "parts"),
    [
        ({"accumulate": 3, "batch": 4}, ["training: batch must divide by accumulate 3; found 4\n"]),
        ({"schedule": {"kind": "cosine", "min": 1}}, ["training.schedule.min", "Did you mean 'minimum'"]),
        ({"schedule": {"kind": "step"}}, ["training.schedule.kind", "'steps'"]),
        ({"schedule": {"kind": "steps", "milestones": [3, 1]}}, ["training.schedule", "must rise", "[3, 1]"]),
        ({"optimizer": "adamw"}, ["weight_decay"]),
        ({"learning_rate": float("inf")}, ["training.learning_rate", "finite", "found inf"]),
    ],
)
def test_training_settings_that_cannot_be(tmp_path: Path, training: Data, parts: list[str]) -> None:
    data = tiny(tmp_path)
    data["training"] |= training
    assert_run_refused(tmp_path, data, *parts)


# -- baselines beside a run -------------------------------------------------------------------------------


def listing(root: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_a_baseline_that_cannot_run_is_told_before_the_run(tmp_path: Path) -> None:
    beside = ["run", written(tiny(tmp_path), tmp_path), "--out", tmp_path / "run", "--beside"]
    assert_refused(command(*beside, "nobody"), "--beside", "fixed or random", "'nobody'")
    assert_refused(command(*beside, "nobody", "--dry-run"), "'nobody'")
    (tmp_path / "run-fixed").mkdir()
    (tmp_path / "run-fixed" / "notes.txt").write_text("mine")
    assert_refused(command(*beside, "fixed"), str(tmp_path / "run-fixed"), "another --out")
    assert not (tmp_path / "run").exists()


def test_a_run_with_a_baseline_is_started_again_and_never_with_other_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lossagent.commands import arms

    words = ["run", written(tiny(tmp_path), tmp_path), "--out", tmp_path / "run", "--beside", "fixed"]
    real, begun = arms.Session.run, list[None]()

    def interrupted(session: Any) -> Any:
        begun.append(None)
        if len(begun) == 2:
            raise KeyboardInterrupt
        return real(session)

    with monkeypatch.context() as patched:
        patched.setattr(arms.Session, "run", interrupted)
        stopped = command(*words)
    assert stopped.status == 3
    assert "lossagent run " in stopped.err
    assert "--beside fixed" in stopped.err
    again = command(*words, "--beside", "fixed")  # said twice it is one baseline
    assert again.status == 0, again.err
    assert "[tiny] stage" not in again.out
    assert "[tiny-fixed] stage" in again.out
    done = listing(tmp_path)
    assert_refused(command(*words, "training.iterations=3"), str(tmp_path / "run"), "other settings")
    assert listing(tmp_path) == done


# -- evaluate ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, x4, with photographs of 90 x 90 beside it."""
    root = tmp_path_factory.mktemp("finished")
    pictures(root / "photos", 2, side=90, seed=5)
    assert command("run", written(tiny(root), root), "--out", root / "run").status == 0
    return root


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["{}/run", "--scale", "3", "--sets", "s={}/photos"], ["'run' is of scale 4", "of scale 3"]),
        (["{}/run@9", "--sets", "s={}/photos"], ["no state '9'", "selected"]),
        (["bicubic", "--metrics", "psnr_y", "--sets", "s:real={}/photos"], ["psnr_y", "--protocol real-sr"]),
        (["bicubic", "--sets", "{}/photos"], ["NAME=FOLDER"]),
        (["bicubic", "--sets", "s:bicubc={}/photos"], ["Did you mean 'bicubic'"]),
        (["bicubic", "--sets", "s:noise25={}/photos"], ["'noise25'", "scale 4"]),
        (["input", "--scale", "1", "--sets", "s:noise0={}/photos"], ["sigma", "found 0"]),
        (["bicubic", "--sets", "s={}/photos,{}/photos"], ["90 x 90", "22 x 22"]),
        (["bicubic", "--sets", "s={}/photos", "--sets", "s={}/photos"], ["found twice"]),
        (["compact_x4", "--tile", "24", "--overlap", "24", "--sets", "s={}/photos"], ["--tile", "--overlap 24"]),
        (["promptir_small", "--tile", "20", "--sets", "s:noise25={}/photos"], ["--tile", "multiple of 8"]),
        (["promptir_small", "compact_x4", "--sets", "s:noise25={}/photos"], ["of scale 4"]),
    ],
)
def test_what_cannot_be_evaluated_writes_nothing(
    finished: Path, tmp_path: Path, words: list[str], parts: list[str]
) -> None:
    filled = [word.replace("{}", str(finished)) for word in words]
    assert_refused(command("evaluate", *filled, "--out", tmp_path / "out"), *parts)
    assert not (tmp_path / "out").exists()


# -- export, restore, prepare, assets ---------------------------------------------------------------------


def test_export_never_writes_over_a_file_and_names_what_is_no_run(finished: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.safetensors"
    mine.write_text("mine")
    assert_refused(command("export", finished / "run", "--out", mine), str(mine), "exists already", "another --out")
    assert mine.read_text() == "mine"
    assert_refused(command("export", finished / "run", "--out", tmp_path), str(tmp_path), "is a folder")
    assert_refused(command("export", tmp_path, "--out", tmp_path / "x.pth"), str(tmp_path), "no run folder")
    assert list(tmp_path.iterdir()) == [mine]


def test_what_is_exported_is_restored_with_by_its_file_alone(finished: Path, tmp_path: Path) -> None:
    file, photos = tmp_path / "net.safetensors", finished / "photos"
    exported = command("export", finished / "run", "--out", file)
    assert exported.status == 0
    assert "spandrel and chaiNNer do not" in exported.out
    done = command("restore", file, photos, tmp_path / "out")
    assert done.status == 0, done.err
    assert command("restore", finished / "run", photos, tmp_path / "same").status == 0
    assert [p.read_bytes() for p in (tmp_path / "out").iterdir()] == [
        (tmp_path / "same" / p.name).read_bytes() for p in (tmp_path / "out").iterdir()
    ]


def test_promptir_restores_images_of_any_size(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, shape in {"a": (37, 51), "b": (5, 7)}.items():
        image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / "in" / f"{name}.png")
    done = command("restore", "promptir_small", tmp_path / "in", tmp_path / "out")
    assert done.status == 0, done.err
    assert [read(tmp_path / "out" / f"{n}.png").shape for n in "ab"] == [(37, 51, 3), (5, 7, 3)]


def test_restore_tells_what_is_wrong_before_the_first_image(tmp_path: Path) -> None:
    photos, out = pictures(tmp_path / "in", 2, side=24), tmp_path / "out"
    (tmp_path / "file").write_text("mine")
    assert_refused(command("restore", "compact_x4", photos, tmp_path / "file"), str(tmp_path / "file"), "OUTPUT")
    assert_refused(command("restore", "compact_x4", photos, tmp_path / "file" / "in"), "file", "cannot be made")
    (photos / "z.png").write_text("words")
    assert_refused(command("restore", "compact_x4", photos, out), "z.png", "cannot be read")
    assert not out.exists()
    assert (tmp_path / "file").read_text() == "mine"


def test_prepare_tells_what_does_not_fit(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    checked = command("prepare", "check", tmp_path / "empty", "--layout", "Rain100L")
    assert checked.status == 2
    assert "found 0 images" in checked.out
    photos = pictures(tmp_path / "photos", 2, side=24)
    none = command("prepare", "tile", photos, "--out", tmp_path / "tiles")
    assert none.status == 1
    assert "no tile was cut" in none.err
    assert "--least" in none.err
    other = command("prepare", "tile", photos, "--out", tmp_path / "tiles", "--size", 320)
    assert_refused(other, "'size': 480", "another folder")


# Those of the package index are left out: its client is another program, which no test may start.
RELEASED = [name for name in assets.ASSETS if "x4" in name or name in {"promptir", "vgg16", "vgg19", "alexnet"}]


@pytest.mark.parametrize("name", RELEASED)
def test_without_a_network_it_is_said_which_file_goes_where(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def off(*arguments: Any, **options: Any) -> None:
        raise OSError("the network is off")

    monkeypatch.setattr(socket, "create_connection", off)
    monkeypatch.setattr(socket, "getaddrinfo", off)
    entry = assets.asset(name)
    assert_refused(
        command("assets", "fetch", name), "the network is off", f"'{name}'", entry.file, f"assets/{entry.file}"
    )
