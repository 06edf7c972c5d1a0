"""The story of a card in sentences: what happened, who or what caused it, both statuses, what can be undone."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from opportunities import activity, history, lifecycle, pipeline, sweep, timeline, timeline_documents
from opportunities.models import BusinessSettings, Event, Opportunity, OpportunityStatus
from tests.factories import (
    NOW,
    ContactFactory,
    CustomerFactory,
    ReasonFactory,
    StageFactory,
    TypeFactory,
    UserFactory,
    make_card,
    starter_rows,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rows():
    return starter_rows()


@pytest.fixture
def ann():
    return UserFactory(role="salesperson", first_name="Ann", last_name="Kowalski")


@pytest.fixture
def card(ann):
    return make_card(actor=ann, title="Lamps")


def story(card: Opportunity, reader, *, now=NOW, before=None) -> timeline.Timeline:
    card = Opportunity.objects.select_related("salesperson").get(pk=card.pk)
    return timeline.of(card, reader=reader, business=BusinessSettings.current(), now=now, before=before)


def latest(card: Opportunity, reader, *, now=NOW) -> timeline.Entry:
    return story(card, reader, now=now).entries[0]


def test_it_begins_with_who_made_the_card(card, ann):
    entry = latest(card, ann)

    assert (entry.sentence, entry.by, entry.when) == ("Created", "Ann Kowalski", "today, 9 a.m.")


def test_a_back_dated_card_says_so(ann):
    card = make_card(actor=ann, forecast_date=date(2025, 1, 1))

    assert latest(card, ann).sentence == "Created, with a forecast date that was past already"


def test_a_copy_names_its_original(card, ann):
    copy = pipeline.duplicate(opportunity_id=card.pk, actor=ann, now=NOW)

    assert latest(copy, ann).sentence == f"Made as a copy of {card.number}"


def test_a_move_names_both_stages(card, ann):
    lead, proposal = StageFactory(name="Lead"), StageFactory(name="Proposal")
    pipeline.move(opportunity_id=card.pk, stage_id=lead.pk, actor=ann, now=NOW)
    pipeline.move(opportunity_id=card.pk, stage_id=proposal.pk, actor=ann, now=NOW)

    assert [entry.sentence for entry in story(card, ann).entries[:2]] == [
        "Moved from Lead to Proposal",
        "Moved from no stage to Lead",
    ]


def test_a_new_place_in_the_column_is_no_new_stage(card, ann):
    other = make_card(actor=ann)
    pipeline.move(opportunity_id=card.pk, stage_id=None, after_id=other.pk, actor=ann, now=NOW)

    assert latest(card, ann).sentence == "Put in another place of its column"


def test_an_edit_says_field_by_field_what_changed(card, ann):
    kind, customer = TypeFactory(name="Service"), CustomerFactory(name="Harbor")
    contact = ContactFactory(customer=customer, name="Lowell")
    pipeline.edit(
        opportunity_id=card.pk,
        title="Lights",
        amount=Decimal(500),
        probability=30,
        forecast_date=date(2025, 7, 1),
        type_id=kind.pk,
        salesperson_id=ann.pk,
        contact_ids=[contact.pk],
        actor=ann,
        now=NOW,
    )

    assert latest(card, ann).details == (
        "Title: Lamps → Lights",
        "Customers: nothing → Harbor (Lowell)",
        "Type: nothing → Service",
        "Amount: nothing → $500",
        "Probability: nothing → 30 %",
        "Forecast date: nothing → 1 Jul 2025",
    )


def test_a_long_text_is_said_to_be_rewritten(card, ann):
    pipeline.edit(opportunity_id=card.pk, description="word " * 100, actor=ann, now=NOW)

    assert latest(card, ann).details == ("Description rewritten",)


def test_the_clock_is_named_as_the_cause_with_the_status_before_and_after(card, ann):
    pipeline.edit(opportunity_id=card.pk, forecast_date=date(2025, 6, 12), actor=ann, now=NOW)
    sweep.run(NOW + timedelta(days=3))

    entry = latest(card, ann, now=NOW + timedelta(days=3))

    assert (entry.sentence, entry.by, entry.tone) == ("The forecast date passed", "nightly run", "warn")
    assert [(change.before, change.after) for change in entry.statuses] == [("Prospect", "Expired")]


def test_a_lost_deal_says_its_reason_and_its_outcome_before_and_after(card, ann, rows):
    reason = ReasonFactory(label="Price")
    pipeline.set_status(opportunity_id=card.pk, status_id=rows["Lost"].pk, reason_id=reason.pk, actor=ann, now=NOW)

    entry = latest(card, ann)

    assert (entry.sentence, entry.tone) == ("Marked as Lost: Price", "bad")
    assert [(change.before, change.after) for change in entry.statuses] == [("Open", "Lost")]


def test_another_reason_for_the_same_status_is_told(card, ann, rows):
    for label in ("Price", "Time"):
        reason = ReasonFactory(label=label)
        pipeline.set_status(opportunity_id=card.pk, status_id=rows["Lost"].pk, reason_id=reason.pk, actor=ann, now=NOW)

    assert latest(card, ann).sentence == "Gave another reason: Time"


def test_a_status_without_a_reason_is_told(card, ann, rows):
    pipeline.set_status(opportunity_id=card.pk, status_id=rows["Won"].pk, actor=ann, now=NOW)

    assert (latest(card, ann).sentence, latest(card, ann).tone) == ("Marked as Won", "good")


def test_notes_and_actions_are_part_of_the_story(card, ann):
    activity.add_note(opportunity_id=card.pk, text="They said yes.", actor=ann, now=NOW)
    item = activity.add_action(opportunity_id=card.pk, text="Call", due_on=NOW.date(), actor=ann, now=NOW)
    activity.edit_action(
        action_id=item.pk, text="Call again", due_on=date(2025, 6, 20), assignee_id=None, actor=ann, now=NOW
    )
    activity.finish_action(action_id=item.pk, actor=ann, now=NOW)
    activity.reopen_action(action_id=item.pk, actor=ann, now=NOW)

    entries = story(card, ann).entries

    assert [entry.sentence for entry in entries[:5]] == [
        "Not done after all: Call again",
        "Done: Call again",
        "Changed the plan: Call again",
        "Planned: Call, due 10 Jun 2025",
        "Note",
    ]
    assert entries[2].details == ("Due: 10 Jun 2025 → 20 Jun 2025",)
    assert entries[4].text == "They said yes."


def test_taking_archiving_and_taking_back_are_told(ann):
    card = make_card(salesperson_id=None)
    pipeline.edit(opportunity_id=card.pk, salesperson_id=ann.pk, actor=ann, now=NOW)
    lifecycle.archive(opportunity_id=card.pk, actor=ann, now=NOW)
    lifecycle.unarchive(opportunity_id=card.pk, actor=ann, now=NOW)

    assert [entry.sentence for entry in story(card, ann).entries[:3]] == [
        "Taken back from the archive",
        "Archived",
        "Taken by Ann Kowalski",
    ]


def test_an_undone_change_says_what_is_back(card, ann):
    edited = pipeline.edit(opportunity_id=card.pk, title="Lights", actor=ann, now=NOW)
    pipeline.undo(event_id=edited.last_event_id, actor=ann, now=NOW)

    entry = latest(card, ann)

    assert (entry.sentence, entry.details) == ("Undid a change of: title", ("Title: Lights → Lamps",))


def test_a_name_that_is_gone_does_not_break_the_story(card, ann):
    stage = StageFactory()
    pipeline.move(opportunity_id=card.pk, stage_id=stage.pk, actor=ann, now=NOW)
    pipeline.move(opportunity_id=card.pk, stage_id=None, actor=ann, now=NOW)
    stage.delete()

    assert latest(card, ann).sentence == "Moved from something that was deleted to no stage"


def test_a_kind_that_later_versions_write_is_told_by_its_changes(card, ann):
    with history.acting(via=Event.Via.ADMIN):
        history.write(card, kind="of the future", changes={"title": ["a", "b"]}, before={}, actor=ann, now=NOW)

    entry = latest(card, ann)

    assert (entry.sentence, entry.details) == ("Changed: title", ("Title: a → b",))
    assert entry.by == "Ann Kowalski, in the settings"


class TestUndo:
    def test_ones_own_change_of_today_can_be_undone(self, card, ann):
        pipeline.edit(opportunity_id=card.pk, title="Lights", actor=ann, now=NOW)

        assert latest(card, ann).undoable

    def test_a_change_of_yesterday_cannot(self, card, ann):
        pipeline.edit(opportunity_id=card.pk, title="Lights", actor=ann, now=NOW)

        assert not latest(card, ann, now=NOW + timedelta(hours=25)).undoable

    def test_somebody_elses_change_can_only_be_undone_by_a_manager(self, card, ann):
        manager = UserFactory(role="manager")
        sam = UserFactory(role="salesperson")
        pipeline.edit(opportunity_id=card.pk, title="Lights", actor=ann, now=NOW)

        assert [latest(card, reader).undoable for reader in (manager, sam)] == [True, False]

    def test_only_the_newest_change_of_a_fact_is_offered(self, card, ann):
        pipeline.edit(opportunity_id=card.pk, title="Lights", actor=ann, now=NOW)
        pipeline.edit(opportunity_id=card.pk, amount=Decimal(5), actor=ann, now=NOW)
        pipeline.edit(opportunity_id=card.pk, title="Lanterns", actor=ann, now=NOW)

        assert [entry.undoable for entry in story(card, ann).entries] == [True, True, False, False]

    def test_notes_are_not_undone(self, card, ann):
        activity.add_note(opportunity_id=card.pk, text="Yes", actor=ann, now=NOW)

        assert not latest(card, ann).undoable

    def test_an_older_page_knows_what_came_later(self, card, ann):
        pipeline.edit(opportunity_id=card.pk, title="Lights", actor=ann, now=NOW)
        for number in range(timeline.PAGE):
            pipeline.edit(opportunity_id=card.pk, title=f"Lights {number}", actor=ann, now=NOW)
        first = story(card, ann)

        older = story(card, ann, before=first.older)

        assert [entry.undoable for entry in older.entries] == [False, False]


def test_a_long_story_comes_in_pages_and_loses_nothing(card, ann):
    for number in range(timeline.PAGE + 5):
        pipeline.edit(opportunity_id=card.pk, title=f"Lights {number}", actor=ann, now=NOW)

    first = story(card, ann)
    second = story(card, ann, before=first.older)

    assert len(first.entries) == timeline.PAGE
    assert (len(second.entries), second.older) == (6, None)
    assert not {entry.pk for entry in first.entries} & {entry.pk for entry in second.entries}


def test_days_are_those_of_the_business_not_of_the_server(card, ann):
    BusinessSettings.objects.update(time_zone="Asia/Tokyo")
    late = NOW.replace(hour=20)
    pipeline.edit(opportunity_id=card.pk, title="Lights", actor=ann, now=late)

    assert latest(card, ann, now=late).when_full == "Wednesday, 11 June 2025, 5 a.m."


def test_statuses_are_never_named_by_their_code(card, ann, rows):
    pipeline.set_status(opportunity_id=card.pk, status_id=rows["Inactive"].pk, actor=ann, now=NOW)

    assert latest(card, ann).sentence == "Marked as Inactive"
    assert OpportunityStatus.objects.get(name="Inactive").outcome == "none"


def test_every_kind_of_event_has_a_sentence_and_a_name():
    assert set(timeline.KINDS) == set(timeline._SENTENCES) | set(timeline_documents.SENTENCES)
