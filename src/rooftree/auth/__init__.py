"""Access: API keys.

Tables: api_key, and the secret that signs keys in the platform's server_secret. Doors: actions, queries.
The surprise: a key is a signed token, but its signature only keeps garbage away from the database. What decides is
the row found by the hash of the whole key, in the same round trip that opens the request (`authenticate()`).
"""
