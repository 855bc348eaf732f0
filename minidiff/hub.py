"""Where the weights of a large model lie: in a folder, or in the Hugging Face hub's cache.

Weights of many gigabytes are a person's own decision. So nothing is fetched unless it was asked
for, `download`, and then its size is told first; without it the network is not even tried. What can
go wrong is told with its cure: a licence not accepted, no token, no network, a folder that holds
something else.

DeepFloyd IF comes as one repository per stage, IF-I-... and IF-II-..., each with the folders unet,
scheduler, text_encoder, tokenizer. The text encoder is the same in both; it is taken from the
first. Only the half-precision variant is fetched.

Next: embeddings.py
"""

from pathlib import Path

HUB = "DeepFloyd/IF-I-L-v1.0"
SIZES = {"unet": ("1.8 GB", "2.5 GB"), "text_encoder": ("9.5 GB",)}  # of stage I, II: 2 B a weight
FILES = {
    "unet": ["model_index.json", "*scheduler/*", "unet/config.json", "unet/*fp16*.safetensors"],
    "text_encoder": ["model_index.json", "tokenizer/*", "text_encoder/config.json",
                     "text_encoder/*fp16*.safetensors", "text_encoder/*fp16.json"],
}


def stage_folder(place, stage, part, download=False) -> Path:
    """Return the folder of stage 1 or 2 that holds `part`, a key of FILES.

    place: a folder that holds both stages, or one of them; a hub name of a first stage; "" for HUB.
    download: fetch what is missing. Raises ValueError where it is not there.
    """
    path = Path(place or HUB)
    if path.is_dir():
        folder = next(iter(sorted(path.glob(f"IF-{'I' * stage}-*"))), path)
        if not (folder / part / "config.json").is_file():
            cure = "name one that holds IF-I-... and IF-II-... as the hub lays them out"
            if part == "text_encoder":
                cure = "new prompts need it, unless --embeddings brings them ready"
            raise ValueError(f"{path} lacks a part of DeepFloyd, {folder / part}; {cure}")
        return folder
    name = place or HUB
    if name.count("/") != 1 or "/IF-I-" not in name:
        raise ValueError(f"{place} is neither a folder that is there nor a hub name such as {HUB}")
    if stage == 2:  # there is no second stage of size XL
        name = name.replace("IF-I-XL", "IF-I-L").replace("IF-I-", "IF-II-")
    found = _from_cache(name, part)
    if found is None and not download:
        raise ValueError(
            f"{name}, {part}, is not on this machine: accept its licence on {_page(name)}, run "
            f"`hf auth login` once, and add --download to fetch about {SIZES[part][stage - 1]}; or "
            "name a folder that has it with --model-dir"
        )
    return found or _fetch(name, part)


def identity(place) -> str:
    """Return what tells one text encoder from another: a hub's name, or the files of a folder."""
    path = Path(place)
    if not place or not path.is_dir():
        return place or HUB
    files = sorted(path.glob("**/text_encoder/*"))
    return repr([str(path.resolve()), *((f.name, f.stat().st_mtime_ns) for f in files)])


def _page(name):
    return f"https://huggingface.co/{name}"


def _from_cache(name, part):
    """Return the hub's local copy of a repository if it has this part, whole, else None."""
    from huggingface_hub import errors, snapshot_download

    try:
        found = Path(snapshot_download(name, allow_patterns=FILES[part], local_files_only=True))
    except (errors.LocalEntryNotFoundError, OSError):
        return None
    whole = (found / part / "config.json").is_file() and any((found / part).glob("*.safetensors"))
    return found if whole else None


def _fetch(name, part):
    """Tell the size of a part of a hub's repository, fetch it, and return its folder."""
    from huggingface_hub import errors, snapshot_download

    try:
        planned = snapshot_download(name, allow_patterns=FILES[part], dry_run=True)
        size = sum(file.file_size or 0 for file in planned if file.will_download)
        print(f"fetching {name}, {part}: {size / 1e9:.2f} GB", flush=True)
        return Path(snapshot_download(name, allow_patterns=FILES[part]))
    except errors.GatedRepoError as e:
        raise ValueError(
            f"{name} is gated: accept its licence on {_page(name)}, logged in, then run `hf auth "
            "login` with a token of that account"
        ) from e
    except errors.RepositoryNotFoundError as e:
        raise ValueError(
            f"{_page(name)} does not exist, or wants a login; check the name, run `hf auth login`"
        ) from e
    except OSError as e:  # no network, a broken connection, a full disk; the hub's errors are these
        raise ValueError(
            f"{name} could not be fetched ({type(e).__name__}) and is not on this machine; check "
            "network and disk and run it again, or name a folder that has it with --model-dir"
        ) from e
