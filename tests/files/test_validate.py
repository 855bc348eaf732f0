"""validate.py: nothing in a checkpoint is used before its type, range and length were checked."""

import json
import zipfile

import pytest
import torch
from torch import nn

from minidiff.files import checkpoint
from minidiff.models import zoo
from tests.files.test_checkpoint import content

BAD = {  # a field, and values that must not be accepted
    "kind": (None, 3, "", "x" * 10**6, "a\x1b[2Jb", ("uncond", ("uncond",))),
    "dataset": (None, b"mnist", "m" * 201, "a\nb"),
    "hardware": (7, "\x00"),
    "epoch": (-1, 1.5, True, "3", 10**10, None, float("nan")),
    "step": (-1, 2.5, 2**63, torch.tensor(3)),
    "network": (None, [], {}, {"width": 0}, {"width": True}, {"width": 10**6}, {"width": 4.0},
                {"width": 4, "depth": 3}, {"width": 4, "channels": {1: 1}}, {1: 4},
                {"width": 4, "channels": (1, 1, 1)}, {"width": 4, "channels": ((1,), 1)},
                {"width": 4, "size": 10**9}, {"width": 4, "classes": -1}, {"width": 4, "time": "t"},
                {"width": 4, "scaled": 1}, {"width": 4, "size": 1024}, {"width": 4096},
                {"width": 4, "mults": (1, 3)}, {"width": 4, "mults": "wide"},
                {"width": 4, "mults": (64, 64, 64)}),
    "config": (None, "T", [300], {"T": 10**9}, {"T": 300.0}, {"T": 1}, {"T": None}, {"lr": (1,)},
               {"T": 300, "lr": float("inf")}, {"T": 300, "name": "x" * 1000}, {"sigma": -1.0}),
    "model": (None, "linear", {"T": 10_001}, {"T": True}, {"T": 20, "steps": 3}, {"words": "01"},
              {"words": ["a" * 201]}, {"words": [1]}, {"words": ["\t"]}, {"data_range": [1.0, 0.0]},
              {"data_range": [0.0, float("nan")]}, {"data_range": [0.0]}, {"schedule": ["linear"]}),
    "guidance": (None, [], {"gamma": "x"}, {"foo": 1}, {"gamma": float("nan")}, {"gamma": 10**6},
                 {"guide_until": 1.5}, {"gamma": True}, {"gamma": 1 + 2j}),
}


@pytest.mark.parametrize("field, value", [(f, v) for f, values in BAD.items() for v in values],
                         ids=lambda v: repr(v)[:30])
def test_a_field_of_another_type_range_or_length_is_refused(tmp_path, field, value):
    """In one short sentence that names the file and the field."""
    checkpoint.save(tmp_path / "bad.pt", {**content(), field: value})
    with pytest.raises(ValueError, match=f"bad.pt is damaged: its {field}|larg.*weights") as told:
        checkpoint.load(tmp_path / "bad.pt")
    assert len(str(told.value)) < 400 + len(str(tmp_path)) and str(told.value).isprintable()


@pytest.mark.parametrize("change", [
    lambda w: w * float("nan"), lambda w: w / 0, lambda w: w.to(torch.int32), lambda w: w > 0,
    lambda w: w.to(torch.complex64), lambda w: w.double() * 1e200, lambda w: w.to_sparse(),
    lambda w: "weights", lambda w: None, lambda w: w.flatten()[0].expand(10**6, 10**6),
])
def test_weights_that_are_not_finite_real_numbers_are_refused(tmp_path, change):
    """One such weight is enough; half precision is a good one."""
    saved = content()
    weights = {name: w.half() if w.is_floating_point() else w
               for name, w in saved["weights"].items()}
    checkpoint.save(tmp_path / "half.pt", {**saved, "weights": weights})
    checkpoint.load(tmp_path / "half.pt")
    weights["time1.0.weight"] = change(saved["weights"]["time1.0.weight"])
    checkpoint.save(tmp_path / "bad.pt", {**saved, "weights": weights})
    with pytest.raises(ValueError, match="bad.pt is damaged: its weight 'time1.0.weight'"):
        checkpoint.load(tmp_path / "bad.pt")


def test_a_flipped_bit_in_any_part_is_refused(tmp_path):
    """First, middle and last byte of every member of the archive: its checksum does not fit."""
    good, bad = tmp_path / "good.pt", tmp_path / "bad.pt"
    checkpoint.save(good, content(nn.Module()))
    with zipfile.ZipFile(good) as archive:
        parts = [m for m in archive.infolist() if m.file_size]
    whole = good.read_bytes()
    assert len(parts) >= 3
    for part in parts:
        with zipfile.ZipFile(good) as archive:
            start = whole.index(archive.read(part), part.header_offset)
        for at in {start, start + part.file_size // 2, start + part.file_size - 1}:
            bad.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1:])
            with pytest.raises(ValueError, match="bad.pt is damaged: the checksum of"):
                checkpoint.load(bad)


def test_a_packed_archive_is_refused(tmp_path):
    """A few kilobytes could become gigabytes."""
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10**6))
    with pytest.raises(ValueError, match="bomb.pt is damaged: its parts are larger than the file"):
        checkpoint.load(tmp_path / "bomb.pt")


@pytest.mark.parametrize("file", sorted(zoo.WEIGHTS.glob("*.pt")), ids=lambda f: f.stem)
def test_all_shipped_weights_pass(file):
    """They were written before there were rules."""
    assert checkpoint.load(file)["weights"]


def test_a_network_of_other_arguments_than_its_weights_names_the_file(tmp_path):
    """Also where the arguments contradict each other."""
    for name, network in (("other", {"width": 4, "time": 2}), ("odd", {"width": 4, "size": 6})):
        checkpoint.save(tmp_path / f"{name}.pt", {**content(), "network": network})
        with pytest.raises(ValueError, match=f"{name}.pt: its weights do not fit its network"):
            zoo.load_model(str(tmp_path / f"{name}.pt"))


@pytest.mark.parametrize("model, message", [
    ({"schedule": "sine", "T": 20}, "unknown schedule 'sine'"), ({"words": []}, "how many steps T"),
    ({"predict": "x", "T": 20}, "unknown prediction 'x'"),
])
def test_a_diffusion_model_needs_a_known_schedule(tmp_path, model, message):
    """And its number of steps."""
    checkpoint.save(tmp_path / "m.pt", {**content(), "model": model})
    with pytest.raises(ValueError, match=f"m.pt .*{message}"):
        zoo.load_model(str(tmp_path / "m.pt"))


CARDS = {  # a field of a card, and values that must not be accepted
    "kind": (None, 3, ""), "network": ([], {"width": "x"}, {"depth": 3}), "torch": (2.6, None),
    "seconds": ("long", -1, float("inf"), True), "config": (3, {"lr": [1]}),
    "epochs_loss": ([], ["x"], 3, [float("nan")], {}, None), "hardware": (None, "a\x1b[2J"),
    "loss": ([], None, {"step": [1]}, {"step": 1, "loss": [1.0]}, {"step": ["1"], "loss": [1.0]},
             {"step": [1, 2], "loss": [1.0]}, {"step": [1], "loss": [[1.0]]},
             {"step": [], "loss": []}, {"step": [1], "loss": [1.0], "lr": []}),
    "measures": ([], {"n": [1]}, {"measures": 3}, {"measures": {"accuracy": None}}), "more": (1,),
}


@pytest.mark.parametrize("field", [*CARDS, ""])
def test_a_damaged_card_is_reported_with_its_file(tmp_path, monkeypatch, field):
    """Another type, a value out of range, a field too many or missing: one sentence, for whoever
    reads the card. The shipped ones are sound."""
    cards = {kind: zoo.card(kind) for kind in zoo.MODELS if zoo.snapshots(kind)}
    assert {"class", "classifier", "denoiser", "flow", "uncond", "upsampler"} <= cards.keys()
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path)
    for value in CARDS.get(field, ()):
        (tmp_path / "class.json").write_text(json.dumps({**cards["class"], field: value}))
        for read in (zoo.card, zoo.loss_curves):
            with pytest.raises(ValueError, match="class.json is damaged: .*; use another copy"):
                read("class")
    for name in cards["class"] if not field else ():
        lacking = {k: v for k, v in cards["class"].items() if k != name}
        (tmp_path / "class.json").write_text(json.dumps(lacking))
        with pytest.raises(ValueError, match=f"class.json is damaged: it lacks {name}; use"):
            zoo.card("class")
