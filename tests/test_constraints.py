"""What the database itself refuses, whoever writes: each constraint is broken here, past every verb."""

import pytest
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from boards.models import Board, Column, ColumnStage, Fold
from opportunities import outbox
from opportunities.models import (
    ActionItem,
    Agreement,
    AgreementLine,
    BulkAct,
    BusinessSettings,
    CalendarFeed,
    Contact,
    Customer,
    Digest,
    EmailTemplate,
    Event,
    Job,
    JobLine,
    Note,
    Notice,
    NoticeChoice,
    Opportunity,
    OpportunityCustomer,
    OutgoingEmail,
    Payment,
    Quote,
    QuoteLine,
    QuoteRecipient,
    Recipient,
    Refund,
    Reminder,
    TaxRate,
)
from opportunities.models.state_field import ProtectedStateField
from tests.documents import PIPES, deal, make_agreement, make_job, make_quote, pay, pay_back
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


CLOSED_WRONGLY = [{"state": "void"}, {"closed_at": NOW}, {"close_reason_label": "x"}, {"closed_with_card": True}]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("opportunity_lost_because_known", {"lost_because": "weather"}),
        ("opportunity_completed_on_iff_completed", {"workflow_status": "completed"}),
        ("opportunity_completed_on_iff_completed", {"completed_on": NOW.date()}),
    ],
)
def test_a_card_says_when_it_was_completed_and_what_lost_it(name, fields):
    card = make_card()

    breaks(name, lambda: QuerySet(Opportunity).filter(pk=card.pk).update(**fields))


MAKERS = {"quote": (Quote, make_quote), "job": (Job, make_job), "agreement": (Agreement, make_agreement)}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("state_known", {"state": "lost"}),
        ("discount_percent", {"discount_percent": 101}),
        ("discount_percent", {"discount_percent": -1}),
        *(("closed_iff_dead", fields) for fields in CLOSED_WRONGLY),
        ("attached_on_iff_on_card", {"attached_on": None}),
        ("attached_on_iff_on_card", {"opportunity": None}),
        ("money_not_negative", {"net": -1}),
        ("money_not_negative", {"tax": -1}),
    ],
)
@pytest.mark.parametrize("kind", MAKERS)
def test_a_document_that_must_not_be_is_refused(kind, name, fields):
    model, make = MAKERS[kind]
    document = make(deal())
    if name == "state_known" and model is Agreement:
        fields = {**fields, "status": "lost"}

    refused = breaks_one_of if fields in ({"state": "void"}, {"state": "lost", "status": "lost"}) else breaks
    refused(f"{kind}_{name}", lambda: QuerySet(model).filter(pk=document.pk).update(**fields))


def breaks_one_of(name, write):
    """See the database refuse; several constraints are broken at once, and it names whichever it meets first."""
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        write()
    assert name in str(refused.value) or name.partition("_")[0] in str(refused.value)


@pytest.mark.parametrize(
    ("to", "name", "fields"),
    [
        ("draft", "quote_submitted_was_submitted", {"state": "submitted"}),
        ("draft", "quote_submitted_was_submitted", {"state": "accepted"}),
        ("incomplete", "quote_incomplete_never_submitted", {"submit_count": 1}),
    ],
)
def test_a_quote_that_must_not_be_is_refused(to, name, fields):
    quote = make_quote(deal(), to)

    breaks(name, lambda: QuerySet(Quote).filter(pk=quote.pk).update(**fields))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("job_refunded_within_paid", {"refunded": 1}),
        ("job_refunded_within_paid", {"paid": -1, "refunded": -1}),
        ("job_completed_at_iff_completed", {"state": "completed"}),
        ("job_completed_at_iff_completed", {"completed_at": NOW}),
    ],
)
def test_a_job_that_must_not_be_is_refused(name, fields):
    job = make_job(deal())

    breaks(name, lambda: QuerySet(Job).filter(pk=job.pk).update(**fields))


def test_a_quote_has_one_live_job():
    card = deal()
    quote = make_quote(card, "converted")
    another = make_job(card)

    breaks("job_one_live_of_quote", lambda: QuerySet(Job).filter(pk=another.pk).update(quote=quote))
    dead = make_job(card, "void")
    assert QuerySet(Job).filter(pk=dead.pk).update(quote=quote) == 1


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("agreement_status_known", {"status": "lost"}),
        ("agreement_status_follows_state", {"status": "accepted"}),
        ("agreement_status_follows_state", {"state": "submitted", "submitted_at": NOW}),
        ("agreement_submitted_at", {"state": "submitted", "status": "submitted"}),
        ("agreement_kind_known", {"kind": "promise"}),
    ],
)
def test_an_agreement_that_must_not_be_is_refused(name, fields):
    agreement = make_agreement(deal())

    refused = breaks_one_of if name == "agreement_status_known" else breaks
    refused(name, lambda: QuerySet(Agreement).filter(pk=agreement.pk).update(**fields))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("description_not_blank", {"description": ""}),
        ("quantity_not_negative", {"quantity": -1}),
        ("price_not_negative", {"unit_price": -1}),
        ("kind_known", {"kind": "favour"}),
    ],
)
@pytest.mark.parametrize(
    ("kind", "model"), [("quote_line", QuoteLine), ("job_line", JobLine), ("agreement_line", AgreementLine)]
)
def test_a_line_that_must_not_be_is_refused(kind, model, name, fields):
    card = deal()
    make_quote(card, lines=[PIPES])
    make_job(card, lines=[PIPES])
    make_agreement(card, lines=[PIPES])
    if model is JobLine and name == "quantity_not_negative":
        fields = {**fields, "fulfilled_quantity": -1}

    refused = breaks_one_of if "fulfilled_quantity" in fields else breaks
    refused(f"{kind}_{name}", lambda: QuerySet(model).update(**fields))


@pytest.mark.parametrize("fulfilled", [-1, 11])
def test_no_more_than_there_is_can_be_fulfilled(fulfilled):
    make_job(deal(), lines=[PIPES])

    breaks(
        "job_line_fulfilled_within_quantity",
        lambda: QuerySet(JobLine).update(fulfilled_quantity=fulfilled),
    )


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("recipient_name_not_blank", {"name": ""}),
        ("recipient_role_known", {"role": "boss"}),
        ("recipient_state_known", {"state": "asleep"}),
        ("recipient_answered_at_iff_answered", {"state": "accepted"}),
        ("recipient_answered_at_iff_answered", {"answered_at": NOW}),
    ],
)
def test_a_recipient_that_must_not_be_is_refused(name, fields):
    make_agreement(deal())

    breaks(name, lambda: QuerySet(Recipient).update(**fields))


def test_a_recipient_of_a_quote_has_a_name():
    make_quote(deal())

    breaks("quote_recipient_name_not_blank", lambda: QuerySet(QuoteRecipient).update(name=""))


@pytest.mark.parametrize(
    ("name", "model", "fields"),
    [
        ("payment_amount_positive", Payment, {"amount": 0}),
        ("payment_state_known", Payment, {"state": "lost"}),
        ("refund_amount_positive", Refund, {"amount": 0}),
        ("refund_state_known", Refund, {"state": "lost"}),
    ],
)
def test_money_that_must_not_be_is_refused(name, model, fields):
    pay_back(pay(make_job(deal()), "10"), "4")

    breaks(name, lambda: QuerySet(model).update(**fields))


def test_history_is_about_a_card_or_a_document():
    make_card()

    breaks("event_is_about_something", lambda: QuerySet(Event).update(opportunity=None))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("tax_rate_name_unique", {"name_key": "other"}),
        ("tax_rate_name_not_blank", {"name": ""}),
        ("tax_rate_percent", {"percent": 101}),
        ("tax_rate_percent", {"percent": -1}),
        ("tax_rate_one_default", {"is_default": True}),
    ],
)
def test_a_tax_rate_that_must_not_be_is_refused(name, fields):
    TaxRate.objects.create(name="Other", percent=5, is_default=True)
    rate = TaxRate.objects.create(name="Sales tax", percent=6)

    breaks(name, lambda: QuerySet(TaxRate).filter(pk=rate.pk).update(**fields))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("business_lost_when_known", {"lost_when": "raining"}),
        ("business_quote_valid_days_positive", {"quote_valid_days": 0}),
    ],
)
def test_settings_of_documents_that_must_not_be_are_refused(name, fields):
    make_card()

    breaks(name, lambda: QuerySet(BusinessSettings).update(**fields))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("action_moment_iff_own_time", {"remind": "moment"}),
        ("action_moment_iff_own_time", {"remind": "day", "remind_on": NOW.date(), "remind_time": NOW.time()}),
        ("action_moment_iff_own_time", {"remind": "often"}),
    ],
)
def test_an_action_item_names_a_moment_exactly_if_it_is_recalled_at_one(name, fields):
    item = ActionItem.objects.create(opportunity=make_card(), text="Call", due_on=NOW.date(), created_at=NOW)
    breaks(name, lambda: ActionItem.objects.filter(pk=item.pk).update(**fields))


def test_a_reminder_is_sent_at_a_moment_and_an_item_has_one_scheduled_at_most():
    item = ActionItem.objects.create(opportunity=make_card(), text="Call", due_on=NOW.date(), created_at=NOW)
    reminder = Reminder.objects.create(action=item, fire_at=NOW)
    one = Reminder.objects.filter(pk=reminder.pk)
    for fields in ({"state": "sent"}, {"sent_at": NOW}, {"state": "lost"}, {"state": "removed", "sent_at": NOW}):
        breaks("reminder_sent_at_iff_sent", lambda fields=fields: one.update(**fields))
    breaks("reminder_one_scheduled_an_action", lambda: Reminder.objects.create(action=item, fire_at=NOW))


@pytest.fixture
def notice():
    facts = {"kind": "won", "way": "mail", "about": "x", "created_at": NOW}
    return Notice.objects.create(person=UserFactory.create(), opportunity=make_card(), **facts)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("notice_of_event_or_matter", {"about": ""}),
        ("notice_kind_known", {"kind": "gossip"}),
        ("notice_way_known", {"way": "pigeon"}),
        ("notice_mailed_at_iff_mailed", {"mail": "sent"}),
        ("notice_mailed_at_iff_mailed", {"mailed_at": NOW}),
        ("notice_mailed_at_iff_mailed", {"mail": "sent", "mailed_at": NOW, "way": "off"}),
        ("notice_mailed_at_iff_mailed", {"mail": "lost"}),
    ],
)
def test_a_notice_is_of_one_event_or_matter_and_mailed_only_where_mail_is_wanted(notice, name, fields):
    breaks(name, lambda: Notice.objects.filter(pk=notice.pk).update(**fields))


def test_nobody_is_told_the_same_twice(notice):
    same = {"person": notice.person, "opportunity": notice.opportunity, "way": "mail", "created_at": NOW}
    breaks("notice_once_a_matter", lambda: Notice.objects.create(kind="lost", about="x", **same))
    event = Event.objects.filter(opportunity=notice.opportunity)[0]
    Notice.objects.create(kind="lost", event=event, **same)
    breaks("notice_once_an_event", lambda: Notice.objects.create(kind="won", event=event, **same))


def test_a_person_chooses_one_way_a_subject_and_gets_one_digest_a_day_with_something_in_it():
    ann = UserFactory.create()
    NoticeChoice.objects.create(person=ann, subject="result", way="off")
    choose, digest = NoticeChoice.objects.create, Digest.objects.create
    breaks("notice_choice_once_a_subject", lambda: choose(person=ann, subject="result", way="mail"))
    breaks("notice_choice_subject_known", lambda: choose(person=ann, subject="weather", way="mail"))
    breaks("notice_choice_way_known", lambda: choose(person=ann, subject="closed", way="pigeon"))
    digest(person=ann, day=NOW.date(), sent_at=NOW, notices=1)
    breaks("digest_once_a_day", lambda: digest(person=ann, day=NOW.date(), sent_at=NOW, notices=2))
    breaks("digest_not_empty", lambda: digest(person=UserFactory.create(), day=NOW.date(), sent_at=NOW, notices=0))


def test_a_calendar_feed_has_a_secret_and_a_person_one_feed():
    feed = CalendarFeed.objects.create(user=UserFactory(), made_at=NOW)

    breaks("calendar_feed_nonce_not_blank", lambda: CalendarFeed.objects.update(nonce=""))
    breaks("calendarfeed_user_id", lambda: CalendarFeed.objects.create(user=feed.user, made_at=NOW))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("mail_state_known", {"state": "lost"}),
        ("mail_kind_known", {"kind": "spam"}),
        ("mail_sent_at_iff_sent", {"state": "sent"}),
        ("mail_sent_at_iff_sent", {"sent_at": NOW}),
        ("mail_queued_has_next_try", {"next_try_at": None}),
        ("mail_sending_is_claimed", {"state": "sending"}),
        ("mail_subject_not_blank", {"subject": ""}),
    ],
)
def test_a_mail_that_must_not_be_is_refused(name, fields):
    mail = outbox.queue(kind="cancel", to=["ada@example.test"], subject="Closed", body="", actor=None, now=NOW)

    breaks(name, lambda: OutgoingEmail.objects.filter(pk=mail.pk).update(**fields))


def test_no_two_mails_are_one_message():
    given = {"kind": "cancel", "to": ["ada@example.test"], "subject": "Closed", "body": "", "actor": None, "now": NOW}
    first, second = outbox.queue(**given), outbox.queue(**given)

    breaks("message_id", lambda: OutgoingEmail.objects.filter(pk=second.pk).update(message_id=first.message_id))


@pytest.mark.parametrize(
    ("name", "fields"), [("template_subject_not_blank", {"subject": ""}), ("template_body_not_blank", {"body": ""})]
)
def test_a_template_without_words_is_refused(name, fields):
    template = EmailTemplate.objects.create(key="other", subject="Hello", body="Dear all")

    breaks(name, lambda: EmailTemplate.objects.filter(pk=template.pk).update(**fields))
