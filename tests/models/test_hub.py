"""hub.py: found in a folder or the hub's cache, and fetched only if that was asked for."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from minidiff.models.deepfloyd import hub

PARTS = ("unet/config.json", "unet/w.fp16.safetensors", "scheduler/scheduler_config.json")


@pytest.fixture
def folder(tmp_path):
    """Both stages, as the hub lays them out; the text encoder in the first only."""
    for file in ("IF-I-L-v1.0/text_encoder/config.json", "IF-I-L-v1.0/tokenizer/spiece.model",
                 "IF-I-L-v1.0/text_encoder/model.fp16.safetensors",
                 *(f"IF-{k}-L-v1.0/{name}" for k in ("I", "II") for name in PARTS)):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("{}")
    return tmp_path


class Errors(ModuleType):
    """The hub's exceptions, related as its own are."""

    LocalEntryNotFoundError = type("LocalEntryNotFoundError", (FileNotFoundError, ValueError), {})
    HfHubHTTPError = type("HfHubHTTPError", (OSError,), {})
    RepositoryNotFoundError = type("RepositoryNotFoundError", (HfHubHTTPError,), {})
    GatedRepoError = type("GatedRepoError", (RepositoryNotFoundError,), {})
    DryRunError = type("DryRunError", (OSError,), {})


@pytest.fixture
def hosted(tmp_path, monkeypatch):
    """A hub that keeps a list of what it was asked; set .fails to an exception to raise."""
    asked, state = [], SimpleNamespace(fails=None, cache=tmp_path / "snapshot")

    def snapshot_download(name, allow_patterns, local_files_only=False, dry_run=False):
        if local_files_only:
            if not state.cache.is_dir():
                raise Errors.LocalEntryNotFoundError("not cached")
            return str(state.cache)
        asked.append((name, "size" if dry_run else "files"))
        if state.fails:
            raise state.fails
        if dry_run:
            return [SimpleNamespace(file_size=1_870_000_000, will_download=True),
                    SimpleNamespace(file_size=5_000, will_download=False)]
        for part in PARTS:
            (state.cache / part).parent.mkdir(parents=True, exist_ok=True)
            (state.cache / part).write_text("{}")
        return str(state.cache)

    module = ModuleType("huggingface_hub")
    module.snapshot_download, module.errors = snapshot_download, Errors("errors")
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", module.errors)
    state.asked = asked
    return state


def test_a_folder_holds_both_stages_or_is_one(folder):
    """Stage I is not mistaken for stage II, whose name begins alike; nothing is asked of a hub."""
    assert hub.stage_folder(folder, 1, "unet").name == "IF-I-L-v1.0"
    assert hub.stage_folder(folder, 2, "unet").name == "IF-II-L-v1.0"
    assert hub.stage_folder(folder / "IF-I-L-v1.0", 1, "text_encoder").name == "IF-I-L-v1.0"
    assert hub.stage_folder(folder / "IF-I-L-v1.0", 2, "unet").name == "IF-II-L-v1.0"


@pytest.mark.parametrize(("place", "part", "told"), [
    ("", "unet", "IF-I-L-v1.0 lacks unet/.*safetensors; fetch it again"),
    ("", "text_encoder", "lacks tokenizer/.*new prompts need it, unless --embeddings"),
    ("IF-I-L-v1.0/unet", "unet", "holds no folder IF-I-..., a stage of DeepFloyd.*--model-dir"),
    ("nowhere", "unet", "neither a folder that is there nor a hub name such as DeepFloyd/IF-I-L"),
])
def test_another_folder_is_refused(folder, place, part, told):
    """With what is missing and what to do."""
    for file in ("unet/w.fp16.safetensors", "tokenizer/spiece.model"):
        (folder / "IF-I-L-v1.0" / file).unlink()
    with pytest.raises(ValueError, match=told):
        hub.stage_folder(f"{folder}/{place}", 1, part)


def test_without_download_the_network_is_not_asked(hosted):
    """The sentence names page, login, flag, size and the way around; nothing was asked."""
    told = "IF-II-L-v1.0, unet.*licence on https://huggingface.co/DeepFloyd/IF-II-L-v1.0.*hf auth"
    with pytest.raises(ValueError, match=told + ".*--download to fetch about 2.5 GB.*--model-dir"):
        hub.stage_folder("", 2, "unet")
    assert hosted.asked == []


def test_with_download_the_size_is_told_first(hosted, capsys):
    """Then the files come; the next time they are taken from the cache."""
    found = hub.stage_folder("DeepFloyd/IF-I-XL-v1.0", 1, "unet", download=True)
    assert "DeepFloyd/IF-I-XL-v1.0, unet: 1.87 GB" in capsys.readouterr().out
    assert hosted.asked == [("DeepFloyd/IF-I-XL-v1.0", "size"), ("DeepFloyd/IF-I-XL-v1.0", "files")]
    assert hub.stage_folder("", 1, "unet") == found and len(hosted.asked) == 2


def test_a_half_fetched_part_is_not_taken_for_whole(hosted):
    """A cache that holds a config without weights does not count."""
    (hosted.cache / "unet").mkdir(parents=True)
    (hosted.cache / "unet" / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="is not on this machine"):
        hub.stage_folder("", 1, "unet")


def test_the_second_stage_has_no_size_xl(hosted):
    """IF-I-XL goes with IF-II-L."""
    with pytest.raises(ValueError, match="^DeepFloyd/IF-II-L-v1.0"):
        hub.stage_folder("DeepFloyd/IF-I-XL-v1.0", 2, "unet")


@pytest.mark.parametrize(("error", "told"), [
    (Errors.GatedRepoError("401"), "gated: accept its licence on https://.*hf auth login"),
    (Errors.RepositoryNotFoundError("404"), "does not exist, or wants a login"),
    (Errors.LocalEntryNotFoundError("no network"), "could not be fetched.*network and disk"),
    (OSError(28, "No space left"), "could not be fetched.*network and disk"),
    (RuntimeError("any other"), "could not be fetched .RuntimeError.*network and disk"),
])
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_goes_wrong_is_told_with_its_cure(hosted, error, told, wrapped):
    """Licence, name, network, disk; also where asking for the size wraps it."""
    hosted.fails = error
    if wrapped:
        hosted.fails = Errors.DryRunError("cannot be done")
        hosted.fails.__cause__ = error
    with pytest.raises(ValueError, match=told):
        hub.stage_folder("", 1, "unet", download=True)


def test_another_text_encoder_has_another_identity(folder):
    """A folder whose encoder was replaced is another; the hub's names tell each other apart."""
    before = hub.identity(folder)
    assert hub.identity(folder) == before
    (folder / "IF-I-L-v1.0" / "text_encoder" / "model.safetensors").write_text("weights")
    after = hub.identity(folder)
    (folder / "IF-I-L-v1.0" / "tokenizer" / "spiece.model").write_text("another")
    assert len({before, after, hub.identity(folder)}) == 3
    assert hub.identity(folder / "IF-I-L-v1.0") == hub.identity(folder)
    assert hub.identity("") == hub.HUB != hub.identity("DeepFloyd/IF-I-M-v1.0")


@pytest.mark.parametrize(("error", "told"), [
    ("GatedRepoError", "is gated: accept its licence"),
    ("RepositoryNotFoundError", "does not exist, or wants a login"),
    (None, "could not be fetched"),
])
def test_the_real_library_raises_what_is_told(tmp_path, monkeypatch, error, told):
    """huggingface_hub itself, asked for the size of what it may not have or cannot reach."""
    real = pytest.importorskip("huggingface_hub", reason="run: make test-deepfloyd")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    def refused(*_, **__):
        if error is None:
            raise ConnectionError("no route")
        response = SimpleNamespace(headers={}, request=None, status_code=403)
        raise getattr(real.errors, error)("no", response=response)

    monkeypatch.setattr("huggingface_hub.hf_api.HfApi.repo_info", refused)
    with pytest.raises(ValueError, match=told):
        hub.stage_folder("DeepFloyd/IF-I-nothing-v1.0", 1, "unet", download=True)
