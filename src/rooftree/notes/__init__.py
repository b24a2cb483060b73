"""Notes: free text on a lead.

Tables: note. Doors: actions.add_note, queries.
The surprise: it lies below leads, because creating a lead with `content` writes a note. A note has two ids:
its own (`noteId`) and that of its timeline entry (`id`).
"""
