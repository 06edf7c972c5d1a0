"""Notices by mail: those wanted at once, gathered by person, and the one mail of each morning.

Both run as jobs, find their work in the database, and hand each mail to the outbox in the transaction that notes it.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from opportunities import days, notice_words, outbox
from opportunities.access import Person
from opportunities.models import BusinessSettings, Digest, Notice, OutgoingEmail, Subject, Way
from opportunities.telling import SUBJECTS

log = logging.getLogger(__name__)

DIGEST_AT = time(7, 0)
"""When the mail of the morning goes out, on the business's wall clock."""

LISTED = 50
"""How many notices one mail spells out; of the others it says how many they are."""


def send_at_once(now: datetime) -> dict[str, object]:
    """Mail each person what they want to hear of at once and have not read yet: what came together, in one mail."""
    waiting = Notice.objects.to_mail(Way.MAIL)
    return _for_each(waiting.values_list("person", flat=True).distinct(), lambda pk: _mail_at_once(pk, now))


def send_digests(now: datetime) -> dict[str, object]:
    """Mail each person what waits for the morning, once a local day and only if there is something.

    What came after seven waits for the next morning, however late today's mail goes out.
    """
    business = BusinessSettings.current()
    today = business.local_date(now)
    seven = datetime.combine(today, DIGEST_AT, tzinfo=business.zone)
    if now < seven:
        return {"mails": 0, "failed": 0}
    waiting = Notice.objects.to_mail(Way.DIGEST).filter(created_at__lt=seven)
    people = waiting.values_list("person", flat=True).distinct()
    return _for_each(people, lambda pk: _mail_digest(pk, today, seven, now))


def _for_each(people: Iterable[int], mail: Callable[[int], bool]) -> dict[str, object]:
    """Serve one person after the other, each in a transaction; who fails is logged and does not keep the others."""
    sent = failed = 0
    for person_id in list(people):
        try:
            with transaction.atomic():
                sent += mail(person_id)
        except Exception:
            log.exception("Notices could not be mailed.", extra={"person": person_id})
            failed += 1
    return {"mails": sent, "failed": failed}


def _mail_at_once(person_id: int, now: datetime) -> bool:
    person, claimed = _claim(person_id, Way.MAIL, now)
    if person is None or not claimed:
        return False
    today = BusinessSettings.current().local_date(now)
    reminders = [notice for notice in claimed if SUBJECTS[Notice.Kind(notice.kind)] is Subject.REMINDER]
    # Each for itself, so that closing its card can still call it off.
    for notice in reminders:
        _queue(OutgoingEmail.Kind.REMINDER, person, [notice], _subject([notice], today), today, now)
    others = [notice for notice in claimed if notice not in reminders]
    if others:
        _queue(OutgoingEmail.Kind.NOTICE, person, others, _subject(others, today), today, now)
    return True


def _mail_digest(person_id: int, today: date, seven: datetime, now: datetime) -> bool:
    # Locking the person keeps a second worker waiting until the first one's mail is noted.
    get_user_model()._default_manager.select_for_update(no_key=True).filter(pk=person_id).first()
    if Digest.objects.filter(person=person_id, day__gte=today).exists():
        return False
    person, claimed = _claim(person_id, Way.DIGEST, now, before=seven)
    if person is None or not claimed:
        return False
    Digest.objects.create(person=person, day=today, sent_at=now, notices=len(claimed))
    count = len(claimed)
    subject = ngettext("Your morning: %(count)s thing to know", "Your morning: %(count)s things to know", count)
    _queue(OutgoingEmail.Kind.DIGEST, person, claimed, subject % {"count": count}, today, now)
    return True


def _claim(
    person_id: int, way: Way, now: datetime, *, before: datetime | None = None
) -> tuple[Person | None, list[Notice]]:
    """Take what waits for this person, so that no other worker mails it; what was read meanwhile is passed over."""
    waiting = Notice.objects.to_mail(way).filter(person=person_id)
    if before is not None:
        waiting = waiting.filter(created_at__lt=before)
    person = get_user_model()._default_manager.filter(pk=person_id, is_active=True).exclude(email="").first()
    waiting.exclude(read_at=None).update(mail=Notice.Mail.PASSED)
    if person is None:
        waiting.update(mail=Notice.Mail.PASSED)
        return None, []
    rows = waiting.select_for_update(of=("self",), skip_locked=True).select_related("opportunity").order_by("pk")
    claimed = list(rows)
    Notice.objects.filter(pk__in=[notice.pk for notice in claimed]).update(mail=Notice.Mail.SENT, mailed_at=now)
    return person, claimed


def _subject(notices: Sequence[Notice], today: date) -> str:
    if len(notices) > 1:
        count = len(notices)
        words = ngettext("%(count)s thing happened on your cards", "%(count)s things happened on your cards", count)
        return words % {"count": count}
    (notice,) = notices
    return f"{notice.parameters.get('number', '')}: {notice_words.sentence(notice, today)}"[:200]


def _queue(kind: str, person: Person, notices: Sequence[Notice], subject: str, today: date, now: datetime) -> None:
    """Hand a mail to the outbox. It names a card only where all of it is about that one."""
    cards = {notice.opportunity_id for notice in notices}
    outbox.queue(
        kind=kind,
        to=[person.email],
        subject=" ".join(subject.split()),
        body=_body(notices, today),
        opportunity=notices[0].opportunity if len(cards) == 1 else None,
        person=person,
        actor=None,
        now=now,
    )


def _body(notices: Sequence[Notice], today: date) -> str:
    """Write the mail: by card, each with its address, the newest card last as things happened."""
    by_card: dict[int, list[Notice]] = {}
    for notice in notices[:LISTED]:
        by_card.setdefault(notice.opportunity_id, []).append(notice)
    parts = [days.full(today)]
    for told in by_card.values():
        card = told[0]
        head = f"{card.parameters.get('number', '')} {card.parameters.get('title', '')}"
        lines = [f"- {notice_words.sentence(notice, today)}" for notice in told]
        parts.append("\n".join([head, *lines, settings.STAGEBOARD_URL + card.opportunity.get_absolute_url()]))
    more = len(notices) - LISTED
    if more > 0:
        words = ngettext(
            "And %(count)s more, in the list of notices:", "And %(count)s more, in the list of notices:", more
        )
        parts.append(f"{words % {'count': more}}\n{settings.STAGEBOARD_URL}{reverse('opportunities:notices')}")
    day = settings.STAGEBOARD_URL + reverse("opportunities:my-day")
    own = settings.STAGEBOARD_URL + reverse("opportunities:profile")
    parts.append(_("Your day: %(url)s") % {"url": day})
    parts.append(_("How you are told is up to you: %(url)s") % {"url": own})
    return "\n\n".join(parts) + "\n"
