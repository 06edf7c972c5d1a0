"""The page and panel of an opportunity: who sees what, every act as a plain form, and what ends in words."""

import re
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.urls import reverse

from opportunities import activity, customers, lifecycle, overview, pipeline
from opportunities.models import ActionItem, BusinessSettings, Customer, Note, Opportunity, OpportunityStatus
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

TODAY = NOW.date()
PANEL = {"hx-request": "true", "hx-target": "article#opportunity"}
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def business():
    """A business that is set up and swept, on the day of the scenarios."""
    with time_machine.travel(NOW, tick=False):
        starter_rows()
        BusinessSettings.objects.filter(pk=1).update(swept_until=TODAY)
        yield BusinessSettings.current()


@pytest.fixture
def ann():
    return UserFactory(role="salesperson", first_name="Ann", last_name="Kowalski")


@pytest.fixture
def manager():
    return UserFactory(role="manager", first_name="Mark", last_name="Reyes")


def signed_in(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def url(name: str, *args, **query) -> str:
    return reverse(f"opportunities:{name}", args=args, query=query or None)


def page(client: Client, card: Opportunity) -> str:
    return client.get(card.get_absolute_url()).content.decode()


def shown_form(client, address):
    """The values that a form page shows, as a browser would send them back."""
    form = client.get(address).context["form"]
    data = {name: form[name].value() for name in form.fields}
    data |= {
        "customer": [str(party.pk) for party in form.party_choices()],
        "contact": [str(each.pk) for party in form.party_choices() for each in party.contacts if each.chosen],
    }
    return {name: "" if value is None else value for name, value in data.items()}


class TestSeeing:
    def test_the_page_shows_number_title_and_both_statuses(self, ann):
        card = make_card(actor=ann, title="Clinic ventilation", amount=Decimal(38600))

        text = page(signed_in(ann), card)

        assert all(words in text for words in (card.number, "Clinic ventilation", "Prospect", "Open", "$38,600.00"))

    def test_a_new_card_says_why_it_is_a_prospect(self, ann):
        card = make_card(actor=ann)

        assert "Prospect: no quote, job or agreement is attached." in page(signed_in(ann), card)

    def test_an_expired_card_says_why_and_offers_to_move_on(self, ann):
        card = make_card(actor=ann, forecast_date=date(2025, 5, 12))

        text = page(signed_in(ann), card)

        assert "Expired: its forecast date, 12 May, has passed." in text
        assert "A week, to 17 Jun" in text
        assert "A month, to 10 Jul" in text

    def test_a_lost_card_says_who_marked_it_when_and_why(self, ann):
        card = make_card(actor=ann)
        lost = OpportunityStatus.objects.get(name="Lost")
        reason = ReasonFactory(label="Price")
        pipeline.set_status(opportunity_id=card.pk, status_id=lost.pk, reason_id=reason.pk, actor=ann, now=NOW)

        text = page(signed_in(ann), card)

        assert "Lost: marked by hand by Ann Kowalski on Tuesday, 10 June 2025. Reason: Price." in text

    def test_weighted_takes_the_stages_probability_where_the_card_has_none(self, ann):
        card = make_card(actor=ann, stage_id=StageFactory(probability=40).pk, amount=Decimal(1000))

        text = page(signed_in(ann), card)

        assert "40 % (the stage&#x27;s)" in text
        assert "weighted $400.00" in text

    def test_htmx_gets_the_panel_and_not_the_page(self, ann):
        card = make_card(actor=ann)

        response = signed_in(ann).get(card.get_absolute_url(), headers={"hx-request": "true"})

        assert response.content.decode().lstrip().startswith("<article")
        assert "HX-Request" in response.headers["Vary"]

    def test_a_card_one_may_not_see_is_not_found(self, ann, manager):
        BusinessSettings.objects.update(salespeople_see=BusinessSettings.SalespeopleSee.OWN)
        card = make_card(actor=manager)

        assert signed_in(ann).get(card.get_absolute_url()).status_code == 404

    def test_an_absurd_number_is_not_found(self, ann):
        assert signed_in(ann).get(f"/opportunities/{10**30}/").status_code == 404

    def test_html_in_every_text_is_shown_as_text(self, ann):
        evil = "<script>alert(1)</script>"
        customer = customers.create(name=evil, address=evil, actor=ann, now=NOW)
        contact = customers.add_contact(customer_id=customer.pk, name=evil, role=evil, actor=ann, now=NOW)
        card = make_card(actor=ann, title=evil, description=evil, contact_ids=[contact.pk])
        activity.add_note(opportunity_id=card.pk, text=evil, actor=ann, now=NOW)
        activity.add_action(opportunity_id=card.pk, text=evil, due_on=TODAY, actor=ann, now=NOW)
        pipeline.edit(opportunity_id=card.pk, title=f"{evil}!", actor=ann, now=NOW)

        client = signed_in(ann)
        texts = [page(client, card)]
        texts += [client.get(address).content.decode() for address in (url("edit", card.pk), url("status", card.pk))]
        texts += [
            client.get(url("customer", customer.pk)).content.decode(),
            client.get(url("customers")).content.decode(),
        ]

        assert all("<script>alert" not in text for text in texts)

    def test_what_is_not_allowed_is_shown_with_who_may(self, ann, manager):
        card = make_card(actor=manager, salesperson_id=manager.pk)

        text = page(signed_in(ann), card)

        assert "Only Mark Reyes, whose card this is, or a manager may do that." in text
        assert url("status", card.pk) not in text

    def test_an_unassigned_card_can_be_taken(self, ann):
        card = make_card(actor=ann, salesperson_id=None)

        assert "Take it" in page(signed_in(ann), card)

    def test_without_a_plan_the_page_asks_for_one(self, ann):
        card = make_card(actor=ann)

        assert "Nothing is planned: say what comes next, and when." in page(signed_in(ann), card)

    @pytest.mark.parametrize("busy", [False, True])
    def test_the_page_asks_the_database_a_fixed_number_of_times(self, ann, busy, django_assert_num_queries):
        card = make_card(actor=ann, customer_ids=[CustomerFactory().pk])
        if busy:
            fill(card, ann)
        client = signed_in(ann)

        with django_assert_num_queries(15 if busy else 13):
            client.get(card.get_absolute_url())


def fill(card, person):
    """Give a card a life: contacts, actions, notes, moves and edits."""
    contacts = [ContactFactory() for _each in range(4)]
    pipeline.edit(opportunity_id=card.pk, contact_ids=[each.pk for each in contacts], actor=person, now=NOW)
    for number in range(12):
        activity.add_action(
            opportunity_id=card.pk, text=f"a{number}", due_on=TODAY, assignee_id=person.pk, actor=person, now=NOW
        )
        activity.add_note(opportunity_id=card.pk, text=f"n{number}", actor=person, now=NOW)
        pipeline.move(opportunity_id=card.pk, stage_id=StageFactory().pk, actor=person, now=NOW)


class TestMaking:
    def test_a_card_is_made_with_all_its_facts(self, ann):
        client, contact, stage, kind = signed_in(ann), ContactFactory(), StageFactory(), TypeFactory()

        response = client.post(
            url("new"),
            {
                "title": "Clinic ventilation",
                "customer": [contact.customer_id],
                "contact": [contact.pk],
                "customer_name": "Harbor View Apartments",
                "amount": "$38,600.50",
                "probability": "80",
                "stage": stage.pk,
                "type": kind.pk,
                "salesperson": ann.pk,
                "forecast_date": "2025-07-01",
                "description": "Two floors",
                "token": uuid.uuid4(),
            },
        )

        card = Opportunity.objects.get()
        assert response.headers["Location"] == card.get_absolute_url()
        assert (card.amount, card.probability, card.stage, card.type) == (Decimal("38600.50"), 80, stage, kind)
        assert card.forecast_date == date(2025, 7, 1)
        assert card.face["customers"] == [contact.customer.name, "Harbor View Apartments"]
        assert card.face["contacts"] == [contact.name]

    def test_a_double_click_makes_one_card(self, ann):
        client, token = signed_in(ann), uuid.uuid4()

        answers = [client.post(url("new"), {"title": "Once", "token": token}) for _click in range(2)]

        assert Opportunity.objects.count() == 1
        assert answers[0].headers["Location"] == answers[1].headers["Location"]

    def test_the_form_begins_with_a_token_the_default_stage_and_oneself(self, ann):
        stage = StageFactory(is_default=True)

        form = signed_in(ann).get(url("new")).context["form"]

        assert uuid.UUID(form["token"].value())
        assert (form["stage"].value(), form["salesperson"].value()) == (str(stage.pk), str(ann.pk))

    def test_a_typed_name_that_is_known_makes_no_second_customer(self, ann):
        known = CustomerFactory(name="Café Noir")

        signed_in(ann).post(url("new"), {"title": "Lamps", "customer_name": "  cafe  NOIR "})

        assert Customer.objects.get() == known

    def test_a_refused_card_leaves_no_customer_behind(self, ann):
        strict = StageFactory(requires_amount=True, name="Proposal")

        response = signed_in(ann).post(url("new"), {"title": "Lamps", "stage": strict.pk, "customer_name": "Newcomer"})

        assert response.status_code == 409
        assert "“Proposal” needs an amount." in response.content.decode()
        assert not Customer.objects.exists()
        assert not Opportunity.objects.exists()

    def test_adding_a_customer_shows_its_contacts_and_saves_nothing(self, ann):
        contact = ContactFactory(name="Dr. Lowell")
        name = contact.customer.name

        response = signed_in(ann).post(url("new"), {"title": "", "customer_name": name, "add": "1"})

        assert response.status_code == 200
        assert "Dr. Lowell" in response.content.decode()
        assert not Opportunity.objects.exists()

    def test_two_customers_of_one_name_are_told_apart_by_their_number(self, ann):
        _first, second = CustomerFactory(name="Smith"), CustomerFactory(name="Smith")
        client = signed_in(ann)

        offered = client.get(url("customer-suggest", customer_name="smi")).content.decode()
        client.post(url("new"), {"title": "Lamps", "customer_name": f"Smith #{second.pk}"})

        assert f"Smith #{second.pk}" in offered
        assert Opportunity.objects.get().parties.get().customer == second

    def test_a_past_date_is_saved_with_a_warning(self, ann):
        response = signed_in(ann).post(url("new"), {"title": "Late", "forecast_date": "2025-06-01"}, follow=True)

        assert "This date is already past" in response.content.decode()
        assert Opportunity.objects.get().is_expired

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("title", "", "Give the opportunity a title."),
            ("title", "x" * 10_000, "at most 200 characters"),
            ("amount", "-5", "The amount cannot be negative."),
            ("amount", "1" * 39, "The amount is too large."),
            ("amount", "NaN", "That is no amount."),
            ("amount", "a lot", "That is no amount."),
            ("amount", "1,23,4.5.6", "That is no amount."),
            ("probability", "101", "The probability lies between 0 and 100 percent."),
            ("forecast_date", "2025-02-31", "There is no such day."),
            ("forecast_date", "0001-01-01", "That day is too far away."),
            ("stage", "999999", "That stage is not offered any more."),
            ("stage", "'; drop table", "That stage is not offered any more."),
            ("type", "999999", "That type is not offered any more."),
            ("customer", "999999", "was deleted meanwhile"),
            ("contact", "999999", "was deleted meanwhile"),
            ("customer_name", "x" * 500, "The customer&#x27;s name is too long"),
            ("salesperson", "999999", "You cannot give the card to that person."),
            ("description", "x" * 20_001, "at most 20000 characters"),
            ("title", "a\x00b", "Null characters are not allowed."),
        ],
    )
    def test_bad_input_ends_in_words(self, ann, field, value, words):
        response = signed_in(ann).post(url("new"), {"title": "Lamps", field: value})

        assert response.status_code == 422
        assert words in response.content.decode()
        assert not Opportunity.objects.exists()

    def test_a_salesperson_may_not_give_a_new_card_to_somebody_else(self, ann, manager):
        response = signed_in(ann).post(url("new"), {"title": "Lamps", "salesperson": manager.pk})

        assert response.status_code == 422

    def test_a_retired_stage_is_not_offered(self, ann):
        retired = StageFactory(active=False)

        response = signed_in(ann).post(url("new"), {"title": "Lamps", "stage": retired.pk})

        assert response.status_code == 422

    def test_from_a_board_the_dialog_closes_and_the_board_is_told(self, ann):
        headers = {"hx-request": "true", "hx-current-url": "http://testserver/", "hx-target": "dialog#dialog"}

        response = signed_in(ann).post(url("new"), {"title": "Lamps"}, headers=headers)

        assert "close-dialog" in response.headers["HX-Trigger"]
        assert f'"card": {Opportunity.objects.get().pk}' in response.headers["HX-Trigger"]

    def test_a_copy_starts_fresh(self, ann):
        card = make_card(actor=ann, title="Lamps", amount=Decimal(5))

        response = signed_in(ann).post(url("duplicate", card.pk))

        copy = Opportunity.objects.exclude(pk=card.pk).get()
        assert (copy.title, copy.amount) == ("Lamps", Decimal(5))
        assert response.headers["Location"] == copy.get_absolute_url()

    def test_a_double_click_on_duplicate_makes_one_copy(self, ann):
        card, client = make_card(actor=ann), signed_in(ann)
        token = re.search(r'name="token" value="([0-9a-f-]{36})"', client.get(card.get_absolute_url()).text)

        answers = [client.post(url("duplicate", card.pk), {"token": token[1]}) for _ in range(2)]

        copy = Opportunity.objects.exclude(pk=card.pk).get()
        assert [answer.headers["Location"] for answer in answers] == [copy.get_absolute_url()] * 2

    @pytest.mark.parametrize("token", ["", "x", "²" * 500])
    def test_a_token_that_is_none_does_not_keep_anybody_from_a_copy(self, ann, token):
        card = make_card(actor=ann)

        assert signed_in(ann).post(url("duplicate", card.pk), {"token": token}).status_code == 302
        assert Opportunity.objects.count() == 2


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_one_form_sent_from_eight_sides_at_once_makes_one_card(ann):
    token, start = uuid.uuid4(), threading.Barrier(8)

    def send(_side):
        try:
            start.wait(10)
            return pipeline.create_once(token=token, title="Once", actor=ann, now=NOW).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as sides:
        made = set(sides.map(send, range(8)))

    assert len(made) == Opportunity.objects.count() == 1


class TestEditing:
    def test_saving_what_the_form_showed_changes_nothing(self, ann):
        contact = ContactFactory()
        card = make_card(
            actor=ann,
            amount=Decimal("1234.50"),
            probability=20,
            forecast_date=date(2025, 8, 1),
            contact_ids=[contact.pk],
            description="One\nTwo",
        )
        client = signed_in(ann)

        client.post(url("edit", card.pk), shown_form(client, url("edit", card.pk)))

        assert Opportunity.objects.get().version == card.version

    def test_facts_are_changed(self, ann):
        card = make_card(actor=ann, title="Lamps")
        client = signed_in(ann)

        client.post(url("edit", card.pk), shown_form(client, url("edit", card.pk)) | {"title": "Lights", "amount": "5"})

        saved = Opportunity.objects.get()
        assert (saved.title, saved.amount) == ("Lights", Decimal(5))

    def test_two_people_who_change_different_facts_lose_nothing(self, ann, manager):
        card = make_card(actor=ann, title="Lamps", amount=Decimal(5))
        client = signed_in(ann)
        typed = shown_form(client, url("edit", card.pk)) | {"amount": "7"}
        pipeline.edit(opportunity_id=card.pk, title="Lights", actor=manager, now=NOW)

        client.post(url("edit", card.pk), typed)

        saved = Opportunity.objects.get()
        assert (saved.title, saved.amount) == ("Lights", Decimal(7))

    def test_who_was_second_is_told_field_by_field_and_keeps_what_was_typed(self, ann, manager):
        card = make_card(actor=ann, title="Lamps", amount=Decimal(5))
        client = signed_in(ann)
        typed = shown_form(client, url("edit", card.pk)) | {"amount": "7"}
        pipeline.edit(opportunity_id=card.pk, amount=Decimal(6), title="Lights", actor=manager, now=NOW)

        response = client.post(url("edit", card.pk), typed)

        text = response.content.decode()
        assert response.status_code == 409
        assert "Amount ($) is now: $6.00. You typed: $7.00." in text
        assert "Also changed, and shown here as it is now: Title." in text
        form = response.context["form"]
        assert (form["amount"].value(), form["title"].value()) == ("7", "Lights")
        assert Opportunity.objects.get().amount == Decimal(6)

    def test_after_having_been_told_saving_again_keeps_what_was_typed(self, ann, manager):
        card = make_card(actor=ann, amount=Decimal(5))
        client = signed_in(ann)
        typed = shown_form(client, url("edit", card.pk)) | {"amount": "7"}
        pipeline.edit(opportunity_id=card.pk, amount=Decimal(6), actor=manager, now=NOW)
        form = client.post(url("edit", card.pk), typed).context["form"]

        again = {name: form[name].value() or "" for name in form.fields}
        client.post(url("edit", card.pk), again)

        assert Opportunity.objects.get().amount == Decimal(7)

    def test_customers_that_two_people_changed_clash_too(self, ann, manager):
        ours, theirs = CustomerFactory(name="Ours"), CustomerFactory(name="Theirs")
        card = make_card(actor=ann)
        client = signed_in(ann)
        typed = shown_form(client, url("edit", card.pk)) | {"customer": [ours.pk]}
        pipeline.edit(opportunity_id=card.pk, customer_ids=[theirs.pk], actor=manager, now=NOW)

        response = client.post(url("edit", card.pk), typed)

        assert response.status_code == 409
        assert "Customers is now: Theirs. You typed: Ours." in response.content.decode()

    def test_a_customer_is_taken_off(self, ann):
        customer = CustomerFactory()
        card = make_card(actor=ann, customer_ids=[customer.pk])
        client = signed_in(ann)

        client.post(url("edit", card.pk), shown_form(client, url("edit", card.pk)) | {"customer": []})

        assert not Opportunity.objects.get().parties.exists()

    def test_a_manager_gives_the_card_to_somebody_else(self, ann, manager):
        card = make_card(actor=ann)
        client = signed_in(manager)

        client.post(url("edit", card.pk), shown_form(client, url("edit", card.pk)) | {"salesperson": manager.pk})

        assert Opportunity.objects.get().salesperson == manager

    def test_a_salesperson_cannot_give_the_card_away(self, ann, manager):
        card = make_card(actor=ann)
        client = signed_in(ann)

        client.post(url("edit", card.pk), shown_form(client, url("edit", card.pk)) | {"salesperson": manager.pk})

        assert Opportunity.objects.get().salesperson == ann

    def test_a_stage_that_asks_for_more_refuses_in_words(self, ann):
        card = make_card(actor=ann)
        strict = StageFactory(name="Proposal", requires_forecast_date=True)
        client = signed_in(ann)

        response = client.post(url("edit", card.pk), shown_form(client, url("edit", card.pk)) | {"stage": strict.pk})

        assert response.status_code == 409
        assert "“Proposal” needs a forecast date." in response.content.decode()

    def test_a_form_without_its_memory_still_saves(self, ann):
        card = make_card(actor=ann, title="Lamps")

        signed_in(ann).post(url("edit", card.pk), {"title": "Lights", "salesperson": ann.pk, "shown": "{broken"})

        assert Opportunity.objects.get().title == "Lights"

    def test_a_retired_stage_that_the_card_has_stays_chosen(self, ann):
        stage = StageFactory()
        card = make_card(actor=ann, stage_id=stage.pk)
        stage.active = False
        stage.save()
        client = signed_in(ann)

        client.post(url("edit", card.pk), shown_form(client, url("edit", card.pk)) | {"title": "Lights"})

        assert (Opportunity.objects.get().title, Opportunity.objects.get().stage) == ("Lights", stage)


def test_a_form_that_was_a_page_of_its_own_leads_to_the_card(ann):
    card = make_card(actor=ann)
    address = url("forecast", card.pk)

    response = signed_in(ann).post(address, {"to": "2030-01-07"}, headers={"referer": f"http://testserver{address}"})

    assert response.headers["Location"] == card.get_absolute_url()


class TestActing:
    def test_a_plain_act_goes_back_to_where_one_was_with_a_sentence(self, ann):
        card = make_card(actor=ann)

        response = signed_in(ann).post(url("archive", card.pk), {"next": card.get_absolute_url()}, follow=True)

        assert response.redirect_chain == [(card.get_absolute_url(), 302)]
        assert f"{card.number} was archived." in response.content.decode()

    def test_in_the_panel_the_answer_is_the_fresh_panel_and_a_word_to_the_board(self, ann):
        card = make_card(actor=ann)

        response = signed_in(ann).post(url("archive", card.pk), headers=PANEL)

        assert "Take from the archive" in response.content.decode()
        assert f'"card": {card.pk}' in response.headers["HX-Trigger"]

    def test_elsewhere_htmx_leads_to_the_whole_page(self, ann):
        card = make_card(actor=ann)
        headers = {"hx-request": "true", "hx-current-url": f"http://testserver{url('customers')}"}

        response = signed_in(ann).post(url("archive", card.pk), headers=headers)

        assert response.headers["HX-Redirect"] == url("customers")

    def test_an_archived_card_comes_back(self, ann):
        card = make_card(actor=ann)
        lifecycle.archive(opportunity_id=card.pk, actor=ann, now=NOW)

        signed_in(ann).post(url("unarchive", card.pk))

        assert not Opportunity.objects.get().is_archived

    def test_taking_a_card_makes_it_ones_own(self, ann):
        card = make_card(salesperson_id=None)

        signed_in(ann).post(url("take", card.pk))

        assert Opportunity.objects.get().salesperson == ann

    def test_a_card_that_somebody_has_cannot_be_taken(self, ann, manager):
        card = make_card(actor=manager)

        response = signed_in(ann).post(url("take", card.pk))

        assert response.status_code == 403
        assert "Only a manager may do that." in response.content.decode()

    @pytest.mark.parametrize(
        ("given", "day"),
        [
            ({"to": "2025-06-17", "forecast_date": ""}, date(2025, 6, 17)),
            ({"forecast_date": "2025-09-01"}, date(2025, 9, 1)),
            ({"forecast_date": ""}, None),
        ],
    )
    def test_an_expired_card_is_moved_on(self, ann, given, day):
        card = make_card(actor=ann, forecast_date=date(2025, 5, 31))

        signed_in(ann).post(url("forecast", card.pk), given)

        saved = Opportunity.objects.get()
        assert (saved.forecast_date, saved.is_expired) == (day, False)

    def test_the_buttons_send_the_day_that_they_name(self, ann):
        gone, to_come = (make_card(actor=ann, forecast_date=date(2025, month, 30)) for month in (5, 6))

        offered = [signed_in(ann).get(url("forecast", card.pk)).content.decode() for card in (gone, to_come)]

        found = [re.findall(r'name="to" value="([^"]+)"', html) for html in offered]
        assert found == [["2025-06-17", "2025-07-10"], ["2025-07-07", "2025-07-30"]]

    def test_a_form_without_any_day_changes_nothing(self, ann):
        card = make_card(actor=ann, forecast_date=date(2025, 6, 30))

        response = signed_in(ann).post(url("forecast", card.pk), {"by": "week"})

        assert (response.status_code, Opportunity.objects.get().forecast_date) == (422, date(2025, 6, 30))

    def test_a_month_after_the_31st_is_the_last_of_the_month(self):
        assert overview.later(date(2025, 1, 31), months=1) == date(2025, 2, 28)
        assert overview.later(date(2025, 1, 31), months=2) == date(2025, 3, 31)
        assert overview.later(date(2025, 12, 15), months=1) == date(2026, 1, 15)

    def test_a_day_that_does_not_exist_is_said_to_be_none(self, ann):
        card = make_card(actor=ann)

        response = signed_in(ann).post(url("forecast", card.pk), {"forecast_date": "2025-02-31"})

        assert response.status_code == 422
        assert "There is no such day." in response.content.decode()

    def test_a_card_is_moved_to_another_stage(self, ann):
        card, stage = make_card(actor=ann), StageFactory()

        signed_in(ann).post(url("move", card.pk), {"stage": stage.pk})

        assert Opportunity.objects.get().stage == stage

    def test_the_move_form_says_beforehand_which_stage_refuses_and_why(self, ann):
        card = make_card(actor=ann)
        StageFactory(name="Proposal", requires_contact=True)

        assert "“Proposal” needs a contact." in signed_in(ann).get(url("move", card.pk)).content.decode()

    @pytest.mark.parametrize("stage", ["999999", "soon"])
    def test_a_stage_that_is_gone_is_not_found(self, ann, stage):
        card = make_card(actor=ann)

        assert signed_in(ann).post(url("move", card.pk), {"stage": stage}).status_code == 404

    def test_lost_needs_a_reason(self, ann):
        card = make_card(actor=ann)
        lost = OpportunityStatus.objects.get(name="Lost")

        response = signed_in(ann).post(url("status", card.pk), {"status": lost.pk})

        assert response.status_code == 422
        assert "Say why the deal was lost." in response.content.decode()
        assert Opportunity.objects.get().sales_status == "none"

    def test_a_deal_is_marked_as_lost_with_its_reason(self, ann):
        card, reason = make_card(actor=ann), ReasonFactory(label="Price")
        lost = OpportunityStatus.objects.get(name="Lost")

        signed_in(ann).post(url("status", card.pk), {"status": lost.pk, "reason": reason.pk})

        saved = Opportunity.objects.get()
        assert (saved.sales_status, saved.decided_reason_label) == ("lost", "Price")

    def test_reasons_of_the_void_list_are_not_offered(self, ann):
        card, reason = make_card(actor=ann), ReasonFactory(void=True)
        lost = OpportunityStatus.objects.get(name="Lost")

        response = signed_in(ann).post(url("status", card.pk), {"status": lost.pk, "reason": reason.pk})

        assert response.status_code == 422

    def test_a_retired_status_is_refused_in_words(self, ann):
        card = make_card(actor=ann)
        retired = OpportunityStatus.objects.create(name="Paused", retired=True, sequence=9)

        response = signed_in(ann).post(url("status", card.pk), {"status": retired.pk})

        assert response.status_code == 409
        assert "“Paused” is retired" in response.content.decode()

    def test_a_salesperson_may_not_set_the_status_of_somebody_elses_card(self, ann, manager):
        card = make_card(actor=manager)

        assert signed_in(ann).get(url("status", card.pk)).status_code == 403

    def test_a_note_is_kept_and_shown(self, ann):
        card = make_card(actor=ann)

        response = signed_in(ann).post(
            url("note", card.pk), {"text": "They said yes.", "next": card.get_absolute_url()}, follow=True
        )

        assert Note.objects.get().text == "They said yes."
        assert "They said yes." in response.content.decode()

    def test_an_empty_note_is_asked_for_again(self, ann):
        card = make_card(actor=ann)

        response = signed_in(ann).post(url("note", card.pk), {"text": "  "})

        assert response.status_code == 422
        assert "Write something first." in response.content.decode()

    def test_an_action_is_planned_done_and_taken_up_again(self, ann):
        card, client = make_card(actor=ann), signed_in(ann)

        client.post(url("action", card.pk), {"text": "Call", "due_on": "2025-06-12", "assignee": ann.pk})
        item = ActionItem.objects.get()
        client.post(url("action-done", item.pk))
        done = ActionItem.objects.get().state
        client.post(url("action-reopen", item.pk))

        assert (item.text, item.due_on, item.assignee) == ("Call", date(2025, 6, 12), ann)
        assert (done, ActionItem.objects.get().state) == ("done", "open")

    def test_an_action_is_changed(self, ann):
        card = make_card(actor=ann)
        item = activity.add_action(opportunity_id=card.pk, text="Call", due_on=TODAY, actor=ann, now=NOW)

        signed_in(ann).post(url("action-edit", item.pk), {"text": "Write", "due_on": "2025-06-20", "assignee": ""})

        item.refresh_from_db()
        assert (item.text, item.due_on) == ("Write", date(2025, 6, 20))

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"text": "", "due_on": "2025-06-12"}, "Say what is to be done."),
            ({"text": "Call", "due_on": ""}, "Say by when."),
            ({"text": "Call", "due_on": "2025-02-31"}, "There is no such day."),
            ({"text": "x" * 500, "due_on": "2025-06-12"}, "at most 200 characters"),
            ({"text": "Call", "due_on": "2025-06-12", "assignee": "99999"}, "That person is not offered any more."),
        ],
    )
    def test_a_bad_action_ends_in_words(self, ann, given, words):
        card = make_card(actor=ann)

        response = signed_in(ann).post(url("action", card.pk), given)

        assert response.status_code == 422
        assert words in response.content.decode()

    def test_an_action_can_be_planned_in_a_sheet_which_says_what_is_missing(self, ann):
        card = make_card(actor=ann)
        client = signed_in(ann)
        dialog = {"hx-request": "true", "hx-current-url": "http://testserver/boards/1/", "hx-target": "dialog#dialog"}

        sheet = client.get(url("action", card.pk), headers=dialog).content.decode()
        refused = client.post(url("action", card.pk), {"text": "", "due_on": "2025-06-12"}, headers=dialog)

        assert f"What is next on {card.number}" in sheet
        assert "<html" not in sheet
        assert refused.status_code == 422
        assert "Say what is to be done." in refused.content.decode()
        assert 'class="sheet"' in refused.content.decode()

    def test_an_action_of_a_card_one_may_not_see_is_not_found(self, ann, manager):
        card = make_card(actor=manager)
        item = activity.add_action(opportunity_id=card.pk, text="Call", due_on=TODAY, actor=manager, now=NOW)
        BusinessSettings.objects.update(salespeople_see=BusinessSettings.SalespeopleSee.OWN)
        client = signed_in(ann)

        assert client.get(url("action-edit", item.pk)).status_code == 404
        assert client.post(url("action-done", item.pk)).status_code == 404


class TestUndoing:
    def test_a_move_is_taken_back(self, ann):
        card, stage = make_card(actor=ann), StageFactory()
        moved = pipeline.move(opportunity_id=card.pk, stage_id=stage.pk, actor=ann, now=NOW)

        response = signed_in(ann).post(url("undo", moved.last_event_id), {"next": card.get_absolute_url()}, follow=True)

        assert Opportunity.objects.get().stage is None
        assert f"Undone on {card.number}." in response.content.decode()

    def test_what_was_changed_again_since_is_not_taken_back(self, ann):
        card = make_card(actor=ann)
        edited = pipeline.edit(opportunity_id=card.pk, title="Once", actor=ann, now=NOW)
        pipeline.edit(opportunity_id=card.pk, title="Twice", actor=ann, now=NOW)

        response = signed_in(ann).post(url("undo", edited.last_event_id))

        assert response.status_code == 409
        assert "was changed again since" in response.content.decode()

    def test_a_salesperson_does_not_undo_what_somebody_else_did(self, ann, manager):
        card = make_card(actor=ann)
        edited = pipeline.edit(opportunity_id=card.pk, title="Once", actor=manager, now=NOW)

        assert signed_in(ann).post(url("undo", edited.last_event_id)).status_code == 403

    def test_after_a_day_it_is_too_late(self, ann):
        card = make_card(actor=ann)
        edited = pipeline.edit(opportunity_id=card.pk, title="Once", actor=ann, now=NOW - timedelta(hours=25))

        assert signed_in(ann).post(url("undo", edited.last_event_id)).status_code == 409

    def test_an_event_that_never_was_is_not_found(self, ann):
        assert signed_in(ann).post(url("undo", 999_999)).status_code == 404


ACTS_BY_POST = ["duplicate", "archive", "unarchive", "take", "note"]


@pytest.mark.parametrize("name", ACTS_BY_POST)
def test_looking_at_an_act_does_nothing(name, ann):
    card = make_card(actor=ann)

    assert signed_in(ann).get(url(name, card.pk)).status_code == 405


@pytest.mark.parametrize("name", ["detail", "edit", "forecast", "move", "status", "action"])
def test_every_page_asks_to_sign_in_first(name):
    card = make_card()

    response = Client().get(url(name, card.pk))

    assert response.status_code == 302
    assert response.headers["Location"].startswith("/accounts/login/")


def test_the_help_page_says_the_three_sentences_and_all_eight_statuses(ann):
    text = signed_in(ann).get(url("help-stages")).content.decode()

    assert all(words in text for words in ("where you put the deal.", "by itself.", "how it ended."))
    assert all(
        f"status-{value}" in text for value, _label in overview.Opportunity._meta.get_field("workflow_status").choices
    )


@pytest.mark.parametrize(
    ("name", "most"), [("new", 7), ("edit", 12), ("forecast", 4), ("move", 5), ("status", 9), ("help-stages", 5)]
)
def test_forms_ask_the_database_a_fixed_number_of_times(name, most, manager, django_assert_num_queries):
    for _each in range(5):
        ContactFactory()
        StageFactory()
        TypeFactory()
        ReasonFactory()
        UserFactory()
    card = make_card(actor=manager, contact_ids=[ContactFactory().pk])
    client = signed_in(manager)

    with django_assert_num_queries(most):
        client.get(url(name) if name in {"new", "help-stages"} else url(name, card.pk))


def test_the_clock_of_the_tests_stands_still():
    assert datetime.now(UTC) == NOW
