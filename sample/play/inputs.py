"""What a visitor draws or drops, as files: the playground and the command read the same ones.

The easel (easel.py) sends a PNG of its own size, whatever was dropped on it. It is checked, written
under a name made from its bytes, and then read as any image of a user's (files/photos.py).
"""

import base64
import hashlib
import io
import json
import threading
from pathlib import Path

from PIL import Image, ImageOps

from minidiff.files.atomic import atomic_write
from minidiff.files.runs import RUNS

FOLDER = RUNS / "play"
SIDE = 448          # of the easel, in pixels: 14 · 32 and 16 · 28
MOST = 4_000_000    # characters that an easel may send
KEPT = 300          # newest files that stay in the folder
ONE = threading.Lock()  # visitors may send the same image at once
BROKEN = (AttributeError, TypeError, ValueError, OSError, SyntaxError, RecursionError,
          Image.DecompressionBombError)


def received(value: str) -> tuple[str, str]:
    """Write what an easel sent, JSON of its image and its hole; return the paths of the image and
    of the mask, "" without a hole. Raises ValueError for anything else."""
    if len(value or "") > MOST:
        raise ValueError("the image is too large; reload the page and draw it again")
    try:
        sent = json.loads(value or "{}")
        image, hole = (_opened(sent.get(name) or "") for name in ("image", "hole"))
    except BROKEN as e:
        raise ValueError("what was sent is not an image; reload the page and try again") from e
    if image is None:
        raise ValueError("the easel is empty; draw something, or drop a photo on it")
    mask = hole and hole.getchannel("A").point(lambda a: 255 * (a > 127))
    return written(image.convert("RGB")), written(mask) if mask and mask.getbbox() else ""


def _opened(text):
    if not text:
        return None
    if not text.startswith("data:image/png;base64,"):
        raise ValueError("not a PNG")
    image = Image.open(io.BytesIO(base64.b64decode(text.partition(",")[2], validate=True)), "r",
                       ["PNG"])
    if image.size != (SIDE, SIDE):
        raise ValueError("not the easel's size")
    return image.convert("RGBA")


def written(image) -> str:
    """Write an image as a PNG under a name made from its pixels; return its path. Old files go."""
    name = hashlib.sha256(image.mode.encode() + image.tobytes()).hexdigest()[:10]
    file = FOLDER / f"{name}.png"
    with ONE:
        FOLDER.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as f:
            image.save(f, "png")
        for old in sorted(FOLDER.glob("*.png"), key=lambda p: p.stat().st_mtime)[:-KEPT]:
            old.unlink()
    return file.as_posix()


def example(file) -> str:
    """Return an image file in the easel's size, as the address of a small JPEG."""
    image = ImageOps.fit(Image.open(Path(file)).convert("RGB"), (SIDE, SIDE))
    made = io.BytesIO()
    image.save(made, "jpeg", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(made.getvalue()).decode()
