"""Transcripts and summaries of calls.

Tables: none; what is found is kept with the call. Doors: api, jobs. The surprise: without an endpoint in the settings,
calls are summarised on this machine, by picking sentences, and nothing is transcribed.
"""
