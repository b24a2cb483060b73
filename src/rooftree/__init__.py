"""Rooftree: a self-hosted CRM server for real-estate teams that speaks the Lofty Open API."""

__version__ = "0.1.0"
