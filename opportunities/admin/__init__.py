"""The admin: setup tables first, records to look things up. Boards add their own table from their app."""

from opportunities.admin import business, documents, mail_templates, reasons, records, stages, statuses, tax_rates
from opportunities.admin.site import site

__all__ = ["business", "documents", "mail_templates", "reasons", "records", "site", "stages", "statuses", "tax_rates"]
