"""Find the weights of DeepFloyd IF: in a folder, or in the Hugging Face hub's cache.

Weights of many gigabytes are the user's own decision. So nothing is downloaded without `download`,
and then the size is printed first; without it the network is not even contacted. Every error
message says what to do: a licence not accepted, no token, no network, a folder that holds something
else.

DeepFloyd IF is one repository per stage, IF-I-... and IF-II-..., each with the folders unet,
scheduler, text_encoder and tokenizer. The text encoder is the same in both; it is taken from the
first. Only the half-precision variant is downloaded.
"""

from pathlib import Path

HUB = "DeepFloyd/IF-I-L-v1.0"
SIZES = {  # of the download, half precision: two bytes a weight
    (HUB, "unet"): "about 1.8 GB",
    ("DeepFloyd/IF-II-L-v1.0", "unet"): "about 2.5 GB",
    (HUB, "text_encoder"): "about 9.5 GB",
}
FILES = {
    "unet": ["model_index.json", "*scheduler/*", "unet/config.json", "unet/*fp16*.safetensors"],
    "text_encoder": ["model_index.json", "tokenizer/*", "text_encoder/config.json",
                     "text_encoder/*fp16*.safetensors", "text_encoder/*fp16.json"],
}
NEEDED = {  # a part is complete with at least one file of each pattern
    "unet": ["unet/config.json", "unet/*.safetensors", "scheduler/*.json"],
    "text_encoder": ["text_encoder/config.json", "text_encoder/*.safetensors",
                     "tokenizer/*.model"],
}
PAGE = "https://huggingface.co/"


def stage_folder(place, stage, part, download=False) -> Path:
    """Return the folder of stage 1 or 2 that holds `part`, a key of FILES.

    place: a folder that holds both stages, or one of them; a hub name of a first stage; "" for HUB.
    download: fetch what is missing. Raises ValueError where it is not there.
    """
    name = str(place or HUB)
    if Path(name).is_dir():
        return _from_folder(Path(name), f"IF-{'I' * stage}-", part)
    if name.count("/") != 1 or "/IF-I-" not in name:
        raise ValueError(f"{place} is neither an existing folder nor a hub name such as {HUB}")
    if stage == 2:  # there is no second stage of size XL
        name = name.replace("IF-I-XL", "IF-I-L").replace("IF-I-", "IF-II-")
    found = _from_cache(name, part)
    if found is None and not download:
        raise ValueError(
            f"{name}, {part}, is not on this machine: accept its licence on {PAGE}{name}, run "
            f"`hf auth login` once, and add --download to fetch "
            f"{SIZES.get((name, part), 'it; the size is printed first')}; or name a folder that "
            "has it with --model-dir"
        )
    return found or _fetch(name, part)


def identity(place, part="text_encoder") -> str:
    """Return a str that identifies a network: a hub name, or a folder's files. The text encoder's
    tokenizer counts as a part of it."""
    path = Path(place)
    if not place or not path.is_dir():
        return place or HUB
    root = path.parent if path.name.startswith("IF-I") else path
    kinds = (part, "tokenizer") if part == "text_encoder" else (part,)
    files = sorted(f for kind in kinds for f in root.glob(f"*/{kind}/*"))
    stats = [(str(f.relative_to(root)), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    return repr([str(root.resolve()), *stats])


def _from_folder(path, stem, part):
    """Return the stage whose name begins with `stem`, in the folder `path` or next to it."""
    path = path.parent if path.name.startswith("IF-I") else path
    folder = next((f for f in sorted(path.glob(f"{stem}*")) if f.is_dir()), None)
    if folder is None:
        raise ValueError(f"{path} holds no folder {stem}..., a stage of DeepFloyd in the hub's "
                         "layout; name a folder that does with --model-dir")
    if missing := _missing(folder, part):
        cure = ("new prompts need it, unless --embeddings provides them" if part == "text_encoder"
                else "download it again, or name another folder with --model-dir")
        raise ValueError(f"{folder} lacks {missing}; {cure}")
    return folder


def _missing(folder, part):
    """Return the first pattern of NEEDED that a folder lacks, "" where it has all."""
    return next((p for p in NEEDED[part] if not any(folder.glob(p))), "")


def _from_cache(name, part):
    """Return the hub's local copy of a repository if this part of it is complete, else None."""
    from huggingface_hub import errors, snapshot_download

    try:
        found = Path(snapshot_download(name, allow_patterns=FILES[part], local_files_only=True))
    except (errors.LocalEntryNotFoundError, OSError):
        return None
    return None if _missing(found, part) else found


def _fetch(name, part):
    """Print the size of a part of a hub repository, download it, and return its folder."""
    from huggingface_hub import snapshot_download

    try:
        planned = snapshot_download(name, allow_patterns=FILES[part], dry_run=True)
        size = sum(file.file_size or 0 for file in planned if file.will_download)
        print(f"fetching {name}, {part}: {size / 1e9:.2f} GB", flush=True)
        return Path(snapshot_download(name, allow_patterns=FILES[part]))
    except Exception as e:  # the hub's libraries raise many kinds, and not all are OSErrors
        raise ValueError(_explained(name, e)) from e


def _explained(name, e):
    """Return one sentence: why the download failed, and what to do."""
    from huggingface_hub import errors

    if isinstance(e, errors.DryRunError):  # wraps the actual error
        e = e.__cause__ or e
    if isinstance(e, errors.GatedRepoError):
        return (f"{name} is gated: accept its licence on {PAGE}{name}, logged in, then run "
                "`hf auth login` with a token of that account")
    if isinstance(e, errors.RepositoryNotFoundError):
        return f"{PAGE}{name} does not exist or needs a login; check it, run `hf auth login`"
    return (f"{name} could not be downloaded ({type(e).__name__}) and is not on this machine; "
            "check network and disk and run it again, or name a folder that has it with "
            "--model-dir")
