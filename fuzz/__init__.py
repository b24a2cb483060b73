"""Requests and bytes that nobody thought of, and what Rooftree answers: `python -m fuzz`."""
