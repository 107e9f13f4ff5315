"""The built-in trainer keeps the rules that make runs honest."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from lossagent.build import build
from lossagent.errors import Diverged, Interrupted, Refused
from lossagent.experiment import Experiment, parse
from lossagent.losses import L1, MSE, Adversarial
from lossagent.restorers import build as build_network
from lossagent.restorers import build_discriminator
from lossagent.runs import canonical, read_events, read_trajectory
from lossagent.session import Session
from lossagent.training import checkpoints
from lossagent.training.randomness import seed_everything, window
from lossagent.weights import Weights
from tiny import experiment, pictures

pytestmark = pytest.mark.usefixtures("no_assets")
NIQE = {"metric": "niqe", "direction": "lower", "unit": 0.1}


def run(experiment: Experiment, folder: Path) -> Session:
    session = Session.start(experiment, folder)
    session.run()
    return session


def fixed(root: Path, **training: object) -> Experiment:
    data = experiment(root, agent={"kind": "fixed"})
    data["training"] |= training
    return parse(data)


def restorer_at(folder: Path, state: int) -> dict[str, torch.Tensor]:
    tensors, _ = checkpoints.load(folder / "checkpoints" / f"state-{state:04d}")
    return tensors["restorer"]


def test_a_fixed_agent_equals_plain_training_bit_for_bit(tmp_path: Path) -> None:
    chosen = fixed(tmp_path)
    run(chosen, tmp_path / "run")
    # The same thing, written out by hand.
    parts = build(chosen)
    torch.manual_seed(chosen.seed * 1000 + 2)
    discriminator = build_discriminator("patch", {"channels": 4, "layers": 1, "norm": "spectral"})
    torch.manual_seed(chosen.seed)
    net = build_network("compact", {"scale": 4, "channels": 8, "blocks": 1})
    net.to(memory_format=torch.channels_last)
    discriminator.to(memory_format=torch.channels_last)
    l1, mse, gan = L1(), MSE(), Adversarial(discriminator)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.9, 0.99), fused=True)
    other = torch.optim.Adam(discriminator.parameters(), lr=1e-4, betas=(0.9, 0.99), fused=True)
    net.train()
    discriminator.train()

    def judge(restored: torch.Tensor, target: torch.Tensor) -> None:
        other.zero_grad()
        gan.discriminator_loss(restored.detach(), target).backward()
        other.step()

    for depth in range(chosen.training.stages + 1):
        for i in range(chosen.training.warmup if depth == 0 else chosen.training.iterations):
            seed_everything(chosen.seed, window(depth, 0), i)
            batch = parts.sampler.batch(window(depth, 0), i, 2)
            low = batch.lq.to(memory_format=torch.channels_last)
            high = batch.hq.to(memory_format=torch.channels_last)
            restored = net(low)
            if depth > 0:
                optimizer.zero_grad()
                (1.0 * l1(restored, high) + 0.5 * mse(restored, high) + 0.1 * gan(restored, high)).backward()
                optimizer.step()
            judge(restored, high)
    ours, theirs = restorer_at(tmp_path / "run", 3), net.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_siblings_share_their_data_and_a_replayed_path_gives_the_same_checkpoint(tmp_path: Path) -> None:
    chosen = parse(experiment(tmp_path))
    first = run(chosen, tmp_path / "a")
    again = run(chosen, tmp_path / "b")
    assert [canonical(s) for s in first.steering.trajectory.states] == [
        canonical(s) for s in again.steering.trajectory.states
    ]
    other = run(parse(experiment(tmp_path, agent={"kind": "fixed"})), tmp_path / "c")
    # S_0 and the first stage, under the same initial weights, do not depend on the agent.
    for state in (0, 1):
        ours, theirs = first.steering.trajectory.states[state], other.steering.trajectory.states[state]
        assert ours.report is not None
        assert theirs.report is not None
        assert ours.report.checkpoint == theirs.report.checkpoint


def test_measuring_changes_nothing(tmp_path: Path) -> None:
    with_evidence = run(fixed(tmp_path, evidence_batches=2), tmp_path / "a")
    without = run(fixed(tmp_path, evidence_batches=0), tmp_path / "b")
    pairs = zip(with_evidence.steering.trajectory.states, without.steering.trajectory.states, strict=True)
    assert all(a.report and b.report and a.report.checkpoint == b.report.checkpoint for a, b in pairs)


def test_a_loss_that_is_off_is_still_measured_once_a_stage(tmp_path: Path) -> None:
    data = experiment(tmp_path, agent={"kind": "fixed"})
    data["losses"]["mse"]["weight"] = 0
    session = run(parse(data), tmp_path / "run")
    report = session.steering.trajectory.states[1].report
    assert report is not None
    assert "mse" not in report.losses
    assert report.evidence.raw["mse"] > 0
    assert report.evidence.shares(session.steering.trajectory.weights_at(1))["mse"] == 0


def test_every_iteration_counts_in_the_budget(tmp_path: Path) -> None:
    session = run(parse(experiment(tmp_path)), tmp_path / "run")
    assert session.steering.trajectory.iterations == 3 + 3 * 6


def test_an_interrupted_stage_goes_on_from_its_rolling_checkpoint(tmp_path: Path) -> None:
    chosen = parse(experiment(tmp_path))
    whole = run(chosen, tmp_path / "whole")
    session = Session.start(chosen, tmp_path / "part")

    def stop(stage: object, done: int, total: int) -> None:
        if getattr(stage, "state", 0) == 2 and done == 3:
            session.stop.requested = True

    session.trainer.progress = stop
    with pytest.raises(KeyboardInterrupt, match="iteration"):
        session.run()
    assert (tmp_path / "part" / "checkpoints" / "partial").exists()
    resumed = Session.resume(tmp_path / "part")
    resumed.run()
    assert [canonical(s) for s in resumed.steering.trajectory.states] == [
        canonical(s) for s in whole.steering.trajectory.states
    ]

    def rows(folder: Path) -> list[str]:
        return [line.split('"images_per_second"')[0] for line in (folder / "losses.jsonl").read_text().splitlines()]

    assert rows(tmp_path / "part") == rows(tmp_path / "whole")


def test_a_damaged_rolling_checkpoint_is_said_and_the_stage_begins_anew(tmp_path: Path) -> None:
    chosen = parse(experiment(tmp_path))
    whole = run(chosen, tmp_path / "whole")
    session = Session.start(chosen, tmp_path / "part")

    def stop(stage: object, done: int, total: int) -> None:
        session.stop.requested = getattr(stage, "state", 0) == 2 and done >= 3

    session.trainer.progress = stop
    with pytest.raises(KeyboardInterrupt):
        session.run()
    file = tmp_path / "part" / "checkpoints" / "partial" / "restorer.safetensors"
    file.write_bytes(file.read_bytes()[:-7])
    resumed = Session.resume(tmp_path / "part")
    resumed.run()
    assert any("damaged" in e.model_dump_json() for e in read_events(tmp_path / "part"))
    assert resumed.steering.trajectory.last.report is not None
    assert whole.steering.trajectory.last.report is not None
    assert resumed.steering.trajectory.last.report.checkpoint == whole.steering.trajectory.last.report.checkpoint


def test_pruned_states_are_not_restorable_and_the_best_last_and_start_stay(tmp_path: Path) -> None:
    data = experiment(tmp_path, agent={"kind": "random"})
    data["training"] |= {"stages": 5, "keep": 1}
    session = run(parse(data), tmp_path / "run")
    trajectory = session.steering.trajectory
    kept = {s.id for s in trajectory.states if s.restorable}
    assert {0, 5, session.steering.best().id} <= kept
    assert len(kept) < 6
    on_disk = {int(p.name[-4:]) for p in (tmp_path / "run" / "checkpoints").glob("state-*")}
    assert on_disk == kept


def test_a_discriminator_that_rested_is_warmed_up_on_return(tmp_path: Path) -> None:
    data = experiment(tmp_path, agent={"kind": "fixed"})
    data["training"]["idle_discriminator"] = "warmup"
    data["losses"]["gan"]["weight"] = 0
    session = run(parse(data), tmp_path / "run")
    states = session.steering.trajectory.states
    assert [s.report.iterations for s in states if s.report] == [3, 6, 6, 6]
    # The same trainer, a loss that returns: its discriminator trains alone first, and that counts.
    tensors = restorer_discriminator(tmp_path / "run", 0)
    later = restorer_discriminator(tmp_path / "run", 3)
    assert all(torch.equal(tensors[n], later[n]) for n in tensors)


def restorer_discriminator(folder: Path, state: int) -> dict[str, torch.Tensor]:
    tensors, _ = checkpoints.load(folder / "checkpoints" / f"state-{state:04d}")
    return tensors["discriminator-gan"]


def test_a_non_finite_gradient_skips_the_step_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = fixed(tmp_path)
    calls = iter(range(10_000))

    def faulty(self: L1, restored: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        value = (restored - target).abs().mean()
        return value * float("nan") if torch.is_grad_enabled() and next(calls) == 4 else value

    monkeypatch.setattr(L1, "forward" if hasattr(L1, "forward") else "__call__", faulty)
    session = run(chosen, tmp_path / "run")
    warned = [e.model_dump_json() for e in read_events(tmp_path / "run") if e.kind == "warned"]
    assert any("raw/l1" in text and "images p0-" in text for text in warned)
    assert sum(s.report.skipped for s in session.steering.trajectory.states if s.report) == 1
    assert all(torch.isfinite(t).all() for t in restorer_at(tmp_path / "run", 3).values())


def test_bf16_trains_and_stays_finite(tmp_path: Path) -> None:
    run(fixed(tmp_path, precision="bf16"), tmp_path / "run")
    assert all(torch.isfinite(t).all() for t in restorer_at(tmp_path / "run", 3).values())


def test_the_last_and_the_selected_state_are_evaluated_beside_the_start(tmp_path: Path) -> None:
    import json

    run(parse(experiment(tmp_path)), tmp_path / "run")
    sets = json.loads((tmp_path / "run" / "evaluation.json").read_text())["sets"]
    assert list(sets) == ["feedback", "selection", "test"]
    assert set(sets["test"]["rows"]) >= {"start", "selected", "last", "correlated-noise control"}
    finished = read_trajectory(tmp_path / "run").finished
    assert finished is not None
    assert sets["test"]["rows"]["selected"]["state"] == finished.selected
    shutil.rmtree(tmp_path / "run")


def test_weights_that_are_off_keep_their_magnitude_on_the_way_to_disk(tmp_path: Path) -> None:
    weights = Weights.of({"l1": 1.0, "gan": 0.0}, keep=Weights.of({"l1": 1.0, "gan": 0.3}))
    assert Weights.model_validate_json(weights.model_dump_json()) == weights
    assert weights["gan"] == 0
    assert weights.magnitudes["gan"] == 0.3


def test_a_non_finite_discriminator_loss_is_counted_and_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(self: Adversarial, restored: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.discriminator(target).mean() * float("nan")

    monkeypatch.setattr(Adversarial, "discriminator_loss", faulty)
    with pytest.raises(Diverged, match="discriminator/gan"):
        run(fixed(tmp_path, max_skipped=2), tmp_path / "run")


def test_lost_images_of_a_trained_state_are_restored_again(tmp_path: Path) -> None:
    chosen = parse(experiment(tmp_path))
    whole = run(chosen, tmp_path / "whole")
    session = Session.start(chosen, tmp_path / "part")

    def fail(restored: object, situation: object) -> None:
        raise KeyboardInterrupt

    session.steering.objective = fail
    with pytest.raises(KeyboardInterrupt):
        session.run()
    shutil.rmtree(tmp_path / "part" / "images" / "state-0000")
    resumed = Session.resume(tmp_path / "part")
    resumed.run()
    assert [canonical(s) for s in resumed.steering.trajectory.states] == [
        canonical(s) for s in whole.steering.trajectory.states
    ]
    assert any("restored again" in e.text for e in read_events(tmp_path / "part") if e.kind == "warned")


def test_a_signal_in_the_last_iteration_of_a_stage_stops_the_run_after_the_stage(tmp_path: Path) -> None:
    session = Session.start(parse(experiment(tmp_path)), tmp_path / "run")

    def stop(stage: object, done: int, total: int) -> None:
        session.stop.requested |= getattr(stage, "state", 0) == 1 and done == total

    session.trainer.progress = stop
    with pytest.raises(Interrupted, match="end of state-0001"):
        session.run()
    assert read_trajectory(tmp_path / "run").states[1].report is not None
    assert read_trajectory(tmp_path / "run").states[1].feedback is None


def test_a_run_goes_on_from_another_directory_but_not_with_other_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = experiment(tmp_path)
    for images in ("train", "feedback", "selection"):
        data["data"][images] = f"data/{images}"
    monkeypatch.chdir(tmp_path)
    session = Session.start(parse(data), Path("run"))
    session.folder.close()
    monkeypatch.chdir("/")
    Session.resume(tmp_path / "run").folder.close()
    one, other, *_ = sorted((tmp_path / "data" / "train").glob("*.png"))
    shutil.copy(one, other)
    with pytest.raises(Refused, match=r"image set 'train' is not what the run began with"):
        Session.resume(tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": 2}, "scale"),
        ({"goal": {"wish": "no plastic skin"}, "tolerance": {}}, "proxy metric"),
        (
            {"goal": {"targets": [{"metric": "niqe", "direction": "lower", "unit": 0.1}]}, "tolerance": {}},
            "at least 96",
        ),
        ({"tolerance": {"nique": 0.1}}, "nique"),
        ({"bounds": {"frozen": ["l3"]}}, "l3"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    data = experiment(tmp_path) | changes
    if message == "at least 96":
        shutil.rmtree(tmp_path / "data" / "test")
        pictures(tmp_path / "data" / "test", 1, side=72, seed=9)
    with pytest.raises(Refused, match=message):
        Session.start(parse(data), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_selection_set_that_cannot_measure_the_goal_is_refused(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    data["data"]["selection"] = {"images": [str(tmp_path / "data" / "selection")], "reference": False}
    with pytest.raises(Refused, match="no checkpoint could be chosen"):
        Session.start(parse(data), tmp_path / "run")


def test_a_folder_in_which_a_run_was_never_begun_can_be_used(tmp_path: Path) -> None:
    for part in ("exchanges", "images", "checkpoints", "mailbox"):
        (tmp_path / "run" / part).mkdir(parents=True)
    (tmp_path / "run" / "lease").touch()
    Session.start(parse(experiment(tmp_path)), tmp_path / "run").folder.close()
    assert (tmp_path / "run" / "experiment.yaml").exists()
