"""Signed links and addresses that messages carry, so that what comes back names its message and cannot be forged."""

from msgspec import Struct

from rooftree.platform.errors import InvalidParameter
from rooftree.platform.pages import Sealer


class Unsubscription(Struct, frozen=True, array_like=True):
    """Whom an unsubscribe link speaks for."""

    team_id: int
    lead_id: int
    address: str


class Links:
    """Makes and reads the links of this installation."""

    def __init__(self, secret: bytes, address: str, *, is_public: bool) -> None:
        self._unsubscribe = Sealer(secret, "unsubscribe link")
        self._status = Sealer(secret, "status link")
        self._address = address
        #: Whether the world can reach this server: only then do messages carry links.
        self.is_public = is_public

    def unsubscribe(self, team_id: int, lead_id: int, address: str) -> str | None:
        """Return the link by which a lead ends e-mails to this address."""
        if not self.is_public:
            return None
        token = self._unsubscribe.seal(Unsubscription(team_id, lead_id, address))
        return f"{self._address}/rooftree/v1/unsubscribe/{token}"

    def unsubscription(self, token: str) -> Unsubscription:
        """Read an unsubscribe link's token. Raises: InvalidParameter (20012) when it is not ours."""
        return self._unsubscribe.open(token, Unsubscription, name="link")

    def status(self, team_id: int, message_id: int) -> str | None:
        """Return where a provider tells how a text went."""
        if not self.is_public:
            return None
        return f"{self._address}/rooftree/v1/inbound/twilio/status/{self._status.seal((team_id, message_id))}"

    def status_of(self, token: str) -> tuple[int, int] | None:
        """Return team and message of a status link's token; None when it is not ours."""
        try:
            return self._status.open(token, tuple[int, int], name="link")
        except InvalidParameter:
            return None
