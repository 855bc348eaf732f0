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
SIZES = {  # to fetch, half precision: two bytes a weight
    ("DeepFloyd/IF-I-L-v1.0", "unet"): "about 1.8 GB",
    ("DeepFloyd/IF-II-L-v1.0", "unet"): "about 2.5 GB",
    ("DeepFloyd/IF-I-L-v1.0", "text_encoder"): "about 9.5 GB",
}
FILES = {
    "unet": ["model_index.json", "*scheduler/*", "unet/config.json", "unet/*fp16*.safetensors"],
    "text_encoder": ["model_index.json", "tokenizer/*", "text_encoder/config.json",
                     "text_encoder/*fp16*.safetensors", "text_encoder/*fp16.json"],
}
WANTED = {  # what tells that a part is there: one file of each pattern
    "unet": ["unet/config.json", "unet/*.safetensors", "scheduler/*.json"],
    "text_encoder": ["text_encoder/config.json", "text_encoder/*.safetensors",
                     "tokenizer/*.model"],
}


def stage_folder(place, stage, part, download=False) -> Path:
    """Return the folder of stage 1 or 2 that holds `part`, a key of FILES.

    place: a folder that holds both stages, or one of them; a hub name of a first stage; "" for HUB.
    download: fetch what is missing. Raises ValueError where it is not there.
    """
    path, stem = Path(place or HUB), f"IF-{'I' * stage}-"
    if path.is_dir():
        if path.name.startswith("IF-I"):  # one of the stages: the other lies beside it
            path = path.parent
        folder = next((f for f in sorted(path.glob(f"{stem}*")) if f.is_dir()), None)
        if folder is None:
            raise ValueError(f"{path} holds no folder {stem}..., a stage of DeepFloyd as the hub "
                             "lays it out; name a folder that does with --model-dir")
        if missing := _missing(folder, part):
            cure = "fetch it again, or name another folder with --model-dir"
            if part == "text_encoder":
                cure = "new prompts need it, unless --embeddings brings them ready"
            raise ValueError(f"{folder} lacks {missing}; {cure}")
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
            f"`hf auth login` once, and add --download to fetch "
            f"{SIZES.get((name, part), 'it; the size is told first')}; or name a folder that has "
            "it with --model-dir"
        )
    return found or _fetch(name, part)


def identity(place, part="text_encoder") -> str:
    """Return what tells one network from another: a hub's name, or a folder's files. The text
    encoder's tokenizer counts as a part of it."""
    path = Path(place)
    if not place or not path.is_dir():
        return place or HUB
    root = path.parent if path.name.startswith("IF-I") else path
    kinds = (part, "tokenizer") if part == "text_encoder" else (part,)
    files = sorted(f for kind in kinds for f in root.glob(f"*/{kind}/*"))
    told = [(str(f.relative_to(root)), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    return repr([str(root.resolve()), *told])


def _missing(folder, part):
    """Return which of WANTED a folder lacks, "" where it has all."""
    return next((p for p in WANTED[part] if not any(folder.glob(p))), "")


def _page(name):
    return f"https://huggingface.co/{name}"


def _from_cache(name, part):
    """Return the hub's local copy of a repository if it has this part, whole, else None."""
    from huggingface_hub import errors, snapshot_download

    try:
        found = Path(snapshot_download(name, allow_patterns=FILES[part], local_files_only=True))
    except (errors.LocalEntryNotFoundError, OSError):
        return None
    return None if _missing(found, part) else found


def _fetch(name, part):
    """Tell the size of a part of a hub's repository, fetch it, and return its folder."""
    from huggingface_hub import snapshot_download

    try:
        planned = snapshot_download(name, allow_patterns=FILES[part], dry_run=True)
        size = sum(file.file_size or 0 for file in planned if file.will_download)
        print(f"fetching {name}, {part}: {size / 1e9:.2f} GB", flush=True)
        return Path(snapshot_download(name, allow_patterns=FILES[part]))
    except Exception as e:  # the hub's libraries raise many kinds, and not all are OSErrors
        raise ValueError(_told(name, e)) from e


def _told(name, e):
    """Return in one sentence what went wrong in fetching, and its cure."""
    from huggingface_hub import errors

    if isinstance(e, errors.DryRunError):  # wraps what really happened
        e = e.__cause__ or e
    if isinstance(e, errors.GatedRepoError):
        return (f"{name} is gated: accept its licence on {_page(name)}, logged in, then run "
                "`hf auth login` with a token of that account")
    if isinstance(e, errors.RepositoryNotFoundError):
        return f"{_page(name)} does not exist, or wants a login; check it, run `hf auth login`"
    return (f"{name} could not be fetched ({type(e).__name__}) and is not on this machine; check "
            "network and disk and run it again, or name a folder that has it with --model-dir")
