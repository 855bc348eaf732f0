"""Every test states its claim in its docstring."""
