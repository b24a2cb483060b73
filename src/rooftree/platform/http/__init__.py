"""The HTTP side of the platform: reading requests tolerantly, answering, the error envelope, request ids."""
