"""What people are told: notices in the product, by which way each person wants which kind, and the morning digests."""

from collections.abc import Mapping
from typing import Self, override

from django.conf import settings
from django.db import models
from django.db.models import Q, Subquery, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from opportunities.models.history import Event
from opportunities.models.opportunity import Opportunity


class Subject(models.TextChoices):
    """What a person may be told of; each has a way of its own (issue 4, point 6)."""

    OPENED = "opened", _("A customer opens a quote or agreement")
    ANSWERED = "answered", _("A customer accepts or declines")
    REMINDER = "reminder", _("A reminder of an action item")
    REASSIGNED = "reassigned", _("Somebody gives you a card, or takes one from you")
    RESULT = "result", _("A card of yours is won or lost, not by you")
    CLOSED = "closed", _("Somebody voids or cancels a card of yours")
    EXPIRED = "expired", _("The forecast date of a card of yours passes")
    LAPSING = "lapsing", _("A document of a card of yours lapses within 3 days")
    MAIL_FAILED = "failed", _("A mail to a customer could not be delivered")


class Way(models.TextChoices):
    """How somebody is told. Whatever is not switched off is shown in the product, too."""

    PRODUCT = "product", _("Here only")
    DIGEST = "digest", _("Here and in the morning mail")
    MAIL = "mail", _("Here and by mail at once")
    OFF = "off", _("Not at all")


DEFAULT_WAYS: Mapping[Subject, Way] = {
    Subject.OPENED: Way.PRODUCT,
    Subject.ANSWERED: Way.MAIL,
    Subject.REMINDER: Way.MAIL,
    Subject.REASSIGNED: Way.MAIL,
    Subject.RESULT: Way.DIGEST,
    Subject.CLOSED: Way.DIGEST,
    Subject.EXPIRED: Way.DIGEST,
    Subject.LAPSING: Way.DIGEST,
    Subject.MAIL_FAILED: Way.MAIL,
}
"""How people are told until they choose otherwise; what the clock does is collected in the mail of the morning."""


class NoticeChoice(models.Model):
    """How one person wants to be told of one subject; without a row, as `DEFAULT_WAYS` says."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notice_choices")
    subject = models.CharField(max_length=10, choices=Subject)
    way = models.CharField(max_length=7, choices=Way)

    class Meta:
        verbose_name = _("way of being told")
        verbose_name_plural = _("ways of being told")
        constraints = (
            models.UniqueConstraint(fields=("person", "subject"), name="notice_choice_once_a_subject"),
            models.CheckConstraint(condition=Q(subject__in=Subject.values), name="notice_choice_subject_known"),
            models.CheckConstraint(condition=Q(way__in=Way.values), name="notice_choice_way_known"),
        )

    @override
    def __str__(self) -> str:
        return f"{self.person_id} {self.subject}: {self.way}"


def way_of(person_id: int, subject: Subject) -> Combinable:
    """Return the way that this person wants to be told by, for the database to look up while the notice is written."""
    chosen = NoticeChoice.objects.filter(person=person_id, subject=subject).values("way")
    return Coalesce(Subquery(chosen), Value(DEFAULT_WAYS[subject].value), output_field=models.CharField())


class NoticeQuerySet(models.QuerySet["Notice"]):
    """The vocabulary for notices."""

    def shown(self) -> Self:
        """Those that the product shows: the person has not switched them off."""
        return self.exclude(way=Way.OFF.value)

    def unread(self) -> Self:
        """Those that are shown and wait to be read."""
        return self.shown().filter(read_at=None)

    def to_mail(self, way: Way) -> Self:
        """Those that wait to be mailed this way, at once or in the morning."""
        return self.filter(way=way.value, mail="")


class Notice(models.Model):
    """Something that a person should know about a card of theirs, and whether they have seen it.

    Most come from an event of history, in its transaction and once a person; those that no event tells of (a reminder,
    a document about to lapse, a failed mail) name in `about` what they are about, once a person as well.
    """

    class Kind(models.TextChoices):
        """What happened."""

        OPENED = "opened", _("Opened by the customer")
        ACCEPTED = "accepted", _("Accepted by the customer")
        DECLINED = "declined", _("Declined by the customer")
        REMINDER = "reminder", _("Reminder")
        GIVEN = "given", _("Card given to you")
        TAKEN = "taken", _("Card given to somebody else")
        WON = "won", _("Won")
        LOST = "lost", _("Lost")
        VOIDED = "voided", _("Voided")
        CANCELED = "canceled", _("Canceled")
        EXPIRED = "expired", _("Expired")
        LAPSING = "lapsing", _("Document about to lapse")
        MAIL_FAILED = "failed", _("Mail not delivered")

    class Mail(models.TextChoices):
        """What became of it by mail: nothing yet, sent, or passed over because it was read or void by then."""

        NONE = "", _("not mailed")
        SENT = "sent", _("mailed")
        PASSED = "passed", _("not to be mailed any more")

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices", db_index=False
    )
    opportunity = models.ForeignKey(Opportunity, on_delete=models.CASCADE, related_name="notices")
    event = models.ForeignKey(Event, on_delete=models.CASCADE, null=True, related_name="notices", db_index=False)
    about = models.CharField(max_length=60, blank=True, default="")
    kind = models.CharField(max_length=10, choices=Kind)
    parameters = models.JSONField(default=dict)
    way = models.CharField(max_length=7, choices=Way)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    mail = models.CharField(max_length=6, choices=Mail, blank=True, default=Mail.NONE)
    mailed_at = models.DateTimeField(null=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        constraints = (
            models.UniqueConstraint(
                fields=("person", "event"), condition=Q(event__isnull=False), name="notice_once_an_event"
            ),
            models.UniqueConstraint(fields=("person", "about"), condition=~Q(about=""), name="notice_once_a_matter"),
            models.CheckConstraint(
                condition=Q(event__isnull=False, about="") | Q(event__isnull=True) & ~Q(about=""),
                name="notice_of_event_or_matter",
            ),
            models.CheckConstraint(
                condition=Q(
                    kind__in=(
                        "opened",
                        "accepted",
                        "declined",
                        "reminder",
                        "given",
                        "taken",
                        "won",
                        "lost",
                        "voided",
                        "canceled",
                        "expired",
                        "lapsing",
                        "failed",
                    )
                ),
                name="notice_kind_known",
            ),
            models.CheckConstraint(condition=Q(way__in=Way.values), name="notice_way_known"),
            models.CheckConstraint(
                condition=Q(mail="sent", mailed_at__isnull=False, way__in=("mail", "digest"))
                | Q(mail__in=("", "passed"), mailed_at__isnull=True),
                name="notice_mailed_at_iff_mailed",
            ),
        )
        indexes = (
            # The bell: how many wait to be read.
            models.Index(
                fields=("person", "-id"), condition=Q(read_at__isnull=True) & ~Q(way="off"), name="notice_unread"
            ),
            # The page of all notices of a person, newest first.
            models.Index(fields=("person", "-id"), condition=~Q(way="off"), name="notice_of_person"),
            # What is to be mailed, by way and person.
            models.Index(
                fields=("way", "person", "id"),
                condition=Q(mail="", way__in=("mail", "digest")),
                name="notice_to_mail",
            ),
        )

    @override
    def __str__(self) -> str:
        return f"{self.kind} {self.opportunity_id} for {self.person_id}"


class Digest(models.Model):
    """The mail of one morning to one person: once a local day, whatever the clock or the time zone does."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    sent_at = models.DateTimeField()
    notices = models.PositiveIntegerField()

    class Meta:
        verbose_name = _("morning digest")
        verbose_name_plural = _("morning digests")
        constraints = (
            models.UniqueConstraint(fields=("person", "day"), name="digest_once_a_day"),
            models.CheckConstraint(condition=Q(notices__gte=1), name="digest_not_empty"),
        )

    @override
    def __str__(self) -> str:
        return f"{self.person_id} {self.day}"
