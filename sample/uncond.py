"""Draw digits from noise with the time-conditioned model.

    python -m sample.uncond --n 40 --steps 50 --sampler ddpm --seed 0 --out grid.png --gif way.gif
"""

import numpy as np
from tqdm import tqdm

from minidiff import checkpoint, config, gallery, images, machine, models
from minidiff.files import whole


def run(argv=None):
    """Sample as the flags say and write what they name."""
    given = config.parse(
        [config.SampleFlags], argv, "python -m sample.uncond", "draw digits from noise"
    )
    flags = config.SampleFlags(**given[0])
    outputs = {
        suffix: config.writable(getattr(flags, name), suffix)
        for name, suffix in (("out", ".png"), ("gif", ".gif"), ("npz", ".npz"))
        if getattr(flags, name)
    }
    file = models.find("uncond", flags.checkpoint)
    model, found = models.load_model("uncond", file, machine.pick_device(flags.device))
    how = {"kind": flags.variance} if flags.sampler == "ddpm" else {"eta": flags.eta}
    clip = model.data_range if flags.clip else None
    path = gallery.walk(model, flags.n, flags.steps, flags.seed, flags.sampler, clip=clip, **how)
    states = []
    for state in tqdm(path, total=flags.steps + 1, unit="step"):
        states = [*states, state] if flags.gif else [state]  # a film needs them all, and the memory
    caption = (
        f"{checkpoint.summary(found)}; {flags.sampler}, {flags.steps} steps, seed {flags.seed}"
    )
    write(outputs, states, caption)
    print(f"weights: {file} ({checkpoint.summary(found)})")
    print("wrote " + ", ".join(str(p) for p in outputs.values()))


def write(outputs, states, caption):
    """Write the last state's pictures as PNG and npz, and all states as a GIF.

    outputs: {".png": path, ...}. npz: `images`, float32 (N,1,28,28) in [0, 1].
    """
    pictures = states[-1].x_t.clamp(0, 1).cpu()
    if ".png" in outputs:
        images.save_grid(outputs[".png"], pictures, caption)
    if ".gif" in outputs:
        gallery.draw_gif(outputs[".gif"], states, caption)
    if ".npz" in outputs:
        with whole(outputs[".npz"]) as f:
            np.savez_compressed(f, images=pictures.numpy())


if __name__ == "__main__":
    config.main(run)
