"""models/zoo.py: how a name becomes a model, and the weights that ship with the project."""

import pytest
import torch

import sample.class_cond
from minidiff.data import catalog
from minidiff.data.doodles import scenes
from minidiff.evaluation import judge as judging
from minidiff.files import checkpoint, runs
from minidiff.models import zoo
from minidiff.models.flow_model import FlowModel
from minidiff.models.generate import generate
from minidiff.models.model import UNGUIDED
from minidiff.models.options import options_for
from minidiff.network import registry
from minidiff.theory.schedule import linear
from tests.models.conftest import stored

KINDS = ("denoiser", "uncond", "class", "classifier", "flow")


@pytest.mark.parametrize("place", ["uncond", "runs/uncond/002", "runs/uncond/002/last.pt"])
def test_a_kind_a_folder_and_a_file_all_name_the_same_model(workplace, place):
    """A kind means its newest run. The model is in eval mode, with the file's weights."""
    stored(runs.RUNS / "uncond" / "001" / runs.LAST, seed=1)
    network = stored(runs.RUNS / "uncond" / "002" / runs.LAST, seed=2)
    model = zoo.load_model(place)
    assert not model.network.training and model.schedule.T == 50
    assert torch.equal(model.network.time1[0].weight, network.time1[0].weight)
    assert model.kind == "uncond" and "strokes" in model.summary and model.file.name == runs.LAST


def test_a_model_of_another_kind_is_refused(workplace):
    """A denoiser cannot be sampled from: it has no time."""
    stored(workplace / "d.pt", kind="denoiser", config={"sigma": 0.5})
    with pytest.raises(ValueError, match="holds a 'denoiser' model, but 'uncond' or 'class'"):
        zoo.load_model("d.pt")
    with pytest.raises(ValueError, match="holds a 'denoiser' model, but 'class' is needed"):
        zoo.load_kind("class", "d.pt")


@pytest.mark.parametrize("kind", zoo.FLOWS)
def test_the_kind_decides_that_a_model_is_a_flow(workplace, kind):
    """Of either kind."""
    stored(runs.RUNS / kind / "001" / runs.LAST, kind=kind)
    assert isinstance(zoo.load_model(kind), FlowModel)


def test_an_older_checkpoint_is_read_as_what_it_was(workplace):
    """Without the entry "model": T from the recipe, the linear schedule, digits in [0, 1]."""
    stored(workplace / "old.pt", kind="class", classes=10)
    model = zoo.load_model("old.pt")
    assert torch.equal(model.schedule.alpha_bar, linear(50).alpha_bar)
    assert model.data_range == (0.0, 1.0) and model.embed(["7"])[0].argmax() == 7


def test_a_checkpoint_without_T_is_refused(workplace):
    """An older one whose recipe has no T."""
    stored(workplace / "no-T.pt", config={})
    with pytest.raises(ValueError, match="no-T.pt does not say how many steps T"):
        zoo.load_model("no-T.pt")


def test_without_a_run_the_last_shipped_snapshot_is_used(workplace, monkeypatch):
    """Without either, the message names the target."""
    monkeypatch.setattr(zoo, "WEIGHTS", workplace)
    with pytest.raises(ValueError, match="make train-uncond"):
        zoo.find("uncond")
    for epoch in (1, 12):
        stored(workplace / f"uncond-epoch-{epoch:02d}.pt", epoch=epoch)
    assert zoo.find("uncond").name == "uncond-epoch-12.pt"
    assert "shipped" in zoo.origin(zoo.find("uncond"))
    stored(runs.RUNS / "uncond" / "001" / runs.LAST)
    assert zoo.find("uncond") == runs.RUNS / "uncond" / "001" / runs.LAST
    assert "001" in zoo.origin(zoo.find("uncond"))
    assert zoo.find("class", "uncond") == zoo.find("uncond")  # a kind is a place, too


@pytest.mark.parametrize(("kind", "classes", "more", "expected"), [
    ("class", 10, {}, {}),
    ("class", 10, {"guidance": {"gamma": 1.5, "guide_until": 0.2}},
     {"gamma": 1.5, "guide_until": 0.2}),
    ("uncond", 0, {}, UNGUIDED),
    ("flow", 10, {}, FlowModel.defaults),
    ("flow-uncond", 0, {}, {"steps": 50, **UNGUIDED}),
])
def test_the_defaults_are_known_without_the_model(workplace, kind, classes, more, expected):
    """What `defaults_of` reads from the file are the loaded model's defaults: those of its kind,
    then the guidance that the file brings."""
    stored(workplace / "m.pt", kind=kind, classes=classes, **more)
    assert zoo.defaults_of("class", "m.pt") == zoo.load_model("m.pt").defaults == expected


def test_deepfloyds_defaults_are_known_without_its_packages():
    """They are plain numbers and names."""
    found = zoo.defaults_of("class", "deepfloyd")
    assert found["steps"] == 100 and found["variance"] == "learned" and found["gamma"] == 7.0


@pytest.mark.parametrize("name, data", [
    *((kind, "mnist") for kind in KINDS), ("doodles", "doodles"),
    ("doodles-upsampler", "doodles"), ("classifier-doodles", "doodles"),
])
def test_every_kind_is_shipped_in_half_precision_with_its_card(name, data):
    """Two snapshots, float16, read without trust; the card has recipe, data, hardware and loss."""
    card, kind = zoo.card(name), name.removesuffix("-doodles")
    found = [checkpoint.load(file) for file in zoo.snapshots(name)]
    assert [f["epoch"] for f in found] == [card["config"]["early_epoch"], card["config"]["epochs"]]
    for content in found:
        assert content["kind"] == kind and content["dataset"] == data == card["dataset"]
        assert content["config"] == card["config"] and "training" not in content
        kinds = {w.dtype for w in content["weights"].values() if w.is_floating_point()}
        assert kinds == {torch.float16}
        network = registry.rebuild(content)
        assert {p.dtype for p in network.parameters()} == {torch.float32} and not network.training
    assert card["seconds"] > 60 and card["hardware"] and card["measures"]
    losses = card["loss"]["loss"]
    assert losses[-1] < losses[0] / 2


def test_all_shipped_weights_are_small():
    """Under 25 MB in total."""
    assert sum(p.stat().st_size for p in zoo.WEIGHTS.iterdir()) < 25e6


def test_the_mean_loss_of_an_epoch_is_drawn_at_its_last_step():
    """As in `runs.loss_curves`: eight epochs of equal length end in eighths, the last one at the
    last step of the log; the first not at step 0."""
    card, curves = zoo.card("class"), zoo.loss_curves("class")
    ends, means = curves["mean of the epoch"]
    steps, losses = curves["every so many records"]
    assert means == card["epochs_loss"] and len(means) == card["config"]["epochs"] == 8
    assert ends == [steps[-1] * k / 8 for k in range(1, 9)]
    assert (steps, losses) == (card["loss"]["step"], card["loss"]["loss"])


def test_a_kind_that_is_not_shipped_has_no_card(workplace, monkeypatch):
    """The message names the kind."""
    monkeypatch.setattr(zoo, "WEIGHTS", workplace)
    with pytest.raises(ValueError, match="no class weights are shipped"):
        zoo.card("class")


def test_the_shipped_model_generates_the_digits_of_its_prompts(workplace):
    """Of 60 digits with the default options the shipped judge reads at most two as another digit
    (the measured rate would give less than one)."""
    model = zoo.load_model("class")
    judge = registry.rebuild(zoo.load_kind("classifier"))
    labels, options = torch.arange(60) % 10, options_for(model)
    prompts = [str(k) for k in labels.tolist()]
    *_, last = generate(model, prompts, steps=options.steps, seed=options.seed,
                        **options.guidance, **options.sampling(model))
    with torch.no_grad():
        assert (judge(last.x_t).argmax(1) == labels).sum() >= 58


def test_the_shipped_doodles_show_what_the_sentences_say(workplace):
    """Of 40 images, in every colour and medium, with the default options, the shipped judge reads
    at most four otherwise than asked (the measured rates would give less than two)."""
    subjects = ("dog", "man wearing a hat", "eye", "skull", "pencil")
    prompts = [scenes.caption(subject, medium, colour) for subject in subjects
               for medium, colour in zip(scenes.MEDIA[:3] * 3, scenes.COLOURS)]
    model = zoo.load_model("doodles")
    options, questions = options_for(model), catalog.questions("doodles")
    *_, last = generate(model, prompts, steps=options.steps, seed=options.seed,
                        **options.guidance, **options.sampling(model))
    answers = judging.read(registry.rebuild(judging.find("", "doodles")[0]),
                           model.to_unit(last.x_t).clamp(0, 1))
    asked = torch.tensor([judging.asked(prompt, questions) for prompt in prompts])
    assert ((answers == asked) | (asked < 0)).all(1).sum() >= 36


def test_the_users_run_comes_before_the_shipped_weights_and_the_script_says_which(
    workplace, trained, monkeypatch, capsys
):
    """In an empty folder the shipped one; where there is a run, the run."""
    words = ["--per-digit", "1", "--steps", "2", "--device", "cpu"]
    sample.class_cond.main(words)
    assert "shipped with the project, class-epoch" in capsys.readouterr().out
    monkeypatch.chdir(trained)
    sample.class_cond.main(words)
    assert "weights: runs/class/001/last.pt" in capsys.readouterr().out


def test_bfloat16_stays_near_float32():
    """The shipped model's prediction in bfloat16 is within 2% of float32's at every level, root
    mean square, and is float32 again. It differs by more than float32's rounding: the option
    counts."""
    file = str(zoo.snapshots("class")[-1])
    exact, rough = (zoo.load_model(file, "cpu", p) for p in ("float32", "bfloat16"))
    cond = exact.embed(list("0123456789"))
    for t in (300, 150, 20):
        x = torch.randn(10, 1, 28, 28, generator=torch.Generator().manual_seed(t))
        a, b = (m(x, torch.full((10,), t), cond) for m in (exact, rough))
        off = (a - b).square().mean().sqrt() / a.square().mean().sqrt()
        assert b.dtype == torch.float32 and 5e-4 < off < 0.02


def test_a_loaded_model_predicts_what_the_network_in_its_file_predicts():
    """Folding and another memory format do not change the shipped model's predictions."""
    file = zoo.snapshots("class")[-1]
    network, model = registry.rebuild(checkpoint.load(file)), zoo.load_model(str(file))
    x, t = torch.randn(10, 1, 28, 28), torch.arange(1, 11) * 30
    a, b = network(x, t / 300, torch.eye(10)), model(x, t, torch.eye(10))
    assert (a - b).abs().max() < 1e-5 * a.abs().max()
