"""Moving in: an account is pulled over the contract's own API, whoever serves it.

Doors: pull (a whole run), counts (what is there and what is here), queries (the map of ids). Tables: lofty_pull,
lofty_step, lofty_thing, lofty_talk, lofty_refusal. The surprise: a page of the source, what became of it here and the
place to go on from are one transaction, so a run that is killed goes on where it was, and a thing is taken once.
"""
