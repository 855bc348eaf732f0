"""What was measured elsewhere and is shown on the page: from the current folder, else shipped."""

from pathlib import Path

from minidiff.files import runs
from minidiff.models import zoo


def find(name):
    """Return the file of a measurement, such as sweep.json, and print where it is; None where there
    is none."""
    own = Path(f"{name}.json")
    file = own if own.is_file() else zoo.WEIGHTS / own
    if not file.is_file():
        return None
    print(f"{name}: {file}", flush=True)
    return file


def rates(model, gamma, steps):
    """Return the rates of illusions that `make illusions` measured with this model, this guidance
    and so many steps: {(kind, first prompt, second prompt, view or sigma): (n, share in which the
    first was read, the second, both)}. Raises ValueError, naming the file, if it is damaged."""
    file = find("illusions")
    if file is None:
        return {}
    found = runs.read_json(file)
    try:
        rows = {(row["kind"], *row["prompts"], row.get("view", row.get("sigma"))):
                (int(row["n"]), *(float(row[name]) for name in ("first", "second", "both")))
                for row in found["rates"]}
        how, same = f"{found['options']}, ", found["summary"] == model.summary
        if not all(n > 0 and 0 <= share <= 1 for n, *shares in rows.values() for share in shares):
            raise ValueError("a rate is not a share")
    except (KeyError, TypeError, ValueError) as e:
        raise ValueError(f"{file} is damaged ({e!r}); delete it, or measure again with: make "
                         "illusions") from e
    return rows if same and f"gamma {gamma:g}, " in how and f" {steps} steps, " in how else {}
