"""What roles are called, and what they may. Pure."""

from typing import Final

#: contract: vocab.md, people and organisation
ROLE_NUMBERS: Final = {
    "agent": 0,
    "assistant": 1,
    "lender": 2,
    "admin": 3,
    "owner": 4,
    "office_owner": 3,
    "office_admin": 3,
}
ROLE_NAMES: Final = {
    "agent": "Agent",
    "assistant": "Assistant",
    "lender": "Lender",
    "admin": "Company Admin",
    "owner": "Company Owner",
    "office_owner": "Office Owner",
    "office_admin": "Office Admin",
}
STATUS_NUMBERS: Final = {"invited": 0, "active": 1, "deactivated": 2}
#: contract: auth.md 8, permission profiles
PROFILES: Final = {**ROLE_NAMES, "agent": "Standard User", "assistant": "Standard User", "lender": "Standard User"}

#: contract: vocab.md, custom roles of a fresh team
FIRST_CUSTOM_ROLES: Final = {
    20: "Referral Partner",
    40: "Buyer Agent",
    50: "Co-Agent",
    60: "LOA",
    80: "Transaction Coordinator",
    90: "Internal LO",
    100: "Virtual Assistant (EVA)",
    110: "Showing Assistant",
    120: "Client Specialist",
    130: "ISA",
    140: "Assistant",
}
