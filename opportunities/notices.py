"""The verbs of being told: reading notices, and choosing how to be told of what."""

from collections.abc import Mapping
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from opportunities.access import Person
from opportunities.models import DEFAULT_WAYS, Notice, NoticeChoice, Subject, Way


def read(*, notice_id: int, actor: Person, now: datetime) -> Notice:
    """Note that this person has read a notice of theirs. :raises Notice.DoesNotExist: it is not theirs."""
    found = Notice.objects.shown().select_related("opportunity").get(pk=notice_id, person=actor)
    if found.read_at is None:
        found.read_at = now
        found.save(update_fields=["read_at"])
    return found


def read_all(*, until: int, actor: Person, now: datetime) -> int:
    """Note that this person has read all notices up to the newest one they were shown; returns how many those were."""
    return Notice.objects.unread().filter(person=actor, pk__lte=until).update(read_at=now)


def choices_of(person: Person) -> dict[Subject, Way]:
    """Return how this person is told of each subject."""
    chosen = dict(NoticeChoice.objects.filter(person=person).values_list("subject", "way"))
    return {subject: Way(chosen.get(subject.value, default.value)) for subject, default in DEFAULT_WAYS.items()}


@transaction.atomic
def choose(*, ways: Mapping[str, str], actor: Person, now: datetime) -> None:
    """Choose how to be told of each subject that is named. It counts for what happens from now on.

    :raises ValidationError: a subject or a way that there is not.
    """
    for subject, way in ways.items():
        if subject not in Subject.values or way not in Way.values:
            raise ValidationError(_("That cannot be chosen. Load the page again, then choose once more."))
        NoticeChoice.objects.update_or_create(person=actor, subject=subject, defaults={"way": way})
