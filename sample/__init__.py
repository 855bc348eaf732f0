"""One script for each thing to generate: `python -m sample.uncond`."""
