"""One script per section of the page of pictures; `python -m figures` draws them all."""
