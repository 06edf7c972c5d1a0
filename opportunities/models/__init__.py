"""The facts of the business and what the database refuses."""

from opportunities.models.activity import ActionItem, Note, Reminder
from opportunities.models.agreement import Agreement, AgreementLine, Recipient
from opportunities.models.background import JobSlot
from opportunities.models.bulk import BulkAct
from opportunities.models.customer import Contact, Customer
from opportunities.models.document import Document, Line, TaxRate
from opportunities.models.feed import CalendarFeed
from opportunities.models.history import Event
from opportunities.models.job import Job, JobLine, Payment, PaymentState, Refund, RefundState
from opportunities.models.mail import EmailTemplate, OutgoingEmail
from opportunities.models.opportunity import RANK_GAP, Opportunity, OpportunityCustomer
from opportunities.models.person import PersonPhone
from opportunities.models.quote import Quote, QuoteLine, QuoteRecipient
from opportunities.models.setup import (
    BusinessSettings,
    Colour,
    FilledTable,
    OpportunityStage,
    OpportunityStatus,
    OpportunityType,
    Reason,
)
from opportunities.models.telling import DEFAULT_WAYS, Digest, Notice, NoticeChoice, Subject, Way, way_of

__all__ = [
    "DEFAULT_WAYS",
    "RANK_GAP",
    "ActionItem",
    "Agreement",
    "AgreementLine",
    "BulkAct",
    "BusinessSettings",
    "CalendarFeed",
    "Colour",
    "Contact",
    "Customer",
    "Digest",
    "Document",
    "EmailTemplate",
    "Event",
    "FilledTable",
    "Job",
    "JobLine",
    "JobSlot",
    "Line",
    "Note",
    "Notice",
    "NoticeChoice",
    "Opportunity",
    "OpportunityCustomer",
    "OpportunityStage",
    "OpportunityStatus",
    "OpportunityType",
    "OutgoingEmail",
    "Payment",
    "PaymentState",
    "PersonPhone",
    "Quote",
    "QuoteLine",
    "QuoteRecipient",
    "Reason",
    "Recipient",
    "Refund",
    "RefundState",
    "Reminder",
    "Subject",
    "TaxRate",
    "Way",
    "way_of",
]
