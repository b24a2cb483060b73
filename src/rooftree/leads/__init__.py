"""Leads: who they are, what they look for, who works them, and finding them again.

Tables: lead, and what finds it (lead_label, lead_contact, lead_role, lead_search, lead_tally); the team's
words: stage, source, tag, custom_field.
Doors: actions (create, edit, assign, set inquiry and property, trash, restore), queries (visible leads).
The surprise: a lead is one row. Its inquiry, properties, family, tags and custom attributes are documents in
that row, already in their wire form, so reading a lead parses nothing. The small tables beside it exist for
finding leads only, and `store.py` rewrites them with the row.
"""
