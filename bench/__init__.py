"""Benchmarks: the server over HTTP, and the same SQL by pgbench on the same PostgreSQL in the same run."""
