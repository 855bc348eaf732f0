"""models/deepfloyd/hub.py: found in a folder or the hub's cache, downloaded only on request."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from minidiff.models.deepfloyd import hub

PARTS = ("unet/config.json", "unet/w.fp16.safetensors", "scheduler/scheduler_config.json")


@pytest.fixture
def folder(tmp_path):
    """Both stages in the hub's layout; the text encoder in the first only."""
    for file in ("IF-I-L-v1.0/text_encoder/config.json", "IF-I-L-v1.0/tokenizer/spiece.model",
                 "IF-I-L-v1.0/text_encoder/model.fp16.safetensors",
                 *(f"IF-{k}-L-v1.0/{name}" for k in ("I", "II") for name in PARTS)):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("{}")
    return tmp_path


class Errors(ModuleType):
    """The hub's exceptions, with its hierarchy."""

    LocalEntryNotFoundError = type("LocalEntryNotFoundError", (FileNotFoundError, ValueError), {})
    HfHubHTTPError = type("HfHubHTTPError", (OSError,), {})
    RepositoryNotFoundError = type("RepositoryNotFoundError", (HfHubHTTPError,), {})
    GatedRepoError = type("GatedRepoError", (RepositoryNotFoundError,), {})
    DryRunError = type("DryRunError", (OSError,), {})


@pytest.fixture
def hosted(tmp_path, monkeypatch):
    """A hub that records the requests; set .fails to an exception to raise."""
    requests, state = [], SimpleNamespace(fails=None, cache=tmp_path / "snapshot")

    def snapshot_download(name, allow_patterns, local_files_only=False, dry_run=False):
        if local_files_only:
            if not state.cache.is_dir():
                raise Errors.LocalEntryNotFoundError("not cached")
            return str(state.cache)
        requests.append((name, "size" if dry_run else "files"))
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
    state.requests = requests
    return state


def test_a_folder_holds_both_stages_or_is_one(folder):
    """Stage I is not mistaken for stage II, whose name begins alike; no hub is needed."""
    assert hub.stage_folder(folder, 1, "unet").name == "IF-I-L-v1.0"
    assert hub.stage_folder(folder, 2, "unet").name == "IF-II-L-v1.0"
    assert hub.stage_folder(folder / "IF-I-L-v1.0", 1, "text_encoder").name == "IF-I-L-v1.0"
    assert hub.stage_folder(folder / "IF-I-L-v1.0", 2, "unet").name == "IF-II-L-v1.0"


@pytest.mark.parametrize(("place", "part", "message"), [
    ("", "unet", "IF-I-L-v1.0 lacks unet/.*safetensors; download it again"),
    ("", "text_encoder", "lacks tokenizer/.*new prompts need it, unless --embeddings"),
    ("IF-I-L-v1.0/unet", "unet", "holds no folder IF-I-..., a stage of DeepFloyd.*--model-dir"),
    ("nowhere", "unet", "neither an existing folder nor a hub name such as DeepFloyd/IF-I-L"),
])
def test_another_folder_is_refused(folder, place, part, message):
    """The message says what is missing and what to do."""
    for file in ("unet/w.fp16.safetensors", "tokenizer/spiece.model"):
        (folder / "IF-I-L-v1.0" / file).unlink()
    with pytest.raises(ValueError, match=message):
        hub.stage_folder(f"{folder}/{place}", 1, part)


def test_without_download_the_network_is_not_contacted(hosted):
    """The message names page, login, flag, size and the alternative; there was no request."""
    start = "IF-II-L-v1.0, unet.*licence on https://huggingface.co/DeepFloyd/IF-II-L-v1.0.*hf"
    with pytest.raises(ValueError, match=start + ".*--download to fetch about 2.5 GB.*--model-dir"):
        hub.stage_folder("", 2, "unet")
    assert hosted.requests == []


def test_with_download_the_size_is_printed_first(hosted, capsys):
    """Then the files are downloaded; the next time they are taken from the cache."""
    name = "DeepFloyd/IF-I-XL-v1.0"
    found = hub.stage_folder(name, 1, "unet", download=True)
    assert f"{name}, unet: 1.87 GB" in capsys.readouterr().out
    assert hosted.requests == [(name, "size"), (name, "files")]
    assert hub.stage_folder("", 1, "unet") == found and len(hosted.requests) == 2


def test_a_part_that_was_downloaded_halfway_is_not_complete(hosted):
    """A cache that has a config without weights does not count."""
    (hosted.cache / "unet").mkdir(parents=True)
    (hosted.cache / "unet" / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="is not on this machine"):
        hub.stage_folder("", 1, "unet")


def test_the_second_stage_has_no_size_xl(hosted):
    """IF-I-XL goes with IF-II-L."""
    with pytest.raises(ValueError, match="^DeepFloyd/IF-II-L-v1.0"):
        hub.stage_folder("DeepFloyd/IF-I-XL-v1.0", 2, "unet")


@pytest.mark.parametrize(("error", "message"), [
    (Errors.GatedRepoError("401"), "gated: accept its licence on https://.*hf auth login"),
    (Errors.RepositoryNotFoundError("404"), "does not exist or needs a login"),
    (Errors.LocalEntryNotFoundError("no network"), "could not be downloaded.*network and disk"),
    (OSError(28, "No space left"), "could not be downloaded.*network and disk"),
    (RuntimeError("any other"), "could not be downloaded .RuntimeError.*network and disk"),
])
@pytest.mark.parametrize("wrapped", [False, True])
def test_every_failure_says_what_to_do(hosted, error, message, wrapped):
    """Licence, name, network, disk; also where the request for the size wraps it."""
    hosted.fails = error
    if wrapped:
        hosted.fails = Errors.DryRunError("failed")
        hosted.fails.__cause__ = error
    with pytest.raises(ValueError, match=message):
        hub.stage_folder("", 1, "unet", download=True)


def test_another_text_encoder_has_another_identity(folder):
    """A folder whose encoder or tokenizer was replaced has another one; so has another hub name."""
    before = hub.identity(folder)
    assert hub.identity(folder) == before
    (folder / "IF-I-L-v1.0" / "text_encoder" / "model.safetensors").write_text("weights")
    after = hub.identity(folder)
    (folder / "IF-I-L-v1.0" / "tokenizer" / "spiece.model").write_text("another")
    assert len({before, after, hub.identity(folder)}) == 3
    assert hub.identity(folder / "IF-I-L-v1.0") == hub.identity(folder)
    assert hub.identity("") == hub.HUB != hub.identity("DeepFloyd/IF-I-M-v1.0")


@pytest.mark.parametrize(("error", "message"), [
    ("GatedRepoError", "is gated: accept its licence"),
    ("RepositoryNotFoundError", "does not exist or needs a login"),
    (None, "could not be downloaded"),
])
def test_the_real_librarys_errors_are_understood(tmp_path, monkeypatch, error, message):
    """huggingface_hub itself, requesting what it may not have or cannot reach."""
    real = pytest.importorskip("huggingface_hub", reason="run: make test-deepfloyd")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    def refused(*_, **__):
        if error is None:
            raise ConnectionError("no route")
        response = SimpleNamespace(headers={}, request=None, status_code=403)
        raise getattr(real.errors, error)("no", response=response)

    monkeypatch.setattr("huggingface_hub.hf_api.HfApi.repo_info", refused)
    with pytest.raises(ValueError, match=message):
        hub.stage_folder("DeepFloyd/IF-I-nothing-v1.0", 1, "unet", download=True)
