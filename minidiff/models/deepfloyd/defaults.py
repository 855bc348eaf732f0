"""The sampling options that suit DeepFloyd best."""

DEFAULTS = {
    "steps": 100, "variance": "learned", "clip": "dynamic", "gamma": 7.0, "guide_until": 0.0,
    "upsample_steps": 50, "upsample_level": 0.25, "upsample_gamma": 4.0, "upsample_held": False,
}
