"""What every room stands on: database, errors, time, ids, settings, jobs, the outbox and HTTP.

Knows no domain: nothing here says "lead" but where a shape of the contract does.
Tables: schema_migration, server_secret, announcement, job.
"""
