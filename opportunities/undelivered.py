"""Mails to customers that could not be delivered: the salesperson of the card is told of each, once."""

from datetime import datetime, timedelta

from opportunities import telling
from opportunities.models import Notice, OutgoingEmail

TO_CUSTOMERS = (OutgoingEmail.Kind.CANCEL, OutgoingEmail.Kind.QUOTE, OutgoingEmail.Kind.AGREEMENT)
"""Kinds of mails that a salesperson has to know about; a notice that fails tells nobody, or it would go on for ever."""

GIVEN_UP = (OutgoingEmail.State.FAILED, OutgoingEmail.State.UNSURE)
WITHIN = timedelta(days=30)
"""How old a mail may be that is told of: no mail is tried for longer."""

BATCH = 500


def tell(now: datetime) -> int:
    """Tell of the mails that were given up, or perhaps not taken; returns how many notices were written.

    Any number of runs and of workers at once tell each person once of a mail.
    """
    rows = OutgoingEmail.objects.filter(state__in=GIVEN_UP, kind__in=TO_CUSTOMERS, created_at__gt=now - WITHIN)
    rows = rows.filter(opportunity__salesperson__isnull=False).select_related("opportunity").order_by("pk")
    told = last = 0
    while batch := list(rows.filter(pk__gt=last)[:BATCH]):
        told += _tell(batch, now)
        last = batch[-1].pk
    return told


def _tell(mails: list[OutgoingEmail], now: datetime) -> int:
    wanted = {}
    for mail in mails:
        card = mail.opportunity
        if card is None or card.salesperson_id is None:
            continue
        about = f"mail:{mail.pk}:{mail.state}"
        said = {"to": ", ".join(mail.to), "subject": mail.subject, "unsure": mail.state == OutgoingEmail.State.UNSURE}
        person = card.salesperson_id
        wanted[person, about] = telling.notice(person, Notice.Kind.MAIL_FAILED, card, now, said, about=about)
    held = Notice.objects.filter(about__in={about for _person, about in wanted}).values_list("person_id", "about")
    for pair in held:
        wanted.pop(pair, None)
    # Of two workers at once, the slower one finds the rows there.
    Notice.objects.bulk_create(wanted.values(), ignore_conflicts=True)
    return len(wanted)
