"""The team: company, offices, members, and the custom roles a member can have on a lead.

Tables: team, office, member, custom_role. Doors: actions (founding, adding people), queries.
The surprise: a member's id is the user id of the contract, and stands in assignedUserId, creatorId and everywhere.
"""
