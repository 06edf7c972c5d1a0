"""The admin: setup tables first, records to look things up. Boards add their own table from their app."""

from opportunities.admin import business, reasons, records, stages, statuses
from opportunities.admin.site import site

__all__ = ["business", "reasons", "records", "site", "stages", "statuses"]
