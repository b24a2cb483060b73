"""Access: API keys, OAuth applications and their tokens, passwords and sessions of the pages where people consent.

Tables: api_key, oauth_app, oauth_grant, oauth_code, oauth_access, oauth_refresh, member_password, web_session, and the
secret that signs credentials in the platform's server_secret. Doors: actions (keys), applications, granting (codes and
tokens), signing_in, queries.
The surprise: keys and access tokens are signed, but the signature only keeps garbage away from the database. What
decides is the row found by the hash of the whole text, in the same round trip that opens the request
(`authenticate()`). A token hangs on a grant, one person's consent, and ends with it at the latest.
"""
