"""What salespeople do with a card: make it, change it, move it, decide it, copy it, and take a change back."""

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from opportunities import activity, customers, history, lifecycle, people, pipeline
from opportunities.errors import NotAllowed, Refused, Stale
from opportunities.models import ActionItem, BusinessSettings, Event, Opportunity, OpportunityStage
from tests.factories import (
    NOW,
    ContactFactory,
    CustomerFactory,
    ReasonFactory,
    StageFactory,
    UserFactory,
    make_card,
    starter_rows,
)

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(minutes=5)
TODAY = NOW.date()
YESTERDAY = TODAY - timedelta(days=1)


@pytest.fixture
def ann():
    return UserFactory(username="ann")


@pytest.fixture
def manager():
    return UserFactory(role="manager")


def events(card):
    return list(Event.objects.filter(opportunity=card).order_by("pk"))


class TestCreate:
    def test_a_new_card_is_an_open_prospect_of_the_person_who_made_it(self, ann):
        card = make_card(actor=ann, title="  Rooftop   unit ")

        card = Opportunity.objects.get(pk=card.pk)
        assert card.title == "Rooftop unit"
        assert (card.workflow_status, card.sales_status, card.sales_rule) == ("prospect", "none", "P9")
        assert card.salesperson == ann
        assert card.status.is_default
        assert [event.kind for event in events(card)] == ["created"]

    def test_a_back_dated_card_is_expired_at_once(self, ann):
        card = make_card(actor=ann, forecast_date=TODAY - timedelta(days=30))

        assert card.workflow_status == "expired"

    def test_it_starts_in_the_default_stage_at_the_bottom(self, ann):
        stage = StageFactory(is_default=True)

        first, second = make_card(actor=ann), make_card(actor=ann)

        assert first.stage == second.stage == stage
        assert first.rank < second.rank

    def test_without_a_default_stage_it_has_no_stage(self, ann):
        StageFactory()

        assert make_card(actor=ann).stage is None

    def test_its_number_is_its_key(self, ann):
        card = make_card(actor=ann)

        assert card.number == f"OPP-{card.pk}"

    def test_it_is_found_by_number_title_customer_and_contact(self, ann):
        contact = ContactFactory(name="Dr. Lowell", customer__name="Clínica Norte")

        card = make_card(actor=ann, title="Ventilación", customer_ids=[contact.customer_id], contact_ids=[contact.pk])

        for words in (f"opp-{card.pk}", "ventilacion", "clinica norte", "dr. lowell"):
            assert words in card.search_key

    def test_a_salesperson_cannot_make_a_card_for_somebody_else(self, ann):
        other = UserFactory()

        with pytest.raises(NotAllowed):
            make_card(actor=ann, salesperson_id=other.pk)
        assert not Opportunity.objects.exists()

    def test_a_salesperson_does_not_make_a_card_that_they_would_not_see(self, ann):
        starter_rows()
        BusinessSettings.objects.update(salespeople_see="own")

        with pytest.raises(ValidationError, match="would not see"):
            make_card(actor=ann, salesperson_id=None, title="Nobody's")
        assert not Opportunity.objects.exists()

    @pytest.mark.parametrize(
        "fields",
        [
            {"title": " "},
            {"title": "x" * 201},
            {"amount": Decimal("-1")},
            {"amount": Decimal("1e12")},
            {"amount": Decimal("NaN")},
            {"probability": 101},
            {"probability": -1},
            {"customer_ids": [999]},
            {"contact_ids": [999]},
        ],
    )
    def test_nonsense_is_refused_in_words_and_nothing_is_written(self, ann, fields):
        starter_rows()

        with pytest.raises(ValidationError):
            make_card(actor=ann, **fields)
        assert not Opportunity.objects.exists()
        assert not Event.objects.exists()

    def test_money_is_rounded_half_up_to_cents(self, ann):
        assert make_card(actor=ann, amount=Decimal("10.005")).amount == Decimal("10.01")

    def test_a_stage_that_asks_for_more_refuses_a_bare_card_with_all_reasons(self, ann):
        starter_rows()
        stage = StageFactory(
            requires_amount=True, requires_forecast_date=True, requires_contact=True, requires_next_action=True
        )

        with pytest.raises(Refused) as refused:
            make_card(actor=ann, stage_id=stage.pk)

        assert set(refused.value.codes) == {
            "ENTRY_AMOUNT",
            "ENTRY_FORECAST_DATE",
            "ENTRY_CONTACT",
            "ENTRY_NEXT_ACTION",
        }
        assert not Opportunity.objects.exists()

    def test_what_a_stage_asks_for_leads_to_the_form_that_puts_it_right(self, ann):
        starter_rows()
        card = make_card(actor=ann)
        stage = StageFactory(requires_amount=True, requires_next_action=True)

        with pytest.raises(Refused) as refused:
            pipeline.move(opportunity_id=card.pk, stage_id=stage.pk, actor=ann, now=NOW)

        assert {blocker.code: blocker.url for blocker in refused.value.blockers} == {
            "ENTRY_AMOUNT": f"/opportunities/{card.pk}/edit/",
            "ENTRY_NEXT_ACTION": f"/opportunities/{card.pk}/action/",
        }

    @pytest.mark.parametrize("cannot", [{"is_active": False}, {"role": ""}])
    def test_who_cannot_take_cards_is_given_none(self, manager, cannot):
        person = UserFactory(**cannot)
        card = make_card(actor=manager)

        with pytest.raises(ValidationError, match="not here any more, or is in no group"):
            pipeline.create(title="New", salesperson_id=person.pk, actor=manager, now=NOW)
        with pytest.raises(ValidationError, match="not here any more, or is in no group"):
            pipeline.edit(opportunity_id=card.pk, salesperson_id=person.pk, actor=manager, now=NOW)
        with pytest.raises(ValidationError, match="not here any more, or is in no group"):
            activity.add_action(
                opportunity_id=card.pk, text="Call", due_on=TODAY, assignee_id=person.pk, actor=manager, now=NOW
            )

    def test_a_salesperson_who_was_deleted_is_said_to_be_gone(self, manager):
        with pytest.raises(ValidationError, match="not here any more"):
            pipeline.create(title="New", salesperson_id=10**9, actor=manager, now=NOW)

    def test_somebody_without_a_role_cannot_make_a_card(self):
        starter_rows()

        with pytest.raises(NotAllowed):
            make_card(actor=UserFactory(role=""))


class TestEdit:
    def test_it_changes_only_what_is_named_and_writes_one_event(self, ann):
        card = make_card(actor=ann, amount=Decimal(100))

        pipeline.edit(opportunity_id=card.pk, title="New name", actor=ann, now=LATER)

        card = Opportunity.objects.get(pk=card.pk)
        assert (card.title, card.amount, card.version) == ("New name", Decimal(100), 2)
        assert events(card)[-1].changes == {"title": ["Card 1", "New name"]}
        assert "new name" in card.search_key

    def test_saving_the_same_values_writes_nothing(self, ann):
        customer = CustomerFactory()
        card = make_card(actor=ann, customer_ids=[customer.pk])

        same = pipeline.edit(
            opportunity_id=card.pk, title=card.title, customer_ids=[customer.pk], contact_ids=[], actor=ann, now=LATER
        )

        assert same.version == card.version
        assert same.last_event is None
        assert len(events(card)) == 1

    def test_moving_the_date_of_an_expired_card_brings_it_back(self, ann):
        card = make_card(actor=ann, forecast_date=YESTERDAY)

        pipeline.set_forecast_date(opportunity_id=card.pk, forecast_date=TODAY, actor=ann, now=LATER)

        card = Opportunity.objects.get(pk=card.pk)
        assert card.workflow_status == "prospect"
        event = events(card)[-1]
        assert (event.workflow_from, event.workflow_to) == ("expired", "prospect")

    def test_clearing_the_date_of_an_expired_card_brings_it_back(self, ann):
        card = make_card(actor=ann, forecast_date=YESTERDAY)

        revived = pipeline.set_forecast_date(opportunity_id=card.pk, forecast_date=None, actor=ann, now=LATER)

        assert revived.workflow_status == "prospect"

    def test_a_past_date_expires_the_card_at_once(self, ann):
        card = make_card(actor=ann)

        expired = pipeline.set_forecast_date(opportunity_id=card.pk, forecast_date=YESTERDAY, actor=ann, now=LATER)

        assert expired.workflow_status == "expired"

    def test_the_status_fields_are_no_part_of_an_edit(self, ann):
        card = make_card(actor=ann)

        with pytest.raises(TypeError):
            pipeline.edit(opportunity_id=card.pk, workflow_status="contracted", actor=ann, now=LATER)

    def test_an_older_page_is_refused_where_it_would_overwrite(self, ann):
        card = make_card(actor=ann)
        pipeline.edit(opportunity_id=card.pk, title="By Bob", actor=ann, now=LATER)

        with pytest.raises(Stale) as stale:
            pipeline.edit(opportunity_id=card.pk, title="By Ann", version=card.version, actor=ann, now=LATER)

        assert stale.value.fresh.title == "By Bob"
        assert Opportunity.objects.get(pk=card.pk).title == "By Bob"

    def test_an_older_page_passes_where_it_touches_something_else(self, ann):
        card = make_card(actor=ann)
        pipeline.edit(opportunity_id=card.pk, title="By Bob", actor=ann, now=LATER)

        edited = pipeline.edit(
            opportunity_id=card.pk, title="By Bob", amount=Decimal(5), version=card.version, actor=ann, now=LATER
        )

        assert (edited.title, edited.amount) == ("By Bob", Decimal(5))

    def test_an_older_page_does_not_overwrite_changed_customers(self, ann):
        mine, theirs = CustomerFactory(), ContactFactory()
        card = make_card(actor=ann)
        pipeline.edit(
            opportunity_id=card.pk,
            customer_ids=[theirs.customer_id],
            contact_ids=[theirs.pk],
            actor=ann,
            now=LATER,
        )

        for fields in ({"customer_ids": [mine.pk]}, {"contact_ids": []}):
            with pytest.raises(Stale):
                pipeline.edit(opportunity_id=card.pk, version=card.version, actor=ann, now=LATER, **fields)

    def test_a_salesperson_takes_an_unassigned_card(self, ann, manager):
        card = make_card(actor=manager, salesperson_id=None)

        taken = pipeline.edit(opportunity_id=card.pk, salesperson_id=ann.pk, actor=ann, now=LATER)

        assert taken.salesperson_id == ann.pk
        assert events(card)[-1].kind == "taken"

    def test_only_a_manager_gives_a_card_to_somebody_else(self, ann, manager):
        bob = UserFactory()
        card = make_card(actor=ann)

        with pytest.raises(NotAllowed, match="manager"):
            pipeline.edit(opportunity_id=card.pk, salesperson_id=bob.pk, actor=ann, now=LATER)
        given = pipeline.edit(opportunity_id=card.pk, salesperson_id=bob.pk, actor=manager, now=LATER)

        assert given.salesperson_id == bob.pk

    def test_a_manager_takes_a_card_off_its_salesperson(self, ann, manager):
        card = make_card(actor=ann)

        assert pipeline.edit(opportunity_id=card.pk, salesperson_id=None, actor=manager, now=LATER).salesperson is None

    def test_a_new_stage_in_an_edit_asks_like_a_move_does(self, ann):
        card = make_card(actor=ann)
        stage = StageFactory(requires_amount=True)

        with pytest.raises(Refused):
            pipeline.edit(opportunity_id=card.pk, stage_id=stage.pk, actor=ann, now=LATER)
        entered = pipeline.edit(opportunity_id=card.pk, stage_id=stage.pk, amount=Decimal(1), actor=ann, now=LATER)

        assert entered.stage == stage

    def test_a_renamed_customer_shows_on_its_cards(self, ann):
        contact = ContactFactory()
        card = make_card(actor=ann, customer_ids=[contact.customer_id], contact_ids=[contact.pk])

        customers.edit(customer_id=contact.customer_id, name="Bayside", actor=ann, now=LATER)
        customers.edit_contact(contact_id=contact.pk, name="R. Okafor", actor=ann, now=LATER)

        card = Opportunity.objects.get(pk=card.pk)
        assert card.face["customers"] == ["Bayside"]
        assert "bayside r. okafor" in card.search_key


class TestMove:
    def test_it_enters_the_stage_and_keeps_every_status(self, ann):
        card = make_card(actor=ann, forecast_date=YESTERDAY)
        stage = StageFactory()

        moved = pipeline.move(opportunity_id=card.pk, stage_id=stage.pk, actor=ann, now=LATER)

        assert moved.stage == stage
        assert moved.stage_entered_at == LATER
        assert moved.workflow_status == "expired"

    def test_moving_it_to_where_it_is_changes_nothing(self, ann):
        stage = StageFactory(is_default=True)
        card = make_card(actor=ann)

        same = pipeline.move(opportunity_id=card.pk, stage_id=stage.pk, actor=ann, now=LATER)

        assert same.last_event is None
        assert same.version == card.version

    def test_a_reorder_keeps_the_time_in_the_stage(self, ann):
        StageFactory(is_default=True)
        upper, lower = make_card(actor=ann), make_card(actor=ann)

        moved = pipeline.move(
            opportunity_id=lower.pk, stage_id=lower.stage_id, before_id=upper.pk, actor=ann, now=LATER
        )

        assert moved.stage_entered_at == NOW
        assert moved.rank < upper.rank

    def test_a_retired_stage_takes_no_more_cards(self, ann):
        card = make_card(actor=ann)
        stage = StageFactory(active=False)

        with pytest.raises(Refused) as refused:
            pipeline.move(opportunity_id=card.pk, stage_id=stage.pk, actor=ann, now=LATER)

        assert refused.value.codes == ("STAGE_RETIRED",)

    def test_a_stage_that_is_gone_is_said_to_be(self, ann):
        card = make_card(actor=ann)

        with pytest.raises(OpportunityStage.DoesNotExist):
            pipeline.move(opportunity_id=card.pk, stage_id=999, actor=ann, now=LATER)

    def test_an_older_page_does_not_move_a_card_that_somebody_moved(self, ann):
        card = make_card(actor=ann)
        first, second = StageFactory(), StageFactory()
        pipeline.move(opportunity_id=card.pk, stage_id=first.pk, version=card.version, actor=ann, now=LATER)

        with pytest.raises(Stale) as stale:
            pipeline.move(opportunity_id=card.pk, stage_id=second.pk, version=card.version, actor=ann, now=LATER)

        assert stale.value.fresh.stage == first

    def test_an_older_page_moves_a_card_whose_title_somebody_changed(self, ann):
        card = make_card(actor=ann)
        stage = StageFactory()
        pipeline.edit(opportunity_id=card.pk, title="Renamed", actor=ann, now=LATER)

        moved = pipeline.move(opportunity_id=card.pk, stage_id=stage.pk, version=card.version, actor=ann, now=LATER)

        assert (moved.stage, moved.title) == (stage, "Renamed")

    def test_a_card_can_lose_its_stage(self, ann):
        StageFactory(is_default=True)
        card = make_card(actor=ann)

        assert pipeline.move(opportunity_id=card.pk, stage_id=None, actor=ann, now=LATER).stage is None

    def test_an_archived_open_card_can_be_moved(self, ann):
        card = make_card(actor=ann)
        lifecycle.archive(opportunity_id=card.pk, actor=ann, now=LATER)
        stage = StageFactory()

        moved = pipeline.move(opportunity_id=card.pk, stage_id=stage.pk, actor=ann, now=LATER)

        assert moved.stage == stage
        assert moved.is_archived

    def test_a_card_that_one_may_not_see_is_not_there(self, ann):
        BusinessSettings.objects.update_or_create(pk=1, defaults={"salespeople_see": "own"})
        card = make_card(actor=UserFactory())
        BusinessSettings.objects.update(salespeople_see="own")
        stage = StageFactory()

        with pytest.raises(Opportunity.DoesNotExist):
            pipeline.move(opportunity_id=card.pk, stage_id=stage.pk, actor=ann, now=LATER)


class TestStatusByHand:
    def test_won_by_hand_takes_the_card_off_the_board_and_keeps_its_stage(self, ann):
        rows, stage = starter_rows(), StageFactory(is_default=True)
        card = make_card(actor=ann)

        won = pipeline.set_status(opportunity_id=card.pk, status_id=rows["Won"].pk, actor=ann, now=LATER)

        assert (won.sales_status, won.sales_rule, won.decided_on) == ("won", "manual", TODAY)
        assert (won.off_board, won.stage, won.decided_by) == (True, stage, ann)
        assert not Opportunity.objects.on_board().exists()
        assert not Opportunity.objects.open().exists()

    def test_lost_by_hand_asks_why(self, ann):
        rows = starter_rows()
        card = make_card(actor=ann)
        price = ReasonFactory(label="Price")

        with pytest.raises(ValidationError):
            pipeline.set_status(opportunity_id=card.pk, status_id=rows["Lost"].pk, actor=ann, now=LATER)
        lost = pipeline.set_status(
            opportunity_id=card.pk, status_id=rows["Lost"].pk, reason_id=price.pk, actor=ann, now=LATER
        )

        assert (lost.sales_status, lost.decided_reason_label) == ("lost", "Price")

    def test_closed_by_hand_may_say_why(self, ann):
        rows = starter_rows()
        card = make_card(actor=ann)

        closed = pipeline.set_status(opportunity_id=card.pk, status_id=rows["Closed"].pk, actor=ann, now=LATER)

        assert (closed.sales_status, closed.decided_on, closed.off_board) == ("none", TODAY, True)

    @pytest.mark.parametrize("reason", [{"void": True}, {"active": False}])
    def test_a_reason_of_the_other_list_or_a_retired_one_is_refused(self, ann, reason):
        rows = starter_rows()
        card = make_card(actor=ann)

        with pytest.raises(Refused) as refused:
            pipeline.set_status(
                opportunity_id=card.pk,
                status_id=rows["Lost"].pk,
                reason_id=ReasonFactory(**reason).pk,
                actor=ann,
                now=LATER,
            )

        assert refused.value.codes == ("REASON_WRONG_LIST",)

    def test_choosing_the_default_row_brings_the_card_back(self, ann):
        rows = starter_rows()
        card = make_card(actor=ann)
        pipeline.set_status(opportunity_id=card.pk, status_id=rows["Won"].pk, actor=ann, now=LATER)

        back = pipeline.set_status(opportunity_id=card.pk, status_id=rows["Default"].pk, actor=ann, now=LATER)

        assert (back.sales_status, back.sales_rule, back.decided_on, back.decided_by) == ("none", "P9", None, None)
        assert not back.off_board

    def test_a_retired_row_cannot_be_chosen(self, ann):
        rows = starter_rows()
        rows["Inactive"].retired = True
        rows["Inactive"].save()
        card = make_card(actor=ann)

        with pytest.raises(Refused) as refused:
            pipeline.set_status(opportunity_id=card.pk, status_id=rows["Inactive"].pk, actor=ann, now=LATER)

        assert refused.value.codes == ("STATUS_RETIRED",)

    def test_a_colleagues_card_is_decided_by_its_salesperson_or_a_manager(self, ann, manager):
        rows = starter_rows()
        card = make_card(actor=ann)

        with pytest.raises(NotAllowed, match="Ann"):
            pipeline.set_status(opportunity_id=card.pk, status_id=rows["Won"].pk, actor=UserFactory(), now=LATER)
        won = pipeline.set_status(opportunity_id=card.pk, status_id=rows["Won"].pk, actor=manager, now=LATER)

        assert won.sales_status == "won"

    def test_a_label_stays_on_the_card_when_the_reason_is_renamed(self, ann):
        rows, price = starter_rows(), ReasonFactory(label="Price")
        card = make_card(actor=ann)
        pipeline.set_status(opportunity_id=card.pk, status_id=rows["Lost"].pk, reason_id=price.pk, actor=ann, now=LATER)

        price.label = "Too dear"
        price.save()

        assert Opportunity.objects.get(pk=card.pk).decided_reason_label == "Price"


class TestDuplicate:
    def test_it_makes_a_fresh_prospect_and_leaves_the_original_alone(self, ann):
        stage = StageFactory(is_default=True)
        contact = ContactFactory()
        card = make_card(
            actor=ann,
            amount=Decimal(50),
            forecast_date=YESTERDAY,
            customer_ids=[contact.customer_id],
            contact_ids=[contact.pk],
        )

        copy = pipeline.duplicate(opportunity_id=card.pk, actor=ann, now=LATER)

        assert copy.pk != card.pk
        assert (copy.title, copy.amount, copy.salesperson_id) == (card.title, Decimal(50), ann.pk)
        assert (copy.workflow_status, copy.forecast_date, copy.stage) == ("prospect", None, stage)
        assert copy.face == {"customers": [contact.customer.name], "contacts": [contact.name]}
        assert Opportunity.objects.get(pk=card.pk).version == card.version

    def test_one_form_makes_one_copy(self, ann):
        card, token = make_card(actor=ann), uuid.uuid4()

        copies = [pipeline.duplicate(opportunity_id=card.pk, token=token, actor=ann, now=NOW) for _ in range(2)]
        another = pipeline.duplicate(opportunity_id=card.pk, token=uuid.uuid4(), actor=ann, now=NOW)

        assert copies[0].pk == copies[1].pk != another.pk
        assert Opportunity.objects.count() == 3

    def test_the_copy_of_a_leavers_card_goes_to_who_made_it(self, ann, manager):
        leaver = UserFactory()
        card = make_card(actor=leaver)
        people.deactivate(person_id=leaver.pk, actor=None, now=NOW)

        copy = pipeline.duplicate(opportunity_id=card.pk, actor=ann, now=NOW)

        assert (copy.salesperson_id, card.salesperson_id) == (ann.pk, leaver.pk)

    def test_where_the_default_stage_asks_for_more_the_copy_has_no_stage(self, ann):
        card = make_card(actor=ann)
        StageFactory(is_default=True, requires_forecast_date=True)

        assert pipeline.duplicate(opportunity_id=card.pk, actor=ann, now=LATER).stage is None


class TestUndo:
    def test_a_move_is_taken_back_with_its_place_and_its_time_in_the_stage(self, ann):
        StageFactory(is_default=True)
        card, other = make_card(actor=ann), StageFactory()
        moved = pipeline.move(opportunity_id=card.pk, stage_id=other.pk, actor=ann, now=LATER)

        back = pipeline.undo(event_id=moved.last_event_id, actor=ann, now=LATER)

        assert (back.stage_id, back.rank, back.stage_entered_at) == (card.stage_id, card.rank, NOW)
        assert events(card)[-1].kind == "undone"

    def test_the_way_back_asks_nothing(self, ann):
        strict, other = StageFactory(), StageFactory()
        card = make_card(actor=ann, stage_id=strict.pk)
        moved = pipeline.move(opportunity_id=card.pk, stage_id=other.pk, actor=ann, now=LATER)
        OpportunityStage.objects.filter(pk=strict.pk).update(requires_amount=True)

        assert pipeline.undo(event_id=moved.last_event_id, actor=ann, now=LATER).stage_id == strict.pk

    def test_an_edit_is_taken_back_with_its_customers_and_the_status_follows(self, ann):
        old, new = CustomerFactory(), CustomerFactory()
        card = make_card(actor=ann, customer_ids=[old.pk], forecast_date=TODAY, amount=Decimal("7.50"))
        edited = pipeline.edit(
            opportunity_id=card.pk,
            customer_ids=[new.pk],
            forecast_date=YESTERDAY,
            amount=None,
            actor=ann,
            now=LATER,
        )
        assert edited.workflow_status == "expired"

        pipeline.undo(event_id=edited.last_event_id, actor=ann, now=LATER)

        back = Opportunity.objects.get(pk=card.pk)
        assert back.face["customers"] == [old.name]
        assert (back.forecast_date, back.amount, back.workflow_status) == (TODAY, Decimal("7.50"), "prospect")

    def test_a_status_by_hand_is_taken_back(self, ann):
        rows = starter_rows()
        card = make_card(actor=ann)
        won = pipeline.set_status(opportunity_id=card.pk, status_id=rows["Won"].pk, actor=ann, now=LATER)

        pipeline.undo(event_id=won.last_event_id, actor=ann, now=LATER)

        back = Opportunity.objects.get(pk=card.pk)
        assert (back.sales_status, back.status, back.decided_on, back.off_board) == (
            "none",
            rows["Default"],
            None,
            False,
        )

    def test_a_newer_change_of_the_same_fact_is_in_the_way(self, ann):
        card = make_card(actor=ann)
        edited = pipeline.edit(opportunity_id=card.pk, title="Second", actor=ann, now=LATER)
        pipeline.edit(opportunity_id=card.pk, title="Third", actor=ann, now=LATER)

        with pytest.raises(Refused) as refused:
            pipeline.undo(event_id=edited.last_event_id, actor=ann, now=LATER)

        assert refused.value.codes == ("NEWER_CHANGE",)
        assert Opportunity.objects.get(pk=card.pk).title == "Third"

    def test_a_newer_change_of_another_fact_is_not(self, ann):
        card = make_card(actor=ann)
        edited = pipeline.edit(opportunity_id=card.pk, title="Second", actor=ann, now=LATER)
        pipeline.edit(opportunity_id=card.pk, amount=Decimal(3), actor=ann, now=LATER)

        back = pipeline.undo(event_id=edited.last_event_id, actor=ann, now=LATER)

        assert (back.title, back.amount) == (card.title, Decimal(3))

    def test_undoing_twice_is_refused(self, ann):
        card = make_card(actor=ann)
        edited = pipeline.edit(opportunity_id=card.pk, title="Second", actor=ann, now=LATER)
        pipeline.undo(event_id=edited.last_event_id, actor=ann, now=LATER)

        with pytest.raises(Refused):
            pipeline.undo(event_id=edited.last_event_id, actor=ann, now=LATER)

    def test_after_a_day_it_is_too_late(self, ann):
        card = make_card(actor=ann)
        edited = pipeline.edit(opportunity_id=card.pk, title="Second", actor=ann, now=LATER)

        with pytest.raises(Refused) as refused:
            pipeline.undo(event_id=edited.last_event_id, actor=ann, now=LATER + timedelta(hours=24, seconds=1))

        assert refused.value.codes == ("TOO_LATE",)

    def test_making_a_card_is_not_undone(self, ann):
        card = make_card(actor=ann)

        with pytest.raises(Refused) as refused:
            pipeline.undo(event_id=card.last_event_id, actor=ann, now=LATER)

        assert refused.value.codes == ("WRONG_STATE",)

    def test_only_who_did_it_or_a_manager_takes_it_back(self, ann, manager):
        card = make_card(actor=ann)
        edited = pipeline.edit(opportunity_id=card.pk, title="Second", actor=ann, now=LATER)

        with pytest.raises(NotAllowed):
            pipeline.undo(event_id=edited.last_event_id, actor=UserFactory(), now=LATER)
        assert pipeline.undo(event_id=edited.last_event_id, actor=manager, now=LATER).title == card.title

    def test_an_act_that_only_its_salesperson_may_do_is_not_taken_back_on_a_colleagues_card(self, ann, manager):
        card = make_card(actor=ann)
        archived = lifecycle.archive(opportunity_id=card.pk, actor=ann, now=NOW)
        pipeline.edit(opportunity_id=card.pk, salesperson_id=UserFactory().pk, actor=manager, now=NOW)

        with pytest.raises(NotAllowed):
            pipeline.undo(event_id=archived.last_event_id, actor=ann, now=LATER)
        assert Opportunity.objects.get(pk=card.pk).is_archived


class TestArchive:
    def test_archiving_changes_no_status_and_can_be_taken_back(self, ann):
        card = make_card(actor=ann, forecast_date=YESTERDAY)

        archived = lifecycle.archive(opportunity_id=card.pk, actor=ann, now=LATER)
        assert (archived.archived_at, archived.workflow_status, archived.sales_status) == (LATER, "expired", "none")
        back = lifecycle.unarchive(opportunity_id=card.pk, actor=ann, now=LATER)

        assert (back.archived_at, back.archive_clock_from) == (None, TODAY)
        assert [event.kind for event in events(card)] == ["created", "archived", "unarchived"]

    def test_archiving_twice_changes_nothing(self, ann):
        card = make_card(actor=ann)
        lifecycle.archive(opportunity_id=card.pk, actor=ann, now=LATER)

        again = lifecycle.archive(opportunity_id=card.pk, actor=ann, now=LATER + timedelta(days=1))

        assert again.archived_at == LATER
        assert len(events(card)) == 2

    def test_a_colleagues_card_is_archived_by_its_salesperson_or_a_manager(self, ann):
        card = make_card(actor=ann)

        with pytest.raises(NotAllowed):
            lifecycle.archive(opportunity_id=card.pk, actor=UserFactory(), now=LATER)


class TestActivity:
    def test_the_next_action_is_the_earliest_open_one(self, ann):
        card = make_card(actor=ann)
        activity.add_action(
            opportunity_id=card.pk, text="Later", due_on=TODAY + timedelta(days=3), actor=ann, now=LATER
        )
        call = activity.add_action(opportunity_id=card.pk, text="Call", due_on=TODAY, actor=ann, now=LATER)
        assert Opportunity.objects.get(pk=card.pk).face["next"]["text"] == "Call"

        activity.finish_action(action_id=call.pk, actor=ann, now=LATER)
        assert Opportunity.objects.get(pk=card.pk).face["next"]["text"] == "Later"
        activity.reopen_action(action_id=call.pk, actor=ann, now=LATER)

        assert Opportunity.objects.get(pk=card.pk).face["next"]["text"] == "Call"

    def test_finishing_twice_changes_nothing(self, ann):
        card = make_card(actor=ann)
        call = activity.add_action(opportunity_id=card.pk, text="Call", due_on=TODAY, actor=ann, now=LATER)

        activity.finish_action(action_id=call.pk, actor=ann, now=LATER)
        again = activity.finish_action(action_id=call.pk, actor=ann, now=LATER + timedelta(hours=1))

        assert again.done_at == LATER
        assert [event.kind for event in events(card)] == ["created", "action_added", "action_done"]

    def test_a_done_action_is_not_edited(self, ann):
        card = make_card(actor=ann)
        call = activity.add_action(opportunity_id=card.pk, text="Call", due_on=TODAY, actor=ann, now=LATER)
        moved = activity.edit_action(
            action_id=call.pk, text="Call again", due_on=YESTERDAY, assignee_id=ann.pk, actor=ann, now=LATER
        )
        assert (moved.text, moved.due_on, moved.assignee_id) == ("Call again", YESTERDAY, ann.pk)
        activity.finish_action(action_id=call.pk, actor=ann, now=LATER)

        with pytest.raises(Refused) as refused:
            activity.edit_action(action_id=call.pk, text="No", due_on=TODAY, assignee_id=None, actor=ann, now=LATER)

        assert refused.value.codes == ("WRONG_STATE",)

    def test_an_action_that_was_closed_with_its_card_stays_closed(self, ann):
        card = make_card(actor=ann)
        call = activity.add_action(opportunity_id=card.pk, text="Call", due_on=TODAY, actor=ann, now=LATER)
        ActionItem.objects.filter(pk=call.pk).update(state="closed", done_at=LATER)

        with pytest.raises(Refused):
            activity.reopen_action(action_id=call.pk, actor=ann, now=LATER)

    def test_a_note_is_kept_as_written(self, ann):
        card = make_card(actor=ann)

        note = activity.add_note(opportunity_id=card.pk, text=" <b>Gate code 12\n34</b> ", actor=ann, now=LATER)

        assert note.text == "<b>Gate code 12\n34</b>"
        assert events(card)[-1].changes == {"note": [None, note.pk]}

    @pytest.mark.parametrize("text", ["  ", "x" * 10_001])
    def test_an_empty_or_endless_note_is_refused(self, ann, text):
        card = make_card(actor=ann)

        with pytest.raises(ValidationError):
            activity.add_note(opportunity_id=card.pk, text=text, actor=ann, now=LATER)


def test_history_is_only_ever_added_to(ann):
    event = events(make_card(actor=ann))[0]

    with pytest.raises(TypeError):
        event.save()
    with pytest.raises(TypeError):
        event.delete()


def test_history_keeps_the_name_of_who_did_it(ann):
    ann.first_name, ann.last_name = "Anna", "Kowalski"
    card = make_card(actor=ann)

    assert events(card)[0].by == "Anna Kowalski"
    assert history.label(None) == "nightly run"
