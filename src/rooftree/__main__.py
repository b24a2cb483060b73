"""`python -m rooftree` is `rooftree`."""

from rooftree.cli import app

app()
