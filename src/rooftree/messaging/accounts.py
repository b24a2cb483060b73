"""Whether an SMTP account's URL can be used, for those who enter one."""

from rooftree.messaging.providers.smtp import Smtp


def check_account(url: str) -> None:
    """Do nothing if it can. Raises: ValueError with a sentence that says why not, without the password."""
    Smtp(url, pool_size=1, timeout_seconds=1)
