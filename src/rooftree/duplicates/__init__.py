"""Duplicates: pairs of leads that may be one person (the review list), merges of two leads, and their undoing.

Tables: duplicate_key, duplicate_pair, lead_merge, lead_merge_move. Doors: actions, merging, queries.
The surprise: whoever is merged away keeps its row, in the trash; its history moves (`history.py`), and the ids of what
moved are kept for 30 days, so that undoing takes back exactly that.
"""
