"""Routing: the right agent for a lead that nobody was named for.

Tables: routing_turn. Doors: actions.assign (takes a turn), actions.preview (takes nothing).
The surprise: there is no pointer to "who is next". Each agent has a count of turns, and the fewest goes next;
so several leads can be routed at once without waiting, and a crash or a rollback consumes no turn: that agent is
still next, and nobody else is given a second turn of a round before it is known.
"""
