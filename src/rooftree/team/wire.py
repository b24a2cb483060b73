"""The contract's shapes of people and of what they belong to, and our own beside them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from rooftree.platform.http.reading import Int32, Int64, LooseText
from rooftree.platform.wire_time import iso_z
from rooftree.team import rules
from rooftree.team.model import LeadPond as Pond
from rooftree.team.model import Member, Office, Vendor
from rooftree.team.model import PermissionProfile as Profile


class OfficeRequest(Struct, rename="camel"):
    """An office, to be added or changed. `parent_id` 0: below the company."""

    id: Int64 | None = None
    parent_id: Int64 | None = None
    name: LooseText | None = None
    phone: LooseText | None = None
    phone_code: LooseText | None = None
    phone_country: LooseText | None = None
    email: LooseText | None = None
    city: LooseText | None = None
    state: LooseText | None = None
    zipcode: LooseText | None = None
    street_address: LooseText | None = None
    allow_manage_sub: bool | None = None


class CompanyRequest(Struct, rename="camel"):
    """The company's record."""

    name: LooseText | None = None
    phone: LooseText | None = None
    phone_code: LooseText | None = None
    phone_country: LooseText | None = None
    email: LooseText | None = None
    city: LooseText | None = None
    state: LooseText | None = None
    zipcode: LooseText | None = None
    street_address: LooseText | None = None
    header: LooseText | None = None


class AccountInfo(Struct, rename="camel"):
    """Who a new member is. `role_id`: a permission profile; `group_id`: an office."""

    email_address: LooseText
    first_name: LooseText
    last_name: LooseText
    phone_number: LooseText | None = None
    phone_code: LooseText | None = None
    phone_country: LooseText | None = None
    head_url: LooseText | None = None
    tag_ids: list[Int64] | None = None
    sending_email: LooseText | None = None
    domain: LooseText | None = None
    allow_change_domain: bool | None = None
    role_name: str | None = None
    group_id: Int64 | None = None
    role_id: Int64 | None = None
    seat_type_name: LooseText | None = None


class FileInfo(Struct, rename="camel"):
    """A document of a member, by its address."""

    file_name: LooseText | None = None
    size: Int32 | None = None  #: bytes
    query_link: LooseText | None = None
    content_type: LooseText | None = None


class WorkInfo(Struct, rename="camel"):
    """Where and as what a member works."""

    street_address: LooseText | None = None
    city: LooseText | None = None
    country: LooseText | None = None
    state: LooseText | None = None
    zipcode: LooseText | None = None
    license_id: LooseText | None = None
    company_name: LooseText | None = None
    company_address: LooseText | None = None
    position: LooseText | None = None
    personal_website: LooseText | None = None
    personal_attachments: list[FileInfo] | None = None
    personal_disclaimers: list[FileInfo] | None = None
    personal_introduction: LooseText | None = None


class Item(Struct, rename="camel"):
    """An account elsewhere."""

    type: LooseText | None = None
    name: LooseText | None = None
    value: LooseText | None = None


class SocialMedias(Struct, rename="camel"):
    """Accounts elsewhere."""

    items: list[Item] | None = None


class PersonalPhotos(Struct, rename="camel"):
    """Addresses of pictures."""

    urls: list[LooseText] | None = None


class AgentProfile(Struct, rename="camel"):
    """A new member."""

    account_type: Int32
    account_info: AccountInfo
    work_info: WorkInfo | None = None
    social_medias: SocialMedias | None = None
    personal_photos: PersonalPhotos | None = None
    has_back_office: bool | None = None
    agent_pid: LooseText | None = None
    full_sync: bool | None = None
    should_sync: bool | None = None
    check_roster_num: bool | None = None


class AgentTagRequest(Struct, rename="camel"):
    """Tags for a member. `auto_create`: whether tags that the team does not have are made."""

    tag_names: list[str] | None = None
    auto_create: bool | None = None


class MemberRequest(Struct, rename="camel"):
    """What changes about a member. `profile_id` 0: what the role comes with; `office_id` 0: the company."""

    role: str | None = None
    profile_id: Int64 | None = None
    office_id: Int64 | None = None
    first_name: LooseText | None = None
    last_name: LooseText | None = None
    phone_number: LooseText | None = None

    @property
    def concerns_names_only(self) -> bool:
        """Whether rights stay what they are."""
        return self.role is None and self.profile_id is None and self.office_id is None


class ProfileRequest(Struct, rename="camel"):
    """A permission profile of the team's own."""

    name: str | None = None
    permissions: list[str] | None = None


class PondRequest(Struct, rename="camel"):
    """A pond. `office_id` 0: the company's."""

    pond_name: str | None = None
    pond_owner_id: Int64 | None = None
    agent_ids: list[Int64] | None = None
    office_id: Int64 | None = None
    is_enabled: bool | None = None


class VendorRequest(Struct, rename="camel"):
    """Somebody the team works with. `agent_user_id`: when they are a member too."""

    agent_user_id: Int64 | None = None
    first_name: LooseText | None = None
    last_name: LooseText | None = None
    phone_number: LooseText | None = None
    phone_code: LooseText | None = None
    phone_country: LooseText | None = None
    email: LooseText | None = None
    role_name: LooseText | None = None
    company_name: LooseText | None = None
    company_address: LooseText | None = None


#: What is kept of an office in its wire form.
_OFFICE_DETAILS: Final = (
    "phone", "phoneCode", "phoneCountry", "email", "city", "state", "zipcode", "streetAddress",
)  # fmt: skip
_VENDOR_DETAILS: Final = ("phoneNumber", "phoneCode", "phoneCountry", "email", "companyName", "companyAddress")


def office_response(office: Office) -> dict[str, Any]:
    """Return an office in the contract's shape `OfficeBo`; what is not kept is null."""
    unknown = ("websiteOwnerId", "type", "webSiteUrl", "boundNumber", "agentCount", "childPath")
    path = "/".join(str(office_id) for office_id in [*reversed(office.ancestor_ids), office.id])
    return {
        **dict.fromkeys(unknown),
        **_chosen(office.details, _OFFICE_DETAILS),
        "id": office.id,
        "teamId": office.team_id,
        "parentId": office.parent_id or 0,
        "name": office.name,
        "status": office.status,
        "createTime": iso_z(office.created_at),
        "updateTime": iso_z(office.updated_at),
        "path": path,
        "layer": rules.tier(office),
        "showInSite": False,
        "defaultFlag": False,
        "allowManageSub": office.allow_manage_sub,
    }


def organisation_response(
    company: str, office: Office | None, profile: tuple[int, str], visible: Sequence[Office]
) -> dict[str, Any]:
    """Return where somebody stands in the contract's shape `OrganizationInfo`: a single company with offices.

    `profile`: id and name. Who sits in no office belongs to the company, whose number is 0.
    """
    return {
        "orgType": 1,
        "enterpriseInfo": {
            "groupId": office.id if office else 0,
            "groupName": office.name if office else company,
            "profileId": profile[0],
            "profileName": profile[1],
            "visibleOrgInfoList": [
                {"groupId": one.id, "groupName": one.name, "parentId": one.parent_id or 0} for one in visible
            ],
        },
        "multiTeamInfo": None,
    }


def vendor_response(vendor: Vendor) -> dict[str, Any]:
    """Return somebody the team works with in the contract's shape `VendorInfo`."""
    return {
        **_chosen(vendor.details, _VENDOR_DETAILS),
        "id": vendor.id,
        "agentUserId": vendor.member_id or 0,
        "firstName": vendor.first_name,
        "lastName": vendor.last_name,
        "roleName": vendor.role_name,
    }


def pond_response(pond: Pond) -> dict[str, Any]:
    """Return a pond in the contract's shape `LeadPond`."""
    return {"id": pond.id, "pondName": pond.name, "pondOwnerId": pond.owner_id, "agentIds": pond.agent_ids}


def own_pond_response(pond: Pond) -> dict[str, Any]:
    """Return a pond with what only our own operations know of it."""
    return {**pond_response(pond), "officeId": pond.office_id or 0, "isEnabled": pond.is_enabled}


def profile_response(profile: Profile, members: int) -> dict[str, Any]:
    """Return a permission profile of the team's own, with how many members have it."""
    return {
        "id": profile.id,
        "name": profile.name,
        "isBuiltIn": False,
        "permissions": profile.permissions,
        "members": members,
    }


def _chosen(details: bytes, names: Sequence[str]) -> dict[str, Any]:
    known: Mapping[str, Any] = msgspec.json.decode(details)
    return {name: known.get(name) for name in names}


def user_response(
    member: Member, office: Office | None, time_zone: str, lead_counts: tuple[int, int]
) -> dict[str, Any]:
    """Return a member in the contract's shape `UserResponse`.

    `lead_counts`: assigned, and of those not contacted yet. `id` and `memberUserId` are the same number, the one
    that stands everywhere else. contract: behaviour.md, GET /v1.0/me
    """
    assigned, untouched = lead_counts
    details: Mapping[str, Any] = msgspec.json.decode(member.details)
    work: Mapping[str, Any] = details.get("workInfo") or {}
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
        "agentInfo": {
            **{name: work.get(name) for name in ("licenseId", "position", "companyName", "companyAddress")},
            "mlsAgentId": None,
            "agentPid": details.get("agentPid"),
        },
        "timeZoneId": member.time_zone or time_zone,
        "groupId": member.office_id or 0,
        "groupName": office.name if office else None,
        "group": office_response(office) if office else None,
        "accountStatus": member.status.upper(),
    }
