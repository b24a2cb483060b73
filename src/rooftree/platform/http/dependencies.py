"""What a handler may ask for: the request's transaction, and who asks. `app.py` provides them."""

from typing import TypeAlias

from litestar.di import NamedDependency

from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction

Tx: TypeAlias = NamedDependency[Transaction]
Caller: TypeAlias = NamedDependency[Actor]
#: Who asks, of a handler that holds no transaction: its parameter is called `identity`.
Identity: TypeAlias = NamedDependency[Actor]
