"""How a form that is sent twice does its act once: the form's token is the act that history keeps."""

import uuid
from collections.abc import Callable

from django.contrib.auth import get_user_model
from django.db import transaction

from opportunities import history
from opportunities.access import Person
from opportunities.attached import AnyDocument
from opportunities.models import Event


@transaction.atomic
def once(token: uuid.UUID, *, document: AnyDocument, actor: Person, do: Callable[[], object]) -> bool:
    """Do an act on a document unless this form did it already; tells whether it was done now.

    The person is locked, so that two clicks take turns: a double click must not take a payment twice (5.4).
    """
    get_user_model()._default_manager.select_for_update(no_key=True).get(pk=actor.pk)
    if Event.objects.filter(act=token, actor=actor, **{document.REF: document}).exists():
        return False
    with history.acting(act=token):
        do()
    return True
