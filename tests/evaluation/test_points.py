"""points.py: files of many measurements, continued, kept and checked."""

import json

import pytest

from minidiff.evaluation import points
from minidiff.evaluation.points import FLOOR, Points
from minidiff.models.zoo import WEIGHTS

ABOUT = {"weights": "w", "md5": "1", "judge": "j", "n": 20, "floor": FLOOR, "hardware": "cpu"}
POINT = {"steps": 2, "gamma": 1.0, "group": "steps", "curve": "ddim"}
MEASURES = {"accuracy": 0.5, "distance": 2.0, "floor": 1.0, "ratio": 2.0}


def written(path, about=ABOUT, steps=(2, 3), names=("steps", "gamma")):
    """Write points of so many steps; return how many were measured, and the points of the file."""
    measured = []
    file = Points(path, about, names)
    for count in steps:
        file.add({**POINT, "steps": count}, lambda: measured.append(1) or MEASURES)
    return len(measured), json.loads(path.read_text())["points"]


def test_a_file_is_continued_and_known_points_are_kept(tmp_path):
    """What is there is not measured again; points that are not asked for again stay, at the end;
    other hardware is no other setting."""
    path = tmp_path / "p.json"
    count, found = written(path)
    assert count == 2 and [p["steps"] for p in found] == [2, 3]
    assert found[0] == {**POINT, **MEASURES}
    count, found = written(path, {**ABOUT, "hardware": "cuda", "weights": "moved"}, (4, 3))
    assert count == 1 and [p["steps"] for p in found] == [4, 3, 2]
    assert [p.name for p in tmp_path.iterdir()] == ["p.json"]


def test_a_point_in_two_groups_is_measured_once(tmp_path):
    """It is listed in both, each with its own group and curve."""
    file, measured = Points(tmp_path / "p.json", ABOUT, ("steps", "gamma")), []
    for group in ("steps", "gamma"):
        file.add({**POINT, "group": group}, lambda: measured.append(1) or MEASURES)
    found = points.read(tmp_path / "p.json")["points"]
    assert len(measured) == 1 and [p["group"] for p in found] == ["steps", "gamma"]


@pytest.mark.parametrize("name", ["md5", "judge", "n", "floor"])
def test_a_file_of_other_settings_is_kept_under_another_name(tmp_path, name, capsys):
    """It is renamed when the first new point is written, never overwritten; each gets a number of
    its own."""
    path = tmp_path / "p.json"
    written(path)
    before = path.read_bytes()
    Points(path, {**ABOUT, name: 7}, ("steps", "gamma"))
    assert path.read_bytes() == before  # nothing was measured yet
    assert written(path, {**ABOUT, name: 7})[0] == 2
    assert (tmp_path / "p-1.json").read_bytes() == before
    assert "it is now" in capsys.readouterr().out
    written(path)
    assert (tmp_path / "p-1.json").read_bytes() == before
    assert json.loads((tmp_path / "p-2.json").read_text())[name] == 7


def test_a_file_with_the_floor_of_before_is_other_settings(tmp_path):
    """Older files do not say which floor they use; their ratios can't be compared."""
    path = tmp_path / "p.json"
    written(path, {k: v for k, v in ABOUT.items() if k != "floor"})
    assert written(path)[0] == 2 and (tmp_path / "p-1.json").is_file()


@pytest.mark.parametrize("change", [
    {"points": None}, {"points": [1]}, {"points": [{}]}, {"n": "20"}, {"n": None}, {"weights": 1},
    {"points": [{**{k: v for k, v in POINT.items() if k != "curve"}, **MEASURES}]},
    *({"points": [{**POINT, **MEASURES, name: value}]} for name, value in (
        ("ratio", "2"), ("ratio", float("nan")), ("gamma", []), ("curve", 3), ("steps", 10**400))),
])
def test_a_damaged_file_is_named_at_once(tmp_path, change):
    """Before anything is measured or renamed; one sentence with the file and what to do."""
    path = tmp_path / "p.json"
    path.write_text(json.dumps({**ABOUT, "points": [], **change}))
    with pytest.raises(ValueError, match="p.json is damaged.*delete it"):
        Points(path, ABOUT, ("steps", "gamma"))


def test_a_point_that_lacks_a_setting_is_damage(tmp_path):
    """Whatever the settings are: here the seed."""
    written(tmp_path / "p.json")
    with pytest.raises(ValueError, match="p.json is damaged: a point lacks 'seed'"):
        Points(tmp_path / "p.json", ABOUT, ("steps", "seed"))


@pytest.mark.parametrize("name", ["sweep", "versus"])
def test_the_shipped_points_have_the_floor_of_today(name):
    """n = 500, one floor, and every ratio is the distance over it."""
    found = points.read(WEIGHTS / f"{name}.json")
    assert found["floor"] == FLOOR and found["n"] == 500
    assert all(p["floor"] == pytest.approx(0.2064, abs=1e-4) for p in found["points"])
    assert all(p["ratio"] == pytest.approx(p["distance"] / p["floor"]) for p in found["points"])
