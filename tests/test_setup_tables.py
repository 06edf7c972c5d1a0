"""Stages, statuses, reasons and types as admins keep them: verbs, refusals, and what the database refuses."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet

from boards.models import Column, ColumnStage
from opportunities import opportunity_types, pipeline, reasons, replacing, stages, statuses, tax_rates, timeline
from opportunities.errors import NotAllowed, Refused
from opportunities.models import (
    BusinessSettings,
    Event,
    Opportunity,
    OpportunityStage,
    OpportunityStatus,
    OpportunityType,
    Reason,
    TaxRate,
)
from tests.documents import PIPES, deal, make_agreement, make_job, make_quote
from tests.factories import (
    NOW,
    BoardFactory,
    ReasonFactory,
    StageFactory,
    TypeFactory,
    UserFactory,
    make_card,
    starter_rows,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def rows():
    return starter_rows()


@pytest.fixture
def admin(rows):
    return UserFactory(role="admin")


def status_facts():
    names = ("pk", "workflow_status", "sales_status", "sales_rule", "status_id", "decided_on", "archived_at")
    return list(Opportunity.objects.order_by("pk").values_list(*names))


class TestDeletingAStage:
    def test_a_stage_with_cards_asks_where_they_go(self, admin):
        stage = StageFactory()
        make_card(stage_id=stage.pk)

        with pytest.raises(Refused) as refused:
            stages.delete(stage_id=stage.pk, actor=admin, now=NOW)

        assert refused.value.codes == ("REPLACEMENT_NEEDED",)

    def test_every_card_moves_and_no_status_changes(self, admin, rows):
        old, new = StageFactory(), StageFactory()
        cards = [make_card(stage_id=old.pk) for _ in range(12)]
        reason = ReasonFactory()
        lost = {"status_id": rows["Lost"].pk, "reason_id": reason.pk}
        pipeline.set_status(opportunity_id=cards[0].pk, **lost, actor=admin, now=NOW)
        facts = status_facts()

        moved = stages.delete(stage_id=old.pk, replacement_id=new.pk, actor=admin, now=NOW)

        assert moved == 12
        assert Opportunity.objects.filter(stage=new).count() == 12
        assert status_facts() == facts
        assert not OpportunityStage.objects.filter(pk=old.pk).exists()

    def test_cards_may_go_to_no_stage(self, admin):
        stage = StageFactory()
        card = make_card(stage_id=stage.pk)

        stages.delete(stage_id=stage.pk, replacement_id=None, actor=admin, now=NOW)

        card.refresh_from_db()
        assert card.stage is None

    def test_each_card_keeps_its_place_and_its_time_in_the_stage(self, admin):
        old, new = StageFactory(), StageFactory()
        card = make_card(stage_id=old.pk)

        stages.delete(stage_id=old.pk, replacement_id=new.pk, actor=admin, now=NOW)

        after = Opportunity.objects.get(pk=card.pk)
        assert (after.rank, after.stage_entered_at) == (card.rank, card.stage_entered_at)

    def test_each_card_gets_one_event_with_the_names_and_a_new_version(self, admin):
        old, new = StageFactory(name="Old"), StageFactory(name="New")
        cards = [make_card(stage_id=old.pk), make_card(stage_id=old.pk)]

        stages.delete(stage_id=old.pk, replacement_id=new.pk, actor=admin, now=NOW)

        events = Event.objects.filter(kind="stage_replaced")
        assert [event.opportunity_id for event in events.order_by("pk")] == [card.pk for card in cards]
        assert {event.act for event in events} == {events[0].act}
        assert events[0].changes == {"stage_id": [old.pk, new.pk], "stage": ["Old", "New"]}
        assert list(Opportunity.objects.values_list("version", flat=True)) == [2, 2]
        assert {event.version for event in events} == {2}

    def test_more_cards_than_one_chunk_all_move(self, admin, monkeypatch):
        monkeypatch.setattr(replacing, "CHUNK", 3)
        old, new = StageFactory(), StageFactory()
        for _ in range(7):
            make_card(stage_id=old.pk)

        assert stages.delete(stage_id=old.pk, replacement_id=new.pk, actor=admin, now=NOW) == 7
        assert Event.objects.filter(kind="stage_replaced").count() == 7

    def test_what_the_new_stage_asks_does_not_stop_the_move(self, admin):
        old, new = StageFactory(), StageFactory(requires_amount=True)
        make_card(stage_id=old.pk)

        assert stages.delete(stage_id=old.pk, replacement_id=new.pk, actor=admin, now=NOW) == 1

    def test_an_unused_stage_goes_without_a_question(self, admin):
        stage = StageFactory()

        assert stages.delete(stage_id=stage.pk, actor=admin, now=NOW) == 0

    def test_boards_lose_the_stage_but_keep_the_column(self, admin):
        stage = StageFactory()
        board = BoardFactory(stages=[stage])

        stages.delete(stage_id=stage.pk, actor=admin, now=NOW)

        assert Column.objects.filter(board=board).count() == 1
        assert not ColumnStage.objects.exists()

    @pytest.mark.parametrize(("which", "code"), [("itself", "WRONG_REPLACEMENT"), ("retired", "STAGE_RETIRED")])
    def test_a_replacement_that_takes_no_cards_is_refused(self, admin, which, code):
        stage, retired = StageFactory(), StageFactory(active=False)
        make_card(stage_id=stage.pk)
        chosen = stage if which == "itself" else retired

        with pytest.raises(Refused) as refused:
            stages.delete(stage_id=stage.pk, replacement_id=chosen.pk, actor=admin, now=NOW)

        assert refused.value.codes == (code,)
        assert Opportunity.objects.get().stage == stage

    def test_a_replacement_that_is_gone_is_not_found(self, admin):
        stage = StageFactory()
        make_card(stage_id=stage.pk)

        with pytest.raises(OpportunityStage.DoesNotExist):
            stages.delete(stage_id=stage.pk, replacement_id=stage.pk + 99, actor=admin, now=NOW)

    @pytest.mark.parametrize("role", ["salesperson", "manager"])
    def test_only_an_admin_deletes_a_stage(self, rows, role):
        stage = StageFactory()

        with pytest.raises(NotAllowed):
            stages.delete(stage_id=stage.pk, actor=UserFactory(role=role), now=NOW)

    def test_a_move_out_of_a_deleted_stage_cannot_be_undone(self, admin):
        old, new = StageFactory(), StageFactory()
        card = make_card(stage_id=old.pk)
        moved = pipeline.move(opportunity_id=card.pk, stage_id=new.pk, actor=admin, now=NOW)
        stages.delete(stage_id=old.pk, actor=admin, now=NOW)

        with pytest.raises(Refused) as refused:
            pipeline.undo(event_id=moved.last_event_id, actor=admin, now=NOW)

        assert refused.value.codes == ("NEWER_CHANGE",)

    def test_the_card_tells_that_its_stage_was_deleted(self, admin):
        old, new = StageFactory(name="Old"), StageFactory(name="New")
        card = make_card(stage_id=old.pk)
        stages.delete(stage_id=old.pk, replacement_id=new.pk, actor=admin, now=NOW)

        story = timeline.of(card, reader=admin, business=BusinessSettings.current(), now=NOW)

        assert story.entries[0].sentence == "Moved to New: “Old” was deleted"

    def test_the_database_itself_keeps_a_stage_that_has_cards(self, admin):
        stage = StageFactory()
        make_card(stage_id=stage.pk)

        with pytest.raises(IntegrityError), transaction.atomic():
            QuerySet(OpportunityStage).filter(pk=stage.pk)._raw_delete(using="default")
            connection.check_constraints()


class TestStages:
    def test_a_new_stage_comes_last(self, admin):
        StageFactory(sequence=7)

        assert stages.create(name="New", actor=admin, now=NOW).sequence == 8

    def test_a_new_default_takes_over_from_the_old_one(self, admin):
        old, new = StageFactory(is_default=True), StageFactory()

        stages.set_default(stage_id=new.pk, actor=admin, now=NOW)

        assert list(OpportunityStage.objects.filter(is_default=True)) == [new]
        assert old != new

    def test_a_retired_stage_keeps_its_cards_and_is_no_default(self, admin):
        stage = StageFactory(is_default=True)
        card = make_card(stage_id=stage.pk)

        stages.retire(stage_id=stage.pk, actor=admin, now=NOW)

        stage.refresh_from_db()
        assert (stage.active, stage.is_default) == (False, False)
        assert Opportunity.objects.get(pk=card.pk).stage == stage

    def test_a_retired_stage_cannot_be_the_default(self, admin):
        stage = StageFactory(active=False)

        with pytest.raises(ValidationError):
            stages.set_default(stage_id=stage.pk, actor=admin, now=NOW)

    def test_a_retired_stage_can_be_used_again(self, admin):
        stage = StageFactory(active=False)

        assert stages.activate(stage_id=stage.pk, actor=admin, now=NOW).active

    def test_a_name_is_taken_without_regard_to_case_and_accents(self, admin):
        StageFactory(name="Café")

        with pytest.raises(ValidationError, match="name already"):
            stages.create(name="  cafe", actor=admin, now=NOW)

    def test_stages_stand_in_the_order_that_was_dropped(self, admin):
        first, second, third = StageFactory(), StageFactory(), StageFactory()

        stages.reorder(ids=[third.pk, first.pk], actor=admin, now=NOW)

        assert list(OpportunityStage.objects.in_order()) == [third, first, second]

    def test_only_an_admin_orders_stages(self, rows):
        with pytest.raises(NotAllowed):
            stages.reorder(ids=[], actor=UserFactory(role="manager"), now=NOW)

    def test_a_field_that_stages_do_not_have_is_a_mistake(self, admin):
        with pytest.raises(TypeError):
            stages.create(name="New", rank=3, actor=admin, now=NOW)


class TestStatuses:
    @pytest.mark.parametrize("name", ["Won", "Lost"])
    def test_the_last_active_won_or_lost_row_is_not_retired(self, admin, rows, name):
        with pytest.raises(Refused) as refused:
            statuses.retire(status_id=rows[name].pk, actor=admin, now=NOW)

        assert refused.value.codes == ("LAST_ACTIVE_ROW",)

    @pytest.mark.parametrize("name", ["Won", "Lost"])
    def test_the_last_active_won_or_lost_row_is_not_deleted(self, admin, rows, name):
        with pytest.raises(Refused) as refused:
            statuses.delete(status_id=rows[name].pk, actor=admin, now=NOW)

        assert refused.value.codes == ("LAST_ACTIVE_ROW",)

    def test_the_last_active_won_row_keeps_its_flag(self, admin, rows):
        with pytest.raises(Refused) as refused:
            statuses.edit(status_id=rows["Won"].pk, won=False, actor=admin, now=NOW)

        assert refused.value.codes == ("LAST_ACTIVE_ROW",)

    def test_a_lost_row_beside_another_can_be_retired(self, admin, rows):
        statuses.create(name="Lost to a friend", closed=True, lost=True, actor=admin, now=NOW)

        assert statuses.retire(status_id=rows["Lost"].pk, actor=admin, now=NOW).retired

    def test_a_retired_row_can_be_used_again(self, admin, rows):
        statuses.retire(status_id=rows["Closed"].pk, actor=admin, now=NOW)

        assert not statuses.activate(status_id=rows["Closed"].pk, actor=admin, now=NOW).retired

    def test_the_default_is_neither_retired_nor_deleted_nor_unticked(self, admin, rows):
        key = {"status_id": rows["Default"].pk, "actor": admin, "now": NOW}

        for act in (statuses.retire, statuses.delete, lambda **given: statuses.edit(is_default=False, **given)):
            with pytest.raises(Refused) as refused:
                act(**key)
            assert refused.value.codes == ("DEFAULT_ROW",)

    def test_another_open_row_can_become_the_default(self, admin, rows):
        new = statuses.create(name="Fresh", actor=admin, now=NOW)

        statuses.set_default(status_id=new.pk, actor=admin, now=NOW)

        assert OpportunityStatus.objects.default() == new

    def test_cards_keep_the_old_default(self, admin, rows):
        card = make_card()
        new = statuses.create(name="Fresh", actor=admin, now=NOW)

        statuses.set_default(status_id=new.pk, actor=admin, now=NOW)

        assert Opportunity.objects.get(pk=card.pk).status == rows["Default"]

    def test_a_closed_row_cannot_be_the_default(self, admin, rows):
        with pytest.raises(ValidationError):
            statuses.set_default(status_id=rows["Closed"].pk, actor=admin, now=NOW)

        assert OpportunityStatus.objects.default() == rows["Default"]

    def test_what_a_row_means_is_fixed_while_cards_use_it(self, admin, rows):
        card = make_card()
        pipeline.set_status(opportunity_id=card.pk, status_id=rows["Closed"].pk, actor=admin, now=NOW)

        with pytest.raises(Refused) as refused:
            statuses.edit(status_id=rows["Closed"].pk, inactive=True, actor=admin, now=NOW)

        assert refused.value.codes == ("FLAGS_IN_USE",)

    def test_what_an_unused_row_means_can_change(self, admin, rows):
        assert statuses.edit(status_id=rows["Closed"].pk, inactive=True, actor=admin, now=NOW).inactive

    def test_a_row_cannot_be_both_won_and_lost(self, admin, rows):
        with pytest.raises(ValidationError):
            statuses.create(name="Both", closed=True, won=True, lost=True, actor=admin, now=NOW)

    def test_statuses_stand_in_the_order_that_was_dropped(self, admin, rows):
        statuses.reorder(ids=[rows["Won"].pk, rows["Lost"].pk], actor=admin, now=NOW)

        assert [row.name for row in OpportunityStatus.objects.in_order()] == [
            "Won",
            "Lost",
            "Default",
            "Inactive",
            "Closed",
        ]


class TestDeletingAStatus:
    @pytest.fixture
    def other_lost(self, admin):
        return statuses.create(name="Gone elsewhere", closed=True, lost=True, actor=admin, now=NOW)

    @pytest.fixture
    def lost_card(self, admin, rows):
        card = make_card()
        reason = ReasonFactory(label="Price")
        given = {"status_id": rows["Lost"].pk, "reason_id": reason.pk}
        return pipeline.set_status(opportunity_id=card.pk, **given, actor=admin, now=NOW)

    def test_its_cards_get_a_status_with_the_same_result(self, admin, rows, other_lost, lost_card):
        moved = statuses.delete(status_id=rows["Lost"].pk, replacement_id=other_lost.pk, actor=admin, now=NOW)

        card = Opportunity.objects.get(pk=lost_card.pk)
        assert moved == 1
        assert (card.status, card.hand_status) == (other_lost, other_lost)
        assert (card.sales_status, card.sales_rule) == ("lost", "manual")
        assert card.decided_on == lost_card.decided_on
        assert card.decided_reason_label == "Price"
        assert card.off_board

    def test_each_card_gets_one_event(self, admin, rows, other_lost, lost_card):
        statuses.delete(status_id=rows["Lost"].pk, replacement_id=other_lost.pk, actor=admin, now=NOW)

        event = Event.objects.get(kind="status_replaced")
        assert event.changes["status"] == ["Lost", "Gone elsewhere"]
        assert (event.sales_from, event.sales_to) == ("lost", "lost")

    def test_a_status_with_cards_asks_for_a_replacement(self, admin, rows, other_lost, lost_card):
        with pytest.raises(Refused) as refused:
            statuses.delete(status_id=rows["Lost"].pk, actor=admin, now=NOW)

        assert refused.value.codes == ("REPLACEMENT_NEEDED",)

    @pytest.mark.parametrize("name", ["Won", "Closed", "Default", "Lost"])
    def test_another_result_does_not_replace_it(self, admin, rows, other_lost, lost_card, name):
        with pytest.raises(Refused) as refused:
            statuses.delete(status_id=rows["Lost"].pk, replacement_id=rows[name].pk, actor=admin, now=NOW)

        assert refused.value.codes == ("WRONG_REPLACEMENT",)
        assert Opportunity.objects.get().status == rows["Lost"]

    def test_an_open_card_is_not_closed_by_tidying_the_table(self, admin, rows):
        waiting = statuses.create(name="Waiting", actor=admin, now=NOW)
        card = make_card()
        pipeline.set_status(opportunity_id=card.pk, status_id=waiting.pk, actor=admin, now=NOW)

        with pytest.raises(Refused):
            statuses.delete(status_id=waiting.pk, replacement_id=rows["Closed"].pk, actor=admin, now=NOW)

    def test_a_card_that_gets_the_default_says_nobody_chose_it(self, admin, rows):
        waiting = statuses.create(name="Waiting", actor=admin, now=NOW)
        card = make_card()
        pipeline.set_status(opportunity_id=card.pk, status_id=waiting.pk, actor=admin, now=NOW)

        statuses.delete(status_id=waiting.pk, replacement_id=rows["Default"].pk, actor=admin, now=NOW)

        card = Opportunity.objects.get()
        assert (card.status, card.hand_status, card.sales_rule) == (rows["Default"], None, "P9")

    def test_an_unused_status_goes_without_a_question(self, admin, rows):
        assert statuses.delete(status_id=rows["Inactive"].pk, actor=admin, now=NOW) == 0


class TestReasons:
    def test_a_renamed_reason_leaves_the_cards_their_words(self, admin, rows):
        reason = ReasonFactory(label="Price")
        card = make_card()
        given = {"status_id": rows["Lost"].pk, "reason_id": reason.pk}
        pipeline.set_status(opportunity_id=card.pk, **given, actor=admin, now=NOW)

        reasons.edit(reason_id=reason.pk, label="Too dear", actor=admin, now=NOW)

        assert Opportunity.objects.get().decided_reason_label == "Price"

    def test_a_used_reason_can_be_deactivated_but_not_deleted(self, admin, rows):
        reason = ReasonFactory()
        ReasonFactory()
        card = make_card()
        given = {"status_id": rows["Lost"].pk, "reason_id": reason.pk}
        pipeline.set_status(opportunity_id=card.pk, **given, actor=admin, now=NOW)

        with pytest.raises(Refused) as refused:
            reasons.delete(reason_id=reason.pk, actor=admin, now=NOW)

        assert refused.value.codes == ("REASON_USED",)
        assert not reasons.deactivate(reason_id=reason.pk, actor=admin, now=NOW).active

    def test_a_used_reason_stays_in_its_list(self, admin, rows):
        reason = ReasonFactory()
        card = make_card()
        given = {"status_id": rows["Lost"].pk, "reason_id": reason.pk}
        pipeline.set_status(opportunity_id=card.pk, **given, actor=admin, now=NOW)

        with pytest.raises(Refused) as refused:
            reasons.edit(reason_id=reason.pk, list="void", actor=admin, now=NOW)

        assert refused.value.codes == ("REASON_USED",)

    @pytest.mark.parametrize("act", [reasons.deactivate, reasons.delete])
    def test_each_list_keeps_an_active_reason(self, admin, act):
        last = ReasonFactory(void=True)
        ReasonFactory(void=True, active=False)
        ReasonFactory()

        with pytest.raises(Refused) as refused:
            act(reason_id=last.pk, actor=admin, now=NOW)

        assert refused.value.codes == ("LAST_ACTIVE_ROW",)

    def test_the_last_active_reason_does_not_change_lists(self, admin):
        last = ReasonFactory(void=True)

        with pytest.raises(Refused):
            reasons.edit(reason_id=last.pk, list="cancel", actor=admin, now=NOW)

    def test_an_unused_reason_can_be_deleted(self, admin):
        reason = ReasonFactory()
        ReasonFactory()

        reasons.delete(reason_id=reason.pk, actor=admin, now=NOW)

        assert not Reason.objects.filter(pk=reason.pk).exists()

    def test_a_reason_can_be_used_again(self, admin):
        assert reasons.activate(reason_id=ReasonFactory(active=False).pk, actor=admin, now=NOW).active

    def test_a_new_reason_comes_last_in_its_list(self, admin):
        ReasonFactory(sequence=4)
        ReasonFactory(void=True, sequence=9)

        assert reasons.create(list="cancel", label="Moved away", actor=admin, now=NOW).sequence == 5


class TestTypes:
    def test_a_used_type_is_not_deleted(self, admin):
        kind = TypeFactory()
        make_card(type_id=kind.pk)

        with pytest.raises(Refused) as refused:
            opportunity_types.delete(type_id=kind.pk, actor=admin, now=NOW)

        assert refused.value.codes == ("TYPE_USED",)

    def test_an_unused_type_is_deleted(self, admin):
        kind = TypeFactory()

        opportunity_types.delete(type_id=kind.pk, actor=admin, now=NOW)

        assert not OpportunityType.objects.exists()


class TestTaxRates:
    @pytest.fixture
    def sales_tax(self, admin):
        return tax_rates.create(name="Sales tax", percent="5.5", is_default=True, actor=admin, now=NOW)

    def test_a_new_default_takes_over_from_the_old_one(self, admin, sales_tax):
        new = tax_rates.create(name="Reduced", percent=2, actor=admin, now=NOW)

        tax_rates.set_default(rate_id=new.pk, actor=admin, now=NOW)

        assert list(TaxRate.objects.filter(is_default=True)) == [new]

    def test_a_retired_rate_is_no_default_and_can_be_used_again(self, admin, sales_tax):
        retired = tax_rates.retire(rate_id=sales_tax.pk, actor=admin, now=NOW)
        assert (retired.active, retired.is_default) == (False, False)

        assert tax_rates.activate(rate_id=sales_tax.pk, actor=admin, now=NOW).active

    def test_a_retired_rate_cannot_be_the_default(self, admin, sales_tax):
        tax_rates.retire(rate_id=sales_tax.pk, actor=admin, now=NOW)

        with pytest.raises(ValidationError):
            tax_rates.set_default(rate_id=sales_tax.pk, actor=admin, now=NOW)

    def test_a_name_is_taken_without_regard_to_case(self, admin, sales_tax):
        with pytest.raises(ValidationError, match="name already"):
            tax_rates.create(name="  SALES   tax", percent=1, actor=admin, now=NOW)

    @pytest.mark.parametrize("percent", [-1, 101, "lots"])
    def test_a_rate_lies_between_0_and_100_percent(self, admin, percent):
        with pytest.raises(ValidationError):
            tax_rates.create(name="Odd", percent=percent, actor=admin, now=NOW)

    @pytest.mark.parametrize("make", [make_quote, make_job, make_agreement])
    def test_a_rate_on_a_line_is_not_deleted_and_the_line_keeps_its_percentage(self, admin, sales_tax, make):
        document = make(deal(), lines=[{**PIPES, "tax_rate_id": sales_tax.pk}])

        with pytest.raises(Refused) as refused:
            tax_rates.delete(rate_id=sales_tax.pk, actor=admin, now=NOW)
        tax_rates.edit(rate_id=sales_tax.pk, percent=7, actor=admin, now=NOW)

        assert refused.value.codes == ("TAX_RATE_USED",)
        assert document.lines.get().tax_percent == Decimal("5.5")
        assert tax_rates.lines_with(sales_tax) == 1

    def test_an_unused_rate_is_deleted(self, admin, sales_tax):
        tax_rates.delete(rate_id=sales_tax.pk, actor=admin, now=NOW)

        assert not TaxRate.objects.exists()

    @pytest.mark.parametrize("verb", [tax_rates.edit, tax_rates.delete])
    def test_a_rate_that_is_gone_is_not_found(self, admin, verb):
        with pytest.raises(TaxRate.DoesNotExist):
            verb(rate_id=1, actor=admin, now=NOW)

    @pytest.mark.parametrize("role", ["salesperson", "manager"])
    def test_only_an_admin_keeps_tax_rates(self, sales_tax, role):
        person = UserFactory(role=role)

        for verb in (tax_rates.retire, tax_rates.delete):
            with pytest.raises(NotAllowed):
                verb(rate_id=sales_tax.pk, actor=person, now=NOW)
        with pytest.raises(NotAllowed):
            tax_rates.create(name="Mine", percent=1, actor=person, now=NOW)


class TestWhatAStageAsksOfDocuments:
    @pytest.mark.parametrize(
        ("asked", "short", "enough"),
        [
            ("requires_quote_submitted", "draft", "submitted"),
            ("requires_quote_accepted", "submitted", "accepted"),
            ("requires_quote_accepted", "submitted", "converted"),
            ("requires_agreement_submitted", "draft", "submitted"),
            ("requires_agreement_accepted", "submitted", "accepted"),
        ],
    )
    def test_a_card_enters_once_it_has_the_document(self, admin, asked, short, enough):
        stage = stages.create(name="Closing", actor=admin, now=NOW, **{asked: True})
        make = make_quote if "quote" in asked else make_agreement
        late, ready = deal(), deal()
        make(late, short)
        make(ready, enough)

        with pytest.raises(Refused) as refused:
            pipeline.move(opportunity_id=late.pk, stage_id=stage.pk, actor=admin, now=NOW)
        pipeline.move(opportunity_id=ready.pk, stage_id=stage.pk, actor=admin, now=NOW)

        assert refused.value.codes == (f"ENTRY_{asked.removeprefix('requires_').upper()}",)
        assert Opportunity.objects.get(pk=ready.pk).stage == stage


def refused_by_the_database(write):
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        write()
    return str(refused.value)


def broken(message, name):
    """SQLite names the columns of a broken unique constraint instead of the constraint."""
    return name in message or "UNIQUE constraint failed" in message


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("stage_name_unique", {"name_key": "other"}),
        ("stage_name_not_blank", {"name": ""}),
        ("stage_probability_percent", {"probability": 101}),
        ("stage_stale_positive", {"stale_after_days": 0}),
        ("stage_one_default", {"is_default": True}),
        ("stage_default_is_active", {"is_default": True, "active": False}),
    ],
)
def test_a_stage_that_must_not_be_is_refused_by_the_database(name, change):
    StageFactory(name="Other", is_default=name == "stage_one_default")
    stage = StageFactory()

    message = refused_by_the_database(lambda: QuerySet(OpportunityStage).filter(pk=stage.pk).update(**change))

    assert broken(message, name)


@pytest.mark.parametrize(
    ("name", "row", "change"),
    [
        ("status_name_unique", "Closed", {"name_key": "won"}),
        ("status_name_not_blank", "Closed", {"name": ""}),
        ("status_won_or_lost", "Won", {"lost": True}),
        ("status_final_is_closed", "Won", {"closed": False}),
        ("status_final_is_closed", "Inactive", {"closed": False}),
        ("status_one_default", "Extra", {"is_default": True}),
        ("status_default_is_open", "Default", {"closed": True}),
        ("status_default_is_open", "Default", {"retired": True}),
    ],
)
def test_a_status_that_must_not_be_is_refused_by_the_database(rows, name, row, change):
    OpportunityStatus.objects.create(name="Extra")

    message = refused_by_the_database(lambda: QuerySet(OpportunityStatus).filter(name=row).update(**change))

    assert broken(message, name)


@pytest.mark.parametrize(
    ("name", "change"),
    [("type_name_unique", {"name_key": "other"}), ("type_name_not_blank", {"name": ""})],
)
def test_a_type_that_must_not_be_is_refused_by_the_database(name, change):
    TypeFactory(name="Other")
    kind = TypeFactory()

    message = refused_by_the_database(lambda: QuerySet(OpportunityType).filter(pk=kind.pk).update(**change))

    assert broken(message, name)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("reason_label_unique", {"name_key": "other"}),
        ("reason_label_not_blank", {"label": ""}),
        ("reason_list_known", {"list": "lost"}),
    ],
)
def test_a_reason_that_must_not_be_is_refused_by_the_database(name, change):
    ReasonFactory(label="Other")
    reason = ReasonFactory()

    message = refused_by_the_database(lambda: QuerySet(Reason).filter(pk=reason.pk).update(**change))

    assert broken(message, name)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("business_one_row", {"id": 2}),
        ("business_auto_archive_positive", {"auto_archive_days": 0}),
        ("business_first_weekday", {"first_day_of_week": 3}),
        ("business_salespeople_see", {"salespeople_see": "some"}),
    ],
)
def test_settings_that_must_not_be_are_refused_by_the_database(rows, name, change):
    message = refused_by_the_database(lambda: QuerySet(BusinessSettings).update(**change))

    assert broken(message, name)


def test_the_two_lists_may_have_the_same_reason():
    ReasonFactory(label="Duplicate")
    ReasonFactory(label="Duplicate", void=True)

    assert Reason.objects.count() == 2
