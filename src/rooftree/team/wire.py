"""The contract's shapes of people."""

from typing import Any

from rooftree.platform.wire_time import iso_z
from rooftree.team import rules
from rooftree.team.model import Member, Office


def office_response(office: Office) -> dict[str, Any]:
    """Return an office in the contract's shape `OfficeBo`; what is not kept is null."""
    unknown = ("websiteOwnerId", "type", "phone", "phoneCode", "phoneCountry", "email", "city", "state", "zipcode")
    unknown += ("streetAddress", "webSiteUrl", "boundNumber", "agentCount", "childPath")
    path = "/".join(str(office_id) for office_id in [*reversed(office.ancestor_ids), office.id])
    return {
        **dict.fromkeys(unknown),
        "id": office.id,
        "teamId": office.team_id,
        "parentId": office.parent_id or 0,
        "name": office.name,
        "status": office.status,
        "createTime": iso_z(office.created_at),
        "updateTime": iso_z(office.updated_at),
        "path": path,
        "layer": len(office.ancestor_ids) + 2,  # the company is tier 1
        "showInSite": False,
        "defaultFlag": False,
        "allowManageSub": True,
    }


def user_response(
    member: Member, office: Office | None, time_zone: str, lead_counts: tuple[int, int]
) -> dict[str, Any]:
    """Return a member in the contract's shape `UserResponse`.

    `lead_counts`: assigned, and of those not contacted yet. `id` and `memberUserId` are the same number, the one
    that stands everywhere else. contract: behaviour.md, GET /v1.0/me
    """
    assigned, untouched = lead_counts
    agent_info = ("licenseId", "position", "companyName", "companyAddress", "mlsAgentId", "agentPid")
    return {
        "id": member.id,
        "teamId": member.team_id,
        "invitorUserId": member.invitor_user_id or 0,
        "memberUserId": member.id,
        "role": rules.ROLE_NUMBERS[member.role],
        "roleName": rules.ROLE_NAMES[member.role],
        "firstLetter": (member.first_name or member.email)[:1].upper(),
        "email": member.email,
        "firstName": member.first_name,
        "lastName": member.last_name,
        "phoneNumber": member.phone_number,
        "status": rules.STATUS_NUMBERS[member.status],
        "virtualNumber": member.virtual_number,
        "newLeadCount": untouched,
        "assignedLeadCount": assigned,
        "isAdmin": member.role in {"owner", "admin"},
        "agentInfo": dict.fromkeys(agent_info),
        "timeZoneId": member.time_zone or time_zone,
        "groupId": member.office_id or 0,
        "groupName": office.name if office else None,
        "group": office_response(office) if office else None,
        "accountStatus": member.status.upper(),
    }
