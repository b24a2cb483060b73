"""Webhooks: who wants to hear of what (a webhook), what is posted to them (a delivery), each try of it (an attempt).

An announcement is written with the change that it tells of (platform/outbox, by the timeline). The worker numbers
announcements in commit order, fans them out into deliveries, and posts these. Tables: webhook, webhook_delivery,
webhook_attempt. Doors: actions, queries. The surprise: a subscription hears what its member might see, as things stood
when it happened, and the feed (GET /rooftree/v1/events) asks the same rule.
"""
