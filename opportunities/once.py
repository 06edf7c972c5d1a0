"""How a form that is sent twice does its act once: the form's token is the act that history keeps."""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction

from opportunities import history
from opportunities.access import Person
from opportunities.attached import AnyDocument
from opportunities.models import Event


@transaction.atomic
def once(token: uuid.UUID, *, document: AnyDocument, actor: Person, do: Callable[[], object]) -> bool:
    """Do an act on a document unless this form did it already; tells whether it was done now.

    A double click must not take a payment twice (5.4).
    """
    if _done(token, actor, **{document.REF: document}) is not None:
        return False
    with history.acting(act=token):
        do()
    return True


def is_done(token: uuid.UUID, document: AnyDocument) -> bool:
    """Tell whether this form has acted on the document already."""
    return Event.objects.filter(act=token, **{document.REF: document}).exists()


@transaction.atomic
def once_made(token: uuid.UUID, kind: str, *, ref: str, actor: Person, make: Callable[[], Any]) -> Any:
    """Return the document that this form has made or changed already, or let it be done."""
    event = _done(token, actor, kind=kind, **{f"{ref}__isnull": False})
    if event is not None:
        return getattr(event, ref)
    with history.acting(act=token):
        return make()


def _done(token: uuid.UUID, actor: Person, **about: Any) -> Event | None:
    """Find what history says of this form. The person is locked, so that two clicks take turns."""
    get_user_model()._default_manager.select_for_update(no_key=True).get(pk=actor.pk)
    return Event.objects.filter(act=token, actor=actor, **about).order_by("pk").first()
