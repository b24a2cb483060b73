"""Calls: what a dialer or provider knows of them, their recordings, transcripts and summaries.

Tables: call. Doors: actions, queries. The surprise: a call's id is the id of its entry in the logbook; a call that
was only logged by hand has the entry and no row here.
"""
