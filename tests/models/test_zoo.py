"""shipped.py: the weights in the project, how they got there, and that they can draw."""

import json

import pytest
import torch

import sample.class_cond
from minidiff.files import checkpoint, runs
from minidiff.models import (
    generate,
    zoo,  # CHECK shipped
)
from minidiff.models.options import SampleOptions
from minidiff.network import registry
from sample.generate import guidance_for
from tests.conftest import same
from train import ship

KINDS = ("denoiser", "uncond", "class", "classifier", "flow")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_shipped_in_half_precision_with_its_card(kind):
    """Two marks, float16, read without trust; the card tells recipe, data, hardware and loss."""
    card = zoo.card(kind)
    found = [checkpoint.load(file) for file in zoo.snapshots(kind)]
    assert [f["epoch"] for f in found] == [card["config"]["early_epoch"], card["config"]["epochs"]]
    for content in found:
        assert content["kind"] == kind and content["dataset"] == "mnist" == card["dataset"]
        assert content["config"] == card["config"] and "training" not in content
        kinds = {w.dtype for w in content["weights"].values() if w.is_floating_point()}
        assert kinds == {torch.float16}
        network = registry.rebuild(content)
        assert {p.dtype for p in network.parameters()} == {torch.float32} and not network.training
    assert card["seconds"] > 60 and card["hardware"] and card["measures"]
    losses = card["loss"]["loss"]
    assert losses[-1] < losses[0] / 2


def test_all_of_it_is_small():
    """Under 25 MB."""
    assert sum(p.stat().st_size for p in zoo.WEIGHTS.iterdir()) < 25e6


def test_the_shipped_models_draw_what_they_are_asked_for(workplace):
    """60 digits of the class-conditioned model at its default setting, read by the shipped judge:
    at most two wrong (the measured rate would give less than one)."""
    model = zoo.load_model("class")
    judge = registry.rebuild(zoo.load_kind("classifier"))
    labels = torch.arange(60) % 10
    how, guidance = SampleOptions(), guidance_for(model, {})
    prompts = [str(k) for k in labels.tolist()]
    options = {**how.options(model), **guidance.options()}
    for state in generate.generate(model, prompts, how.steps, 0, **options):
        x = state.x_t
    with torch.no_grad():
        assert (judge(x).argmax(1) == labels).sum() >= 58


def test_an_own_run_comes_before_the_shipped_weights_and_which_it_is_is_told(
    workplace, trained, monkeypatch, capsys
):
    """In an empty folder: shipped. Beside a run: the run."""
    words = ["--per-digit", "1", "--steps", "2", "--device", "cpu"]
    sample.class_cond.main(words)
    assert "shipped with the project, class-epoch" in capsys.readouterr().out
    monkeypatch.chdir(trained)
    sample.class_cond.main(["--steps", "2", "--device", "cpu", "--per-digit", "1"])
    assert "weights: runs/class/001/last.pt" in capsys.readouterr().out


def test_shipping_a_run_halves_its_marks_and_writes_its_card(trained, tmp_path, monkeypatch):
    """The weights differ from the run's by rounding alone; old marks of the kind are gone."""
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path / "weights")
    folder = trained / "runs" / "class" / "001"
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "class-epoch-100.pt").touch()
    assert zoo.snapshots("class")[-1].name == "class-epoch-100.pt"
    (folder / "evaluation.json").write_text(
        '{"kind": "class", "accuracy": 0.5, "gamma": 2.5, "guide_until": 0.4}'
    )
    made = ship.ship(folder)
    assert [p.name for p in made] == ["class-epoch-01.pt", "class-epoch-02.pt", "class.json"]
    assert zoo.snapshots("class") == made[:2]
    full = checkpoint.load(folder / "weights-epoch-02.pt")
    half = checkpoint.load(made[1])
    for name, w in half["weights"].items():
        assert torch.allclose(w.float(), full["weights"][name].float(), rtol=2**-10, atol=1e-6)
    assert same(registry.rebuild(half).state_dict(), {
        k: w.float() if w.is_floating_point() else w for k, w in half["weights"].items()
    })
    card = json.loads(made[2].read_text())
    assert card["measures"]["accuracy"] == 0.5
    assert half["guidance"] == {"gamma": 2.5, "guide_until": 0.4}
    model = zoo.load_model(str(made[1]))
    assert guidance_for(model, {}).gamma == 2.5 and guidance_for(model, {"gamma": 1.0}).gamma == 1
    assert card["config"]["seed"] == 0 and card["seconds"] >= 0
    assert zoo.loss_curves("class")["every so many records"][0] == [3, 6]


def test_an_unfinished_or_unmeasured_run_is_not_shipped(trained, tmp_path, monkeypatch):
    """Nothing is overwritten by half a training."""
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path / "weights")
    with pytest.raises(ValueError, match="no finished training"):
        ship.ship(tmp_path)
    for measures in (None, '{"kind": "class"}'):
        if measures:
            (trained / "runs" / "uncond" / "001" / "evaluation.json").write_text(measures)
        with pytest.raises(ValueError, match="make evaluate"):
            ship.ship(trained / "runs" / "uncond" / "001")
    assert not (tmp_path / "weights").exists()
    with pytest.raises(ValueError, match="no class weights are shipped"):
        zoo.card("class")


def test_seconds_are_not_fooled_by_a_pause():
    """100 steps of 8 pictures at 80 a second: ten seconds, whatever one record says."""
    rows = [{"step": k, "images_per_second": 80.0} for k in range(10, 101, 10)]
    rows[4]["images_per_second"] = 0.5
    assert runs.seconds(rows, 8) == pytest.approx(10)


def test_bfloat16_stays_near_float32():
    """The shipped model's guess in bfloat16 lies within 2% of float32's at every level, root mean
    square, and is float32 again. It is off by more than float32's rounding: the flag arrives."""
    file = str(zoo.snapshots("class")[-1])
    exact, rough = (zoo.load_model(file, "cpu", p) for p in ("float32", "bfloat16"))
    cond = exact.embed(list("0123456789"))
    for t in (300, 150, 20):
        x = torch.randn(10, 1, 28, 28, generator=torch.Generator().manual_seed(t))
        a, b = (m(x, torch.full((10,), t), cond) for m in (exact, rough))
        off = (a - b).square().mean().sqrt() / a.square().mean().sqrt()
        assert b.dtype == torch.float32 and 5e-4 < off < 0.02


def test_a_loaded_model_answers_as_the_network_in_its_file():
    """Folded and put into another memory format, the shipped model is still the one in its file."""
    file = zoo.snapshots("class")[-1]
    network, model = registry.rebuild(checkpoint.load(file)), zoo.load_model(str(file))
    x, t = torch.randn(10, 1, 28, 28), torch.arange(1, 11) * 30
    a, b = network(x, t / 300, torch.eye(10)), model(x, t, torch.eye(10))
    assert (a - b).abs().max() < 1e-5 * a.abs().max()
