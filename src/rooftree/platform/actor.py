"""Who asks: the member behind a credential, with the rights that the request was made with."""

from msgspec import Struct


class Actor(Struct, frozen=True):
    """A member of a team, as `authenticate()` saw them at the start of the request.

    contract: auth.md 1 and 8
    """

    team_id: int
    member_id: int
    role: str  #: owner, admin, office_owner, office_admin, agent, assistant, lender
    office_id: int | None
    office_ids: list[int]  #: offices whose leads they see: their own; for office owners and admins those below too
    user_ids: list[int]  #: members whose leads they see: themselves; for office owners and admins their people too
    time_zone: str  #: IANA name; the member's, else the team's
    key_id: int | None = None

    @property
    def is_admin(self) -> bool:
        """Whether they see and do everything in the team (company owner, company admin)."""
        return self.role in {"owner", "admin"}
