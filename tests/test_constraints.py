"""What the database itself refuses, whoever writes: each constraint is broken here, past every verb."""

import pytest
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from boards.models import Board, Column, ColumnStage, Fold
from opportunities.models import ActionItem, BulkAct, Contact, Customer, Note, Opportunity, OpportunityCustomer
from opportunities.models.state_field import ProtectedStateField
from tests.factories import (
    NOW,
    BoardFactory,
    ContactFactory,
    CustomerFactory,
    ReasonFactory,
    StageFactory,
    UserFactory,
    make_card,
)

pytestmark = pytest.mark.django_db

CLOSED = {
    "closed_kind": "void",
    "workflow_status": "void",
    "closed_at": NOW,
    "close_reason_label": "Duplicate",
    "sales_status": "lost",
    "sales_rule": "P1",
    "decided_on": NOW.date(),
}


def breaks(name, write):
    """See the database refuse, by the constraint's name (SQLite names the columns of unique ones instead)."""
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        write()
    message = str(refused.value)
    assert name in message or "UNIQUE constraint failed" in message


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("opportunity_title_not_blank", {"title": ""}),
        ("opportunity_amount_not_negative", {"amount": -1}),
        ("opportunity_probability_percent", {"probability": 101}),
        ("opportunity_workflow_status_known", {"workflow_status": "won"}),
        ("opportunity_sales_status_known", {"sales_status": "maybe", "decided_on": NOW.date()}),
        ("opportunity_sales_rule_known", {"sales_rule": "P10"}),
        ("opportunity_closed_iff_void_or_canceled", {"workflow_status": "void"}),
        ("opportunity_closed_iff_void_or_canceled", {**CLOSED, "workflow_status": "canceled"}),
        ("opportunity_closed_iff_void_or_canceled", {**CLOSED, "closed_at": None}),
        ("opportunity_closed_iff_void_or_canceled", {**CLOSED, "close_reason_label": ""}),
        ("opportunity_closed_iff_void_or_canceled", {"close_reason_label": "Duplicate"}),
        ("opportunity_closed_is_lost", {**CLOSED, "sales_status": "none"}),
        ("opportunity_closed_is_lost", {**CLOSED, "sales_rule": "P9"}),
        ("opportunity_expired_has_forecast_date", {"workflow_status": "expired"}),
        ("opportunity_won_or_lost_is_decided", {"sales_status": "won"}),
        ("opportunity_off_board_by_hand", {"off_board": True}),
        ("opportunity_off_board_by_hand", {"off_board": True, "sales_rule": "manual"}),
    ],
)
def test_a_card_that_must_not_be_is_refused(name, fields):
    card = make_card()

    breaks(name, lambda: QuerySet(Opportunity).filter(pk=card.pk).update(**fields))


@pytest.mark.parametrize(("kind", "status"), [("void", "void"), ("canceled", "canceled")])
def test_a_card_closed_in_every_respect_is_legal(kind, status):
    card = make_card()

    changed = (
        QuerySet(Opportunity).filter(pk=card.pk).update(**CLOSED | {"closed_kind": kind, "workflow_status": status})
    )

    assert changed == 1


def test_a_customer_stands_once_on_a_card():
    customer, contact = CustomerFactory(), ContactFactory()
    card = make_card(customer_ids=[customer.pk], contact_ids=[contact.pk])

    breaks(
        "party_unique_without_contact",
        lambda: OpportunityCustomer.objects.create(opportunity=card, customer=customer),
    )
    breaks(
        "party_unique_with_contact",
        lambda: OpportunityCustomer.objects.create(opportunity=card, customer=contact.customer, contact=contact),
    )


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("action_text_not_blank", {"text": ""}),
        ("action_state_known", {"state": "later", "done_at": NOW}),
        ("action_done_at_iff_not_open", {"state": "done"}),
        ("action_done_at_iff_not_open", {"done_at": NOW}),
    ],
)
def test_an_action_item_that_must_not_be_is_refused(name, fields):
    item = ActionItem.objects.create(opportunity=make_card(), text="Call", due_on=NOW.date(), created_at=NOW)

    breaks(name, lambda: ActionItem.objects.filter(pk=item.pk).update(**fields))


def test_blank_names_and_notes_are_refused():
    contact = ContactFactory()
    note = Note.objects.create(opportunity=make_card(), text="x", created_at=NOW)

    breaks("customer_name_not_blank", lambda: Customer.objects.update(name=""))
    breaks("customer_kind_known", lambda: Customer.objects.update(kind="alien"))
    breaks("contact_name_not_blank", lambda: Contact.objects.filter(pk=contact.pk).update(name=""))
    breaks("note_text_not_blank", lambda: Note.objects.filter(pk=note.pk).update(text=""))


def test_a_finished_bulk_act_says_when():
    act = BulkAct.objects.create(verb="archive", actor=UserFactory(), created_at=NOW)

    breaks("bulk_finished_iff_done", lambda: BulkAct.objects.filter(pk=act.pk).update(state="done"))


def test_a_stage_is_in_one_column_of_a_board():
    stage = StageFactory()
    board = BoardFactory(stages=[stage])
    other = Column.objects.create(board=board, name="Other")

    breaks(
        "column_stage_once_a_board",
        lambda: ColumnStage.objects.create(board=board, column=other, stage=stage),
    )
    BoardFactory(stages=[stage])


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("board_name_not_blank", {"name": ""}),
        ("board_sort_known", {"sort": "title"}),
        ("board_default_is_shared", {"is_default": True}),
    ],
)
def test_a_board_that_must_not_be_is_refused(name, fields):
    board = BoardFactory(owner=UserFactory())

    breaks(name, lambda: Board.objects.filter(pk=board.pk).update(**fields))


def test_there_is_one_default_board():
    BoardFactory(is_default=True)

    breaks("board_one_default", lambda: BoardFactory(is_default=True))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("column_name_not_blank", {"name": ""}),
        ("column_wip_max_positive", {"wip_max": 0}),
        ("column_wip_in_order", {"wip_min": 3, "wip_max": 2}),
    ],
)
def test_a_column_that_must_not_be_is_refused(name, fields):
    column = Column.objects.create(board=BoardFactory(), name="Lead")

    breaks(name, lambda: Column.objects.filter(pk=column.pk).update(**fields))


def test_a_column_is_folded_once_a_person():
    person, board = UserFactory(), BoardFactory(stages=[StageFactory()])
    column = board.columns.get()
    Fold.objects.create(user=person, board=board, column=column)
    Fold.objects.create(user=person, board=board)

    breaks("fold_once_a_person", lambda: Fold.objects.create(user=person, board=board, column=column))
    breaks("fold_tray_once_a_person", lambda: Fold.objects.create(user=person, board=board))


class TestProtectedState:
    """The workflow status changes by transitions only, on every way there is to write a row."""

    def test_it_cannot_be_assigned(self):
        card = make_card()

        with pytest.raises(AttributeError):
            card.workflow_status = "contracted"
        card.workflow_status = "prospect"

    def test_it_can_be_reloaded(self):
        card = make_card()
        QuerySet(Opportunity).filter(pk=card.pk).update(workflow_status="contracted")

        card.refresh_from_db()

        assert card.workflow_status == "contracted"
        with pytest.raises(AttributeError):
            card.workflow_status = "prospect"

    @pytest.mark.parametrize(
        "fields", [{"workflow_status": "contracted"}, {"sales_status": "won"}, {"status": 1}, {"off_board": True}]
    )
    def test_no_bulk_update_reaches_it(self, fields):
        card = make_card()

        with pytest.raises(AttributeError):
            Opportunity.objects.update(**fields)
        with pytest.raises(AttributeError):
            Opportunity.objects.bulk_update([card], list(fields))

    def test_no_bulk_create_gives_it_another_start(self):
        with pytest.raises(AttributeError):
            Opportunity.objects.bulk_create([Opportunity(title="x", workflow_status="won")])

    def test_other_fields_are_written_in_bulk(self):
        make_card()

        assert Opportunity.objects.update(search_key="x") == 1

    def test_a_misspelt_field_is_djangos_to_refuse(self):
        with pytest.raises(Exception, match="colour"):
            Opportunity.objects.update(colour="red")

    def test_it_needs_no_protected_argument_in_migrations(self):
        _name, _path, _args, kwargs = ProtectedStateField(default="x").deconstruct()

        assert "protected" not in kwargs


def test_a_reason_in_use_cannot_be_deleted():
    reason = ReasonFactory()
    card = make_card()
    QuerySet(Opportunity).filter(pk=card.pk).update(decided_reason=reason)

    with pytest.raises(Exception, match="protected"):
        reason.delete()
