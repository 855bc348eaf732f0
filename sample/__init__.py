"""One script per thing a person wants to make: `python -m sample.uncond`."""
