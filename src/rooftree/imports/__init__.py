"""Imports of leads from files: CSV, Excel, NDJSON.

Tables: lead_import, lead_import_batch, lead_import_change. Doors: actions (begin, run, undo), queries.
The surprise: a process of its own reads the file and applies the rules of POST /v1.0/leads (`leads/drafts.py`), while
this one resolves the team's words and loads. A batch, its position in the file and what undo needs are one transaction.
"""
