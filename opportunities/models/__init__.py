"""The facts of the business and what the database refuses."""

from opportunities.models.activity import ActionItem, Note
from opportunities.models.background import JobSlot
from opportunities.models.bulk import BulkAct
from opportunities.models.customer import Contact, Customer
from opportunities.models.history import Event
from opportunities.models.opportunity import RANK_GAP, Opportunity, OpportunityCustomer
from opportunities.models.setup import (
    BusinessSettings,
    Colour,
    FilledTable,
    OpportunityStage,
    OpportunityStatus,
    OpportunityType,
    Reason,
)

__all__ = [
    "RANK_GAP",
    "ActionItem",
    "BulkAct",
    "BusinessSettings",
    "Colour",
    "Contact",
    "Customer",
    "Event",
    "FilledTable",
    "JobSlot",
    "Note",
    "Opportunity",
    "OpportunityCustomer",
    "OpportunityStage",
    "OpportunityStatus",
    "OpportunityType",
    "Reason",
]
