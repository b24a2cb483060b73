"""Transactions: the deals of a lead.

Tables: lead_transaction, transaction_pipeline. Doors: actions.add_transaction, queries.
The surprise: it lies below leads, because creating a lead with `leadTransaction` writes one.
"""
