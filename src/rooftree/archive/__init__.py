"""Archives: everything that a team owns, in files, and back into a server; and its leads as a table for people.

No tables. Doors: actions (export_team, import_team), packing (the folder, tar or zip), leads_file (the flat table).
The surprise: nothing here knows what a column means. `rules.py` names the tables, the database's catalogue their
columns, and `store.py` may load any of them: rows come back as the stores of their own rooms wrote them.
"""
