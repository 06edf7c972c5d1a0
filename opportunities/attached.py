"""The documents that are attached to a card, read in three statements, and the snapshot that the rules look at."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

from django.db.models import Q

from opportunities import workflow
from opportunities.models import Agreement, BusinessSettings, Job, Opportunity, Quote
from opportunities.states import JobState, QuoteState
from opportunities.workflow import AgreementFacts, ClosedKind, Facts, JobFacts, LostWhen, QuoteFacts

type AnyDocument = Quote | Job | Agreement


@dataclass(slots=True)
class Attached:
    """The documents of one card, dead ones too, each kind in the order of its numbers."""

    quotes: list[Quote] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    agreements: list[Agreement] = field(default_factory=list)

    def __iter__(self):  # type: ignore[no-untyped-def]
        yield from self.quotes
        yield from self.jobs
        yield from self.agreements

    def __bool__(self) -> bool:
        return bool(self.quotes or self.jobs or self.agreements)

    def add(self, document: AnyDocument) -> None:
        """Take a document in, at its place by number; one that has none yet is the last."""
        rows: list[AnyDocument] = self._rows_of(document)
        if all(row.pk != document.pk for row in rows):
            rows.append(document)
            rows.sort(key=lambda row: (row.pk is None, row.pk or 0))

    def remove(self, document: AnyDocument) -> None:
        """Let a document go."""
        rows: list[AnyDocument] = self._rows_of(document)
        rows[:] = [row for row in rows if row.pk != document.pk]

    def _rows_of(self, document: AnyDocument) -> list[AnyDocument]:
        rows: dict[str, list[AnyDocument]] = {
            "quote": self.quotes,  # type: ignore[dict-item]
            "job": self.jobs,  # type: ignore[dict-item]
            "agreement": self.agreements,  # type: ignore[dict-item]
        }
        return rows[document.REF]

    def facts(self, card: Opportunity, *, business: BusinessSettings, today: date) -> Facts:
        """Take the snapshot of a card and these documents that both statuses are worked out from."""
        submitted = sorted(
            (each for each in self.agreements if each.submitted_at is not None),
            key=lambda each: (each.submitted_at, each.pk),
        )
        order = {each.pk: place for place, each in enumerate(submitted, start=1)}
        return Facts(
            today=today,
            closed_kind=ClosedKind(card.closed_kind) if card.closed_kind else None,
            forecast_date=card.forecast_date,
            expiry_waived_for=card.expiry_waived_for,
            quotes=tuple(_quote_facts(each, business, today) for each in self.quotes),
            jobs=tuple(_job_facts(each, business, today) for each in self.jobs),
            agreements=tuple(
                AgreementFacts(
                    status=each.status_on(today),
                    submitted_order=order.get(each.pk),
                    number=each.number,
                    ended_on=each.ended_on,
                    submitted_at=each.submitted_at,
                )
                for each in self.agreements
            ),
            lost_when=LostWhen(business.lost_when),
        )

    def hold(self, today: date) -> tuple[date | None, date | None]:
        """Return from when until when the dates of the documents make of the card what they make of it today."""
        return workflow.holds((each.last_day for each in self if each.last_day is not None), today)


def _quote_facts(quote: Quote, business: BusinessSettings, today: date) -> QuoteFacts:
    return QuoteFacts(
        state=QuoteState(str(quote.state)),
        submit_count=quote.submit_count,
        archived=quote.is_archived,
        expired=quote.is_expired_on(today),
        number=quote.number,
        last_day=quote.last_day,
        died_on=_local(business, min((day for day in (quote.closed_at, quote.archived_at) if day), default=None)),
        declined=quote.declined,
    )


def _job_facts(job: Job, business: BusinessSettings, today: date) -> JobFacts:
    return JobFacts(
        state=JobState(str(job.state)),
        expired=job.is_expired_on(today),
        paid=job.paid,
        refunded=job.refunded,
        number=job.number,
        last_day=job.last_day,
        since=job.attached_on,
        refunded_on=job.refunded_on,
        died_on=_local(business, job.closed_at),
    )


def _local(business: BusinessSettings, moment: datetime | None) -> date | None:
    return None if moment is None else business.local_date(moment)


def to_card(card: Opportunity) -> Attached:
    """Read what is attached to a card; a card that is not saved yet has nothing."""
    return Attached() if card._state.adding else to_cards([card.pk])[card.pk]


def to_cards(
    card_ids: Iterable[int], *, locked: bool = False, also: dict[str, Q] | None = None
) -> "dict[int | None, Attached]":
    """Read what is attached to several cards, by card; with `locked`, until the end of the transaction, in pk order.

    `also` names further documents of each kind, such as one on no card, which stand under None.
    """
    ids = list(card_ids)
    found: dict[int | None, Attached] = {card_id: Attached() for card_id in ids}
    for ref, rows in (
        ("quote", Quote.objects.all()),
        ("job", Job.objects.all()),
        ("agreement", Agreement.objects.all()),
    ):
        if locked:
            rows = rows.select_for_update(no_key=True, of=("self",))
        wanted = Q(opportunity__in=ids) | (also or {}).get(ref, Q(pk__in=()))
        for document in rows.filter(wanted).order_by("pk"):
            found.setdefault(document.opportunity_id, Attached()).add(document)
    return found


def facts_of(card: Opportunity, *, business: BusinessSettings, today: date) -> Facts:
    """Read the snapshot of one card."""
    return to_card(card).facts(card, business=business, today=today)
