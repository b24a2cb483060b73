"""Messages to leads and to the team's own people.

Tables: message. Door: actions. The surprise: a message is a row with its state in it, written in the transaction
of what it tells of; nothing is sent inside a request. This version keeps them in the local outbox.
"""
