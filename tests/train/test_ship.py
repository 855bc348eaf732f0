"""train/ship.py: how weights get into the package."""

import json
import shutil

import pytest
import torch

from minidiff.files import checkpoint, runs
from minidiff.models import zoo
from minidiff.models.options import options_for
from minidiff.network import registry
from tests.conftest import same
from train.ship import ship


@pytest.fixture
def folder(trained, tmp_path, monkeypatch):
    """A finished run of the class-conditioned model, and an empty folder for shipped weights."""
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path / "weights")
    return shutil.copytree(trained / "runs" / "class" / "001", tmp_path / "run")


def test_shipping_a_run_halves_its_snapshots_and_writes_its_card(folder):
    """The weights differ from the run's by rounding alone; older snapshots of the kind are deleted;
    the guidance that the run was measured with becomes the model's default."""
    zoo.WEIGHTS.mkdir()
    (zoo.WEIGHTS / "class-epoch-100.pt").touch()
    assert zoo.snapshots("class")[-1].name == "class-epoch-100.pt"
    (folder / "evaluation.json").write_text(
        '{"kind": "class", "accuracy": 0.5, "gamma": 2.5, "guide_until": 0.4}'
    )
    made = ship(folder)
    assert [p.name for p in made] == ["class-epoch-01.pt", "class-epoch-02.pt", "class.json"]
    assert zoo.snapshots("class") == made[:2]
    full, half = checkpoint.load(folder / "weights-epoch-02.pt"), checkpoint.load(made[1])
    for name, w in half["weights"].items():
        assert torch.allclose(w.float(), full["weights"][name].float(), rtol=2**-10, atol=1e-6)
    assert same(registry.rebuild(half).state_dict(), {
        k: w.float() if w.is_floating_point() else w for k, w in half["weights"].items()
    })
    card = json.loads(made[2].read_text())
    assert card["measures"]["accuracy"] == 0.5
    assert half["guidance"] == {"gamma": 2.5, "guide_until": 0.4}
    assert half["model"] == full["model"] and half["model"]["schedule"] == "linear"
    model = zoo.load_model(str(made[1]))
    assert options_for(model).gamma == 2.5 and options_for(model, gamma=1.0).gamma == 1
    assert card["config"]["seed"] == 0 and card["seconds"] >= 0
    assert zoo.loss_curves("class")["every so many records"][0] == [3, 6]


def test_an_unfinished_or_unmeasured_run_is_not_shipped(folder, tmp_path):
    """Nothing is overwritten by an incomplete training, or by a run that was measured as
    another kind."""
    with pytest.raises(ValueError, match="no finished training"):
        ship(tmp_path)
    for measures in (None, '{"kind": "uncond"}'):
        if measures:
            (folder / "evaluation.json").write_text(measures)
        with pytest.raises(ValueError, match="make evaluate"):
            ship(folder)
    assert not zoo.WEIGHTS.exists()


def test_the_card_counts_the_seconds_without_a_pause():
    """100 steps of 8 images at 80 a second take ten seconds, whatever one record says."""
    rows = [{"step": k, "images_per_second": 80.0} for k in range(10, 101, 10)]
    rows[4]["images_per_second"] = 0.5
    assert runs.seconds(rows, 8) == pytest.approx(10)
