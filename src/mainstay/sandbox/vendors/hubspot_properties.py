"""The properties that every HubSpot account has; it refuses others until they are created."""

PROPERTIES = {
    "contacts": frozenset(
        [
            "email",
            "firstname",
            "lastname",
            "phone",
            "mobilephone",
            "company",
            "jobtitle",
            "website",
            "lifecyclestage",
            "hs_lead_status",
            "address",
            "city",
            "state",
            "zip",
            "country",
            "salutation",
            "fax",
            "industry",
            "message",
            "date_of_birth",
            "gender",
            "numemployees",
            "annualrevenue",
            "hubspot_owner_id",
            "hs_language",
            "hs_timezone",
            "work_email",
            "hs_persona",
            "twitterhandle",
            "degree",
            "field_of_study",
            "graduation_date",
            "job_function",
            "marital_status",
            "military_status",
            "relationship_status",
            "school",
            "seniority",
            "start_date",
            "hs_content_membership_notes",
            "hs_marketable_status",
            "hs_legal_basis",
            "hs_whatsapp_phone_number",
            "hs_additional_emails",
        ]
    ),
    "companies": frozenset(["name", "domain", "phone", "address", "city", "zip", "country", "hubspot_owner_id"]),
    "deals": frozenset(
        [
            "dealname",
            "amount",
            "dealstage",
            "pipeline",
            "closedate",
            "deal_currency_code",
            "hubspot_owner_id",
            "hs_is_closed",
            "hs_is_closed_won",
        ]
    ),
    "notes": frozenset(["hs_timestamp", "hs_note_body", "hubspot_owner_id", "hs_attachment_ids"]),
}


def modified(kind: str) -> str:
    """Return the property that holds when an object changed last."""
    return "hs_lastmodifieddate" if kind in {"companies", "deals"} else "lastmodifieddate"
