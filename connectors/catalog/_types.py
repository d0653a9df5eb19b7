"""The integration types as a `Literal`, so that an editor completes them and a checker knows them.

The names are those of `integrations.json`, sorted; a test holds the two equal. The list may lag
behind what the service offers, so nothing demands it at run time: a parameter is annotated
`IntegrationType | str`, which completes the known names and takes any other.
"""

from typing import Literal, TypeAlias

IntegrationType: TypeAlias = Literal[
    "airtable",
    "bamboohr",
    "box",
    "calendly",
    "clickup",
    "contentful",
    "databricks",
    "discord",
    "dropbox",
    "github",
    "gitlab",
    "gmail",
    "google_analytics",
    "google_classroom",
    "google_search_console",
    "googleads",
    "googlebigquery",
    "googlecalendar",
    "googledocs",
    "googledrive",
    "googlemeet",
    "googlesheets",
    "googleslides",
    "googletasks",
    "hubspot",
    "hugging_face",
    "instagram",
    "linear",
    "linkedin",
    "microsoft_teams",
    "notion",
    "one_drive",
    "outlook",
    "quickbooks",
    "salesforce",
    "share_point",
    "slack",
    "slackbot",
    "snowflake",
    "splitwise",
    "square",
    "supabase",
    "tiktok",
    "typeform",
    "wix",
    "wrike",
]
"""The name of an integration type of the catalogue."""
