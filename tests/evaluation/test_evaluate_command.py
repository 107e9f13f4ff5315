"""``lossagent evaluate``: the field's well-known figures, files, refusals, runs with their own test sets."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from command_line import command, written
from lossagent.restorers import CompactSR
from tiny import experiment, pictures


def means(out):
    return json.loads((out / "scores.json").read_text())["means"]


def test_set5_at_scale_4_has_the_known_figures(shared_data, tmp_path):
    out = tmp_path / "out"
    done = command("evaluate", "bicubic", "compact_x4", "--sets", f"Set5={shared_data / 'bench/Set5'}", "--out", out)
    assert done.status == 0, done.err
    found = means(out)["psnr_y"]
    assert found["bicubic"]["sets"]["Set5"] == pytest.approx(28.43, abs=0.005)
    assert found["compact_x4"]["sets"]["Set5"] == pytest.approx(31.06, abs=0.005)
    assert "| compact\\_x4 | **31.06** |" in done.out
    rows = list(csv.DictReader((out / "scores.csv").read_text().splitlines()))
    assert len(rows) == 2 * 5 * 2
    assert {(r["space"], r["border"], r["output"], r["implementation"]) for r in rows} == {
        ("y", "4", "8 bit, rounded", "lossagent")
    }


@pytest.mark.slow
def test_set14_at_scale_4_has_the_known_figures(shared_data, tmp_path):
    out = tmp_path / "out"
    set14 = f"Set14={shared_data / 'bench/Set14'}"
    assert command("evaluate", "bicubic", "compact_x4", "--sets", set14, "--out", out).status == 0
    found = means(out)["psnr_y"]
    assert 26.0 <= found["bicubic"]["average"] <= 26.1
    assert found["compact_x4"]["average"] == pytest.approx(27.93, abs=0.005)


@pytest.mark.slow
def test_craft_through_spandrel_has_the_known_figure(shared_data, tmp_path):
    pytest.importorskip("spandrel")
    out = tmp_path / "out"
    craft, set5 = shared_data / "weights/craft_x4.pth", f"Set5={shared_data / 'bench/Set5'}"
    assert command("evaluate", craft, "--sets", set5, "--metrics", "psnr_y", "--out", out).status == 0
    assert means(out)["psnr_y"]["craft_x4"]["average"] == pytest.approx(32.39, abs=0.005)


@pytest.fixture
def photos(tmp_path):
    return pictures(tmp_path / "photos", 2, side=104)


def test_a_checkpoint_that_says_its_network_and_one_that_is_told(photos, tmp_path):
    network = CompactSR(4, channels=4, blocks=1)
    arguments = {"scale": 4, "channels": 4, "blocks": 1}
    header = {"network": "compact", "arguments": json.dumps(arguments)}
    save_file(network.state_dict(), tmp_path / "says.safetensors", metadata=header)
    save_file(network.state_dict(), tmp_path / "silent.safetensors")
    said = ["evaluate", tmp_path / "says.safetensors", "--sets", f"s={photos}"]
    assert command(*said, "--out", tmp_path / "a").status == 0
    told = ["evaluate", f"mine={tmp_path / 'silent.safetensors'}", "--network", "compact", "--sets", f"s={photos}"]
    done = command(*told, "--arguments", json.dumps(arguments), "--out", tmp_path / "b", "--save-images")
    assert done.status == 0, done.err
    assert means(tmp_path / "a")["psnr_y"]["says"] == means(tmp_path / "b")["psnr_y"]["mine"]
    restored = tmp_path / "b/images/s/mine"
    assert sorted(p.name for p in restored.iterdir()) == ["p0-0.png", "p0-1.png"]
    again = command("evaluate", f"images:{restored}", "--sets", f"s={photos}", "--out", tmp_path / "c")
    assert again.status == 0, again.err
    assert means(tmp_path / "c")["psnr_y"]["mine"] == means(tmp_path / "b")["psnr_y"]["mine"]


def test_tiles_give_what_the_whole_image_gives(photos, tmp_path):
    base = ["evaluate", "compact_x4", "--sets", f"s={photos}", "--metrics", "psnr_y"]
    assert command(*base, "--out", tmp_path / "a").status == 0
    assert command(*base, "--tile", 24, "--overlap", 20, "--out", tmp_path / "b").status == 0
    a, b = (means(tmp_path / n)["psnr_y"]["compact_x4"]["average"] for n in "ab")
    assert a == pytest.approx(b, abs=0.02)  # an overlap of 20 is not the whole receptive field


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "is no run folder, checkpoint file, bicubic"),
        (["bicubic", "bicubic"], "found twice: bicubic"),
        (["input", "compact_x4"], "'input' is of scale 1"),
        (["bicubic", "--scale", "3", "compact_x4"], "'compact_x4' is of scale 4; this evaluation is of scale 3"),
        (["bicubic", "--metrics", "psnry"], "Did you mean 'psnr_y'"),
        (["bicubic", "--metrics", "drift"], "a run's own start"),
        (["bicubic", "--protocol", "classic"], "Did you mean 'classical-sr'"),
        (["bicubic", "--baseline", "lanczos"], "bicubic or input"),
        (["images:nowhere"], "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(photos, tmp_path, arguments, message):
    done = command("evaluate", *arguments, "--sets", f"s={photos}", "--out", tmp_path / "out")
    assert done.status == 2
    assert message in done.err
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_an_unreadable_image_and_no_set_are_refused(photos, tmp_path):
    (tmp_path / "empty").mkdir()
    done = command("evaluate", "bicubic", "--sets", f"s={tmp_path / 'empty'}", "--out", tmp_path / "out")
    assert (done.status, "holds no image" in done.err) == (2, True)
    (photos / "broken.png").write_bytes(b"no image")
    done = command("evaluate", "bicubic", "--sets", f"s={photos}", "--out", tmp_path / "out")
    assert (done.status, "broken.png" in done.err) == (2, True)
    done = command("evaluate", "bicubic", "--out", tmp_path / "out")
    assert (done.status, "--sets NAME=FOLDER" in done.err) == (2, True)


def test_a_run_is_evaluated_on_its_own_test_set_and_marked_by_its_objective(tmp_path):
    settings = experiment(tmp_path)
    settings["training"] |= {"stages": 1, "iterations": 2}
    run = tmp_path / "run"
    assert command("run", written(settings, tmp_path), "--out", run).status == 0
    done = command("evaluate", f"ours={run}@last", f"{run}@start", "--metrics", "psnr_y,ssim_y",
                   "--baseline", "bicubic", "--out", tmp_path / "out")  # fmt: skip
    assert done.status == 0, done.err
    found = json.loads((tmp_path / "out/scores.json").read_text())
    assert list(found["methods"]) == ["bicubic", "ours", "run@start"]
    assert found["methods"]["ours"]["steered_by"] == ["psnr_y"]
    stored = json.loads((run / "evaluation.json").read_text())["sets"]["test"]["rows"]["last"]["scores"]["psnr_y"]
    assert found["means"]["psnr_y"]["ours"]["sets"]["test"] == pytest.approx(np.mean(list(stored.values())))
    assert "ours (psnr\\_y)" in done.out
    assert "†" in done.out


def test_hostile_names_stay_text(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(folder / "a_b&c.png")
    done = command("evaluate", "x_|y=bicubic", "--sets", f"s_1={folder}", "--out", tmp_path / "out")
    assert done.status == 0, done.err
    assert r"x\_\textbar{}y" in (tmp_path / "out/tables.tex").read_text()
