"""Reading transactions."""

from rooftree.platform.database import Transaction, columns
from rooftree.transactions.model import LeadTransaction


async def pipelines(tx: Transaction) -> dict[str, list[str]]:
    """Return the team's transaction types in order, each with its stages in order."""
    rows = await tx.fetch(
        "SELECT transaction_type, stages FROM transaction_pipeline WHERE team_id = $1 ORDER BY position", tx.team_id
    )
    return {row["transaction_type"]: row["stages"] for row in rows}


async def transactions_of(tx: Transaction, lead_id: int) -> list[LeadTransaction]:
    """Return the transactions of a lead that the caller may see, oldest first."""
    rows = await tx.fetch(
        f"""SELECT {columns(LeadTransaction)} FROM lead_transaction
             WHERE team_id = $1 AND lead_id = $2 AND deleted_at IS NULL ORDER BY id""",
        tx.team_id,
        lead_id,
    )
    return [LeadTransaction(*row) for row in rows]
