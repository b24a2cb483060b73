"""What can be wrong with an archive, in a sentence for whoever runs the command."""


class ArchiveError(Exception):
    """An archive that cannot be written or taken in; the message says why and what to do."""
