"""Kills and lies, and what is left of the data afterwards: `python -m faults`."""
