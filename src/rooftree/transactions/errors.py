"""What a request about a transaction can be refused with. Two names share one number in the contract."""

from rooftree.platform.errors import ApiError


class TransactionNameBlank(ApiError):
    """A transaction without a name."""

    code = 200062
    name = "TRANSACTION_NAME_BLANK"
    text = "transactionName: must not be blank."


class TransactionNameHtml(ApiError):
    """A name that could be markup."""

    code = 200062
    name = "TRANSACTION_NAME_HTML"
    text = "transactionName: must not contain < or >."
