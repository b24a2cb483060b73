"""The team: company, offices, members, permission profiles, vendors, ponds, and the roles a member can have on a lead.

Tables: team, office, member, custom_role, permission_profile, member_tag, vendor, lead_pond. Doors: queries; actions
(founding, without asking for permissions); agents, organisation, profiles, ponds and vendors (what members may do).
The surprise: a member's id is the user id of the contract, and stands in assignedUserId, creatorId and everywhere.
"""
