"""What can be done with a transaction."""

import math
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import InvalidParameter, ParameterTooLong
from rooftree.timeline import kinds
from rooftree.timeline.actions import Entry
from rooftree.transactions import queries, rules, store
from rooftree.transactions.errors import TransactionNameBlank, TransactionNameHtml
from rooftree.transactions.model import LeadTransaction as Row
from rooftree.transactions.wire import DATES, NUMBERS, Commission, Commissions, LeadTransaction, instant

NAME_LENGTH: Final = 255


async def add_transaction(tx: Transaction, actor: Actor, lead_id: int, sent: dict[str, Any]) -> Entry:
    """Store a transaction of a lead that the caller manages.

    Returns the logbook entry, which the caller records with those of its own. contract: behaviour.md 14.
    Writes: lead_transaction. Raises: TransactionNameBlank, TransactionNameHtml (200062), InvalidParameter (20012).
    """
    request = _decoded(sent)
    name = _name(request)
    kind, status = rules.placed(await queries.pipelines(tx), request.transaction_type, request.transaction_status)
    numbers = {field: _number(field, getattr(request, field)) for field in NUMBERS}
    dates = {column: instant(field, getattr(request, field)) for field, column in DATES.items()}
    row = {
        "lead_id": lead_id,
        "transaction_name": name,
        "transaction_type": kind,
        "transaction_status": status,
        **numbers,
        **dates,
        "custom_fields": msgspec.json.encode(request.custom_fields or []),
        "commissions": _commissions(request.commissions),
        "created_by": actor.member_id,
    }
    transaction_id = await store.insert_transaction(tx, row)
    details = {"transactionId": transaction_id, "name": name, "type": kind, "status": status}
    return Entry(kinds.TRANSACTION_ADDED, lead_id, details, payload={"transactionId": transaction_id})


async def put_transactions(tx: Transaction, rows: Sequence[Row]) -> None:
    """Store transactions that were made elsewhere under their own ids, those that are there anew. Announces nothing.

    Their type and stage stay what they were there, whatever the pipelines here. Writes: lead_transaction.
    """
    await store.put_transactions(tx, rows)


async def seed_pipelines(tx: Transaction) -> None:
    """Give a fresh team its transaction pipelines."""
    await store.insert_pipelines(tx)


def _decoded(sent: dict[str, Any]) -> LeadTransaction:
    try:
        return msgspec.convert(sent, LeadTransaction, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidParameter(f"leadTransaction: {error}".replace("`", "")) from None


def _name(request: LeadTransaction) -> str:
    name = (request.transaction_name or "").strip()
    if not name:
        raise TransactionNameBlank
    if "<" in name or ">" in name:
        raise TransactionNameHtml
    if len(name) > NAME_LENGTH:
        raise ParameterTooLong(f"transactionName: at most {NAME_LENGTH} characters are accepted.")
    return name


def _number(name: str, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise InvalidParameter(f"{name}: must be a number.")
    return value


def _commissions(blocks: Commissions | None) -> bytes | None:
    if blocks is None:
        return None
    for name in ("pre_split", "split", "post_split"):
        lines: list[Commission] = getattr(blocks, name) or []
        problem = rules.commission_problem([(line.pay_type, line.calculate_type, line.value) for line in lines])
        if problem:
            raise InvalidParameter(f"commissions.{name}{problem if problem[0] == '[' else ': ' + problem}")
    return msgspec.json.encode(blocks)


async def repoint_transactions(
    tx: Transaction, from_id: int, to_id: int, ids: Sequence[int] | None = None
) -> list[int]:
    """Let a lead's transactions belong to another lead: all, or these. Returns the ids of those that moved.

    Writes: lead_transaction.
    """
    return await store.repoint_transactions(tx, from_id, to_id, ids)
