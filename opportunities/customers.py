"""Customers and their contacts: making them and keeping the cards that show them true."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from opportunities import access, faces
from opportunities.access import Person
from opportunities.errors import Stale
from opportunities.keys import comparison_key
from opportunities.models import Agreement, Contact, Customer, Job, OpportunityCustomer, Quote

A_MOMENT = timedelta(seconds=10)
"""What one person sends again within it is a double click."""

CHUNK = 500
"""How many documents are written at a time when their customer changes its name."""

LONGEST = {"address": 2_000, "notes": 20_000}
"""How many characters the long texts of a customer may have."""

_NUMBERED = re.compile(r"(?P<name>.+) #(?P<pk>[0-9]{1,18})")


def create(*, name: str, actor: Person | None, now: datetime, **fields: Any) -> Customer:
    """Make a customer; sent twice in a moment, it is one. `fields`: kind, email, phone, address, notes.

    :raises ValidationError: a field is out of its bounds.
    :raises NotAllowed: the actor has no role.
    """
    access.require(actor, "create")
    customer = Customer(name=_line(name), created_at=now, created_by=actor, **fields)
    _check(customer)
    with transaction.atomic():
        again = _just_made(customer, now)
        if again is not None:
            return again
        customer.save()
    return customer


def _just_made(wanted: Customer, now: datetime) -> Customer | None:
    """Return the same customer, if the same person made it a moment ago: a double click. Their forms take turns."""
    if wanted.created_by is None:
        return None
    get_user_model()._default_manager.select_for_update(no_key=True).get(pk=wanted.created_by.pk)
    typed = {name: getattr(wanted, name) for name in ("name", "kind", "email", "phone", "address", "notes")}
    own = Customer.objects.filter(created_by=wanted.created_by, created_at__gt=now - A_MOMENT, **typed)
    return own.order_by("pk").first()


def named(name: str, *, actor: Person | None, now: datetime) -> Customer:
    """Return the customer of this name, compared without regard to case and accents, or make it."""
    return by_label(name) or create(name=name, actor=actor, now=now)


def by_label(label: str) -> Customer | None:
    """Return the customer that a label of `labels` names, compared without regard to case and accents."""
    numbered = _NUMBERED.fullmatch(label)
    if numbered:
        customer = Customer.objects.filter(pk=int(numbered["pk"])).first()
        if customer is not None and comparison_key(customer.name) == comparison_key(numbered["name"]):
            return customer
    key = comparison_key(label)
    if not key:
        return None
    for customer in Customer.objects.filter(search_key__startswith=key[:400]).order_by("pk"):
        if comparison_key(customer.name) == key:
            return customer
    return None


def labels(customers: Iterable[Customer]) -> list[str]:
    """Name customers so that each label leads back to one: of those that share a name, all carry their number."""
    rows = list(customers)
    counted = Counter(comparison_key(customer.name) for customer in rows)
    return [
        f"{customer.name} #{customer.pk}" if counted[comparison_key(customer.name)] > 1 else customer.name
        for customer in rows
    ]


def search(words: str) -> QuerySet[Customer]:
    """Return the customers whose name, e-mail or phone, or one of whose contacts, has these words; by name."""
    rows = Customer.objects.order_by("search_key", "pk")
    key = comparison_key(words)
    if not key:
        return rows
    at_contact = Contact.objects.filter(customer=OuterRef("pk"), search_key__contains=key)
    return rows.filter(Q(search_key__contains=key) | Exists(at_contact))


@transaction.atomic
def edit(
    *, customer_id: int, seen: Mapping[str, Any] | None = None, actor: Person | None, now: datetime, **fields: Any
) -> Customer:
    """Change a customer; the cards that show its name follow. Errors as `create`.

    `seen` is what the page showed: where somebody has changed one of the named fields since, nothing is written.

    :raises Stale: a named field was changed since; `fresh` is the customer as it is.
    """
    access.require(actor, "edit")
    customer = Customer.objects.select_for_update(no_key=True).get(pk=customer_id)
    _require_as_seen(customer, seen or {}, fields)
    old = customer.name
    for name, value in fields.items():
        setattr(customer, name, _line(value) if name == "name" else value)
    _check(customer)
    customer.save()
    if customer.name != old:
        _refresh_cards(customer_id=customer.pk)
        _refresh_documents(customer)
    return customer


@transaction.atomic
def add_contact(*, customer_id: int, name: str, actor: Person | None, now: datetime, **fields: Any) -> Contact:
    """Make a contact at a customer; one that is there with the very same facts is the answer to a double click.

    `fields`: role, email, phone. Errors as `create`.
    """
    access.require(actor, "create")
    customer = Customer.objects.select_for_update(no_key=True).get(pk=customer_id)
    contact = Contact(customer=customer, name=_line(name), **fields)
    _check(contact)
    typed = {name: getattr(contact, name) for name in ("name", "role", "email", "phone", "active")}
    again = Contact.objects.filter(customer=customer, **typed).order_by("pk").first()
    if again is not None:
        return again
    contact.save()
    return contact


@transaction.atomic
def edit_contact(
    *, contact_id: int, seen: Mapping[str, Any] | None = None, actor: Person | None, now: datetime, **fields: Any
) -> Contact:
    """Change a contact; the cards that show its name follow. Errors as `edit`."""
    access.require(actor, "edit")
    contact = Contact.objects.select_for_update(no_key=True, of=("self",)).get(pk=contact_id)
    _require_as_seen(contact, seen or {}, fields)
    old = contact.name
    for name, value in fields.items():
        setattr(contact, name, _line(value) if name == "name" else value)
    _check(contact)
    contact.save()
    if contact.name != old:
        _refresh_cards(contact_id=contact.pk)
    return contact


def _require_as_seen(row: Customer | Contact, seen: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    """Refuse to write over what somebody else has changed since the page was opened."""
    for name in fields.keys() & seen.keys():
        present = as_typed(getattr(row, name))
        if present not in (as_typed(seen[name]), as_typed(fields[name])):
            raise Stale(row, _("Someone else changed %(name)s while you had it open.") % {"name": row.name})


def as_typed(value: Any) -> Any:
    """A value as it can be compared with another: a text area sends its line ends as CR LF."""
    return value.replace("\r\n", "\n").strip() if isinstance(value, str) else value


def _refresh_documents(customer: Customer) -> None:
    """Let the customer's documents be found by its new name."""
    for model in (Quote, Job, Agreement):
        rows: Any = model._default_manager.filter(customer=customer).order_by("pk")
        for start in range(0, rows.count(), CHUNK):
            found = list(rows[start : start + CHUNK])
            for document in found:
                document.customer = customer
                document.compose_search_key()
            rows.model.objects.bulk_update(found, ["search_key"])


def _refresh_cards(**who: int) -> None:
    faces.compose_many(OpportunityCustomer.objects.filter(**who).values_list("opportunity_id", flat=True))


def _check(row: Customer | Contact) -> None:
    row.full_clean(exclude={"search_key", "created_at"})
    for name, most in LONGEST.items():
        if len(getattr(row, name, "")) > most:
            raise ValidationError({name: _("That is too long: %(limit)s characters at most.") % {"limit": most}})


def _line(name: Any) -> str:
    text = " ".join(str(name).replace("\x00", "").split())
    if not text:
        raise ValidationError({"name": _("Give a name.")})
    return text
