"""Tax rates as admins keep them: what a line carries is copied to it, so no document changes with the table."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from opportunities import access, setup_rows
from opportunities.access import Person
from opportunities.errors import Blocker, Refused, Stale
from opportunities.models import AgreementLine, JobLine, QuoteLine, TaxRate

FIELDS = ("name", "percent", "is_default", "active")
_LINES: tuple[Any, ...] = (QuoteLine, JobLine, AgreementLine)


@transaction.atomic
def create(*, actor: Person | None, now: datetime, **fields: Any) -> TaxRate:
    """Make a tax rate. A new default takes over from the old one.

    :raises ValidationError: a field is out of its bounds, or the name is taken.
    :raises NotAllowed: the actor is no admin.
    """
    access.require(actor, "settings")
    _locked()
    rate = TaxRate()
    _write(rate, fields)
    return rate


@transaction.atomic
def edit(*, rate_id: int, actor: Person | None, now: datetime, **fields: Any) -> TaxRate:
    """Change a tax rate. Lines that carry it keep the percentage they were made with. Errors as `create`.

    A rate that is retired is no default any more.
    """
    access.require(actor, "settings")
    rate = _locked().get(rate_id)
    if rate is None:
        raise TaxRate.DoesNotExist
    if fields.get("active") is False:
        fields["is_default"] = False
    _write(rate, fields)
    return rate


def set_default(*, rate_id: int, actor: Person | None, now: datetime) -> TaxRate:
    """Let new lines begin with this rate. Errors as `create`; a retired rate is refused as a ValidationError."""
    return edit(rate_id=rate_id, is_default=True, actor=actor, now=now)


def retire(*, rate_id: int, actor: Person | None, now: datetime) -> TaxRate:
    """Offer a rate no longer; the lines that carry it keep it. Errors as `create`."""
    return edit(rate_id=rate_id, active=False, actor=actor, now=now)


def activate(*, rate_id: int, actor: Person | None, now: datetime) -> TaxRate:
    """Offer a retired rate again. Errors as `create`."""
    return edit(rate_id=rate_id, active=True, actor=actor, now=now)


def delete(*, rate_id: int, actor: Person | None, now: datetime) -> None:
    """Delete a rate that no line carries.

    :raises Refused: TAX_RATE_USED: lines carry it. Retire it instead, they keep it.
    :raises NotAllowed: the actor is no admin.
    """
    access.require(actor, "settings")
    try:
        with transaction.atomic():
            rate = _locked().get(rate_id)
            if rate is None:
                raise TaxRate.DoesNotExist
            blocker = blocker_to_delete(rate)
            if blocker is not None:
                raise Refused(blocker)
            rate.delete()
    except IntegrityError as error:
        raise Stale(None, _("A line was given this rate just now. Try again.")) from error


def lines_with(rate: TaxRate) -> int:
    """Count the lines of all documents that carry the rate."""
    return sum(model.objects.filter(tax_rate=rate).count() for model in _LINES)


def blocker_to_delete(rate: TaxRate) -> Blocker | None:
    """Say why this rate cannot be deleted; None where it can."""
    if not any(model.objects.filter(tax_rate=rate).exists() for model in _LINES):
        return None
    words = _("“%(rate)s” stands on lines of documents. Retire it instead: they keep it, and nobody can choose it.")
    return Blocker("TAX_RATE_USED", words % {"rate": rate.name}, subject=rate.name)


def _locked() -> dict[int, TaxRate]:
    """Lock all rates in the order of their keys: the table is small, and only one of them may be the default."""
    return {row.pk: row for row in TaxRate.objects.select_for_update(no_key=True).order_by("pk")}


def _write(rate: TaxRate, fields: dict[str, Any]) -> None:
    """Switch the default over and write the row. :raises ValidationError: a retired rate would be the default."""
    if fields.get("is_default"):
        if not fields.get("active", rate.active):
            raise ValidationError({"is_default": _("A retired tax rate cannot be the default.")})
        TaxRate.objects.exclude(pk=rate.pk).filter(is_default=True).update(is_default=False)
    setup_rows.write(rate, fields, FIELDS)
