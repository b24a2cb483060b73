"""The logbook: one append-only stream per lead, read by everything that tells what happened.

Nouns: an *entry* is one thing that happened; its *kind* (kinds.py) says what, and whether the world is told:
then the same statement writes an *announcement* to the outbox; the *summary* counts what the lead list sorts by.
Tables: timeline_entry, timeline_summary. Door: actions.record.
The surprise: it lies below the leads it tells of, because creating a lead must write into it.
"""
