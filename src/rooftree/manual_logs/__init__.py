"""Calls, texts and e-mails that took place elsewhere, written down by hand.

Doors: actions. Tables: none. The surprise: a log is its entry in the logbook and nothing beside it, so its id is the
entry's; deleting it strikes the entry out and says who did so.
"""
