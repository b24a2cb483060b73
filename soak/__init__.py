"""A constant mixed load for half an hour, and whether memory stays flat and nothing is lost: `python -m soak`."""
