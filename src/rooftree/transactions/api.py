"""The transaction operations of the contract."""

from typing import Final

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from rooftree.leads.queries import visible_lead
from rooftree.leads.rules import full_name
from rooftree.platform.http.answers import answer
from rooftree.platform.http.dependencies import Caller, Tx
from rooftree.platform.http.reading import AnyRequest, Query
from rooftree.transactions import queries
from rooftree.transactions.wire import transaction_response


@get("/v1.0/leads/{leadId:str}/transactions")
async def list_transactions(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return all transactions of a lead. contract: GET /v1.0/leads/{leadId}/transactions"""
    view = await visible_lead(tx, actor, Query(request).path_id("leadId"), is_managing=True)
    name = full_name(view.lead.first_name, view.lead.last_name)
    rows = await queries.transactions_of(tx, view.lead.id)
    return answer([transaction_response(row, name, view.lead.assigned_user_id) for row in rows])


ROUTES: Final[list[HTTPRouteHandler]] = [list_transactions]
