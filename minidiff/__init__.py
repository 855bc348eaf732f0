"""minidiff: diffusion models from scratch, in plain PyTorch.
"""
