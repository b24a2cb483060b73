"""What a request about duplicates can be refused with."""

from rooftree.platform.errors import Conflict


class MergeNotUndoable(Conflict):
    """A merge that was undone before, is too old, or lies below a later one; the message says which."""

    text = "The merge cannot be undone any more."
