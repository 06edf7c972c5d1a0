"""The pages that make and change quotes, jobs and agreements: lines, totals, recipients, and what they refuse."""

import re
import uuid
from datetime import date
from decimal import Decimal

import pytest
import time_machine
from django.urls import reverse

from opportunities import lifecycle, offers, pipeline, quotes
from opportunities.documents import open_desk
from opportunities.models import Agreement, Event, Job, Opportunity, Quote, TaxRate
from tests.documents import (
    ADA,
    BOILER,
    LABOUR,
    PIPES,
    TODAY,
    YESTERDAY,
    act,
    customer_of,
    day,
    deal,
    fresh,
    line_of,
    make_agreement,
    make_job,
    make_quote,
    state,
    statuses,
    void_reason,
)
from tests.factories import NOW, ContactFactory, CustomerFactory, UserFactory, starter_rows

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rows():
    return starter_rows()


@pytest.fixture
def sam():
    return UserFactory(role="salesperson", username="sam")


@pytest.fixture
def web(client, sam):
    client.force_login(sam)
    return client


@pytest.fixture
def card(sam):
    return deal(title="Boiler for the school", salesperson_id=sam.pk)


def page(name, pk=None):
    return reverse(f"opportunities:{name}", args=[pk] if pk else [])


def lines(*rows):
    """What the table of lines sends: rows of key, description, quantity and price, perhaps with the line's id."""
    data = {"row": [row[0] for row in rows]}
    for key, description, quantity, price, *own in rows:
        data |= {f"description-{key}": description, f"quantity-{key}": quantity, f"unit_price-{key}": price}
        data |= {f"kind-{key}": "service", f"id-{key}": own[0] if own else ""}
    return data


def people(*rows):
    """What the recipients send: name, e-mail and perhaps role."""
    data = {"who": [f"p{n}" for n, _row in enumerate(rows)]}
    for n, (name, email, *role) in enumerate(rows):
        data |= {f"who-name-p{n}": name, f"who-email-p{n}": email, f"who-role-p{n}": role[0] if role else ""}
    return data


def words(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


class TestNewQuote:
    def test_it_is_made_on_the_card_with_its_lines_and_recipients(self, web, card):
        given = {
            "customer": customer_of(card).pk,
            "title": "Two boilers",
            "valid_until": "2030-01-31",
            "discount_percent": "10",
            "terms": "Net 30",
            **lines(("a", "Boiler", "2", "2,400.00"), ("b", "Installation", "1.5", "80"), ("c", "", "1", "")),
            **people(("Ada", "ada@example.test"), ("", "")),
        }
        response = web.post(page("quote-new", card.pk), given)
        quote = Quote.objects.get()
        assert response.url == quote.get_absolute_url()
        assert (quote.opportunity, quote.title, quote.terms, state(quote)) == (card, "Two boilers", "Net 30", "draft")
        assert quote.net == Decimal("4428.00")
        assert [(line.description, line.quantity) for line in quote.lines.all()] == [
            ("Boiler", 2),
            ("Installation", Decimal("1.5")),
        ]
        assert [row.email for row in quote.recipients.all()] == ["ada@example.test"]

    def test_the_form_begins_with_the_usual_days_and_terms_and_the_cards_contact(self, web, card):
        contact = ContactFactory(customer=customer_of(card), name="Ada Lowell", email="ada@example.test")
        pipeline.put_contact_on(opportunity_id=card.pk, contact_id=contact.pk, actor=None, now=card.created_at)
        from opportunities.models import BusinessSettings

        BusinessSettings.objects.update(quote_valid_days=30, quote_terms="Half in advance")
        content = web.get(page("quote-new", card.pk)).content.decode()
        assert "Half in advance" in content
        assert 'value="Ada Lowell"' in content
        assert re.search(r'name="valid_until" value="\d{4}-', content)
        assert content.count('name="row"') == 4  # three empty rows, and the one that a script copies

    def test_a_double_click_makes_one_quote(self, web, card):
        given = {"customer": customer_of(card).pk, "token": str(uuid.uuid4()), **lines(("a", "Boiler", "1", "10"))}
        first, second = (web.post(page("quote-new", card.pk), given) for _each in range(2))
        assert first.url == second.url
        assert Quote.objects.count() == 1

    def test_errors_stand_at_their_line_and_nothing_typed_is_lost(self, web, card):
        given = {
            "customer": customer_of(card).pk,
            "title": "Kept title",
            **lines(("a", "Boiler", "1", "10"), ("b", "", "2", "20"), ("c", "Pump", "many", "cheap")),
            **people(("Ada", "no address")),
        }
        response = web.post(page("quote-new", card.pk), given)
        content = response.content.decode()
        assert response.status_code == 422
        assert not Quote.objects.exists()
        for expected in (
            'id="description-b-error"',
            'id="quantity-c-error"',
            'id="unit_price-c-error"',
            "who-email-p0-error",
        ):
            assert expected in content
        for typed in ("Kept title", "Boiler", "Pump", 'value="many"', 'value="cheap"', "no address"):
            assert typed in content

    def test_html_that_is_typed_is_shown_as_text(self, web, card):
        given = {"title": "<b>Bold</b>", **lines(("a", "<i>x</i>", "1", "no"))}
        content = web.post(page("quote-new", card.pk), given).content.decode()
        assert "<b>Bold" not in content
        assert "<i>x" not in content

    def test_without_a_card_the_customer_is_named(self, web):
        customer = CustomerFactory(name="Harbor School")
        assert 'value="Harbor School"' in web.get(page("quote-new-loose") + f"?customer={customer.pk}").content.decode()
        response = web.post(page("quote-new-loose"), {"customer_name": "harbor school"})
        quote = Quote.objects.get()
        assert (response.url, quote.customer, quote.opportunity) == (quote.get_absolute_url(), customer, None)
        unknown = web.post(page("quote-new-loose"), {"customer_name": "Nobody Ltd"})
        assert unknown.status_code == 422
        assert "no customer of this name" in words(unknown)

    def test_on_a_voided_card_nothing_is_made(self, web, card):
        act(lifecycle.void, card, reason_id=void_reason())
        response = web.post(page("quote-new", card.pk), {"customer": customer_of(card).pk})
        assert response.status_code == 409
        assert not Quote.objects.exists()

    @pytest.mark.parametrize("reopened", [True, False])
    def test_a_card_that_was_closed_by_hand_is_reopened_if_wanted(self, web, card, rows, reopened):
        pipeline.set_status(opportunity_id=card.pk, status_id=rows["Closed"].pk, actor=None, now=card.created_at)
        content = web.get(page("quote-new", card.pk)).content.decode()
        assert re.search(r'name="reopen"[^>]* checked', content)
        web.post(
            page("quote-new", card.pk), {"customer": customer_of(card).pk, **({"reopen": "on"} if reopened else {})}
        )
        assert (fresh(card).status == rows["Default"]) is reopened

    def test_who_may_not_see_the_card_finds_no_form(self, web, card, sam):
        from opportunities.models import BusinessSettings

        BusinessSettings.objects.update(salespeople_see="own")
        other = deal(title="Secret")
        assert web.get(page("quote-new", other.pk)).status_code == 404
        assert web.post(page("quote-new", other.pk), {}).status_code == 404


class TestLines:
    def test_the_total_is_what_the_verb_will_save(self, web, card):
        rate = TaxRate.objects.create(name="VAT", percent=19, is_default=True)
        given = {
            "customer": customer_of(card).pk,
            "discount_percent": "12.5",
            **lines(("a", "Pipe", "3", "3.33"), ("b", "Bend", "1.005", "9.99")),
            "tax_rate-a": rate.pk,
            "tax_rate-b": rate.pk,
        }
        shown = web.post(page("quote-new", card.pk), {**given, "do": "totals"}, headers={"HX-Request": "true"})
        assert shown.status_code == 200
        web.post(page("quote-new", card.pk), given)
        quote = Quote.objects.get()
        for amount in (quote.net, quote.tax, quote.total):
            assert f"${amount:,.2f}" in words(shown)
        assert "<html" not in shown.content.decode()

    def test_without_script_a_button_works_out_the_total_and_saves_nothing(self, web, card):
        given = {"customer": customer_of(card).pk, "do": "totals", **lines(("a", "Pipe", "3", "3.33"))}
        response = web.post(page("quote-new", card.pk), given)
        assert response.status_code == 200
        assert "$9.99" in words(response)
        assert not Quote.objects.exists()

    def test_without_script_buttons_move_add_and_delete_rows(self, web, card):
        given = lines(("a", "One", "1", "1"), ("b", "Two", "1", "1"))

        def order(do):
            content = web.post(page("quote-new", card.pk), {**given, "do": do}).content.decode()
            return re.findall(r'name="row" value="(\w+)"', content.partition("<template data-blank")[0])

        assert order("up:b") == ["b", "a"]
        assert order("down:a") == ["b", "a"]
        assert order("remove:a") == ["b"]
        assert order("add") == ["a", "b", "n1"]
        assert not Quote.objects.exists()

    def test_a_business_without_tax_rates_is_not_asked_for_one(self, web, card):
        assert "tax_rate-" not in web.get(page("quote-new", card.pk)).content.decode()


class TestEdit:
    def test_edit_of_a_document_leads_to_its_page(self, card, sam):
        quote = make_quote(card)
        desk = open_desk(quote_id=quote.pk, actor=sam, now=card.created_at, locked=False)
        offer = offers.one("revise", desk.find(Quote, quote.pk), desk=desk, reader=sam)
        assert offer.url == page("quote-edit", quote.pk)

    def test_a_changed_price_makes_a_submitted_quote_modified(self, web, card):
        quote = make_quote(card, "submitted")
        line = line_of(quote)
        given = {"title": quote.title, "version": quote.version, **lines(("a", "Installation", "5", "80", line.pk))}
        web.post(page("quote-edit", quote.pk), {**given, **people(("Ada", ""))})
        assert state(quote) == "modified"
        assert line_of(quote).pk == line.pk

    def test_two_people_at_once_lose_nothing(self, web, card):
        quote = make_quote(card)
        line = line_of(quote)
        act(quotes.revise, quote, title="Theirs", lines=[PIPES])
        given = {"title": "Mine", "version": quote.version, **lines(("a", "My line", "5", "80", line.pk))}
        response = web.post(page("quote-edit", quote.pk), given)
        assert response.status_code == 409
        assert "Someone else changed" in words(response)
        assert "now Theirs" in words(response)
        content = response.content.decode()
        assert 'value="Mine"' in content
        assert "My line" in content
        assert fresh(quote).title == "Theirs"
        version = re.search(r'name="version" value="(\d+)"', content)[1]
        own = re.search(r'name="id-a" value="(\d*)"', content)[1]
        again = web.post(page("quote-edit", quote.pk), {**given, "version": version, "id-a": own})
        assert again.status_code == 302
        assert (fresh(quote).title, line_of(quote).description) == ("Mine", "My line")

    def test_saving_twice_from_one_form_is_no_conflict(self, web, card):
        quote = make_quote(card)
        given = {"title": "Mine", "version": quote.version, "token": str(uuid.uuid4()), **lines(("a", "X", "1", "1"))}
        answers = [web.post(page("quote-edit", quote.pk), given).status_code for _each in range(2)]
        assert answers == [302, 302]
        assert Event.objects.filter(kind="quote_revised").count() == 1

    def test_a_fulfilled_line_is_not_deleted_and_the_reason_is_said(self, web, card):
        from opportunities import jobs

        job = make_job(card, lines=[PIPES])
        act(jobs.fulfil, line_of(job), quantity=3)
        response = web.post(page("job-edit", job.pk), {"title": "x", "version": fresh(job).version})
        assert response.status_code == 409
        assert "partly fulfilled" in words(response)

    def test_a_dead_document_has_no_form(self, web, card):
        quote = make_quote(card, "void")
        assert web.get(page("quote-edit", quote.pk)).status_code == 409

    def test_the_form_asked_for_in_a_dialog_opens_as_a_page(self, web, card):
        quote = make_quote(card)
        response = web.get(page("quote-edit", quote.pk), headers={"HX-Request": "true"})
        assert response.headers["HX-Redirect"] == page("quote-edit", quote.pk)

    def test_it_takes_as_many_statements_for_thirty_lines_as_for_one(self, web, card, django_assert_max_num_queries):
        quote = make_quote(card, lines=[BOILER] * 30)
        web.get(page("quote-edit", quote.pk))  # the first request of a day settles what that day made due
        with django_assert_max_num_queries(20) as many:
            web.get(page("quote-edit", quote.pk))
        act(quotes.revise, quote, lines=[BOILER])
        with django_assert_max_num_queries(len(many)):
            web.get(page("quote-edit", quote.pk))


class TestJob:
    def test_the_form_says_beforehand_what_the_job_makes_of_the_card(self, web, card):
        text = words(web.get(page("job-new", card.pk)))
        assert f"{card.number} becomes Contracted and Won." in text
        web.post(page("job-new", card.pk), {"customer": customer_of(card).pk, "confirmed": "on"})
        assert statuses(card) == ("contracted", "won")
        assert state(Job.objects.get()) == "accepted"

    def test_unconfirmed_it_awaits_the_customer(self, web, card):
        web.post(page("job-new", card.pk), {"customer": customer_of(card).pk})
        assert state(Job.objects.get()) == "submitted"

    @pytest.mark.parametrize(("choice", "day"), [("keep", "2030-01-01"), ("new", "2030-03-15"), ("clear", None)])
    def test_a_new_job_asks_what_becomes_of_the_forecast_date(self, web, sam, choice, day):
        card = deal(salesperson_id=sam.pk, forecast_date=date(2030, 1, 1))
        assert "still expires" in words(web.get(page("job-new", card.pk)))
        given = {"customer": customer_of(card).pk, "service_date": "2030-03-01", "forecast": choice}
        web.post(page("job-new", card.pk), given)
        found = fresh(card).forecast_date
        assert (found.isoformat() if found else None) == day

    def test_another_service_date_asks_for_the_forecast_date_before_it_is_saved(self, web, sam):
        card = deal(salesperson_id=sam.pk, forecast_date=date(2030, 1, 1))
        job = make_job(card, service_date=date(2029, 12, 1))
        assert "forecast" not in web.get(page("job-edit", job.pk)).context["form"].fields
        given = {"title": job.title, "version": job.version, "service_date": "2030-05-01"}
        given |= lines(("a", "Installation", "4", "80", line_of(job).pk))
        asked = web.post(page("job-edit", job.pk), given)
        assert asked.status_code == 422
        assert "Say what becomes of the forecast date" in words(asked)
        web.post(page("job-edit", job.pk), {**given, "forecast": "new"})
        assert fresh(job).service_date.isoformat() == "2030-05-01"
        assert fresh(card).forecast_date.isoformat() == "2030-05-15"

    def test_editing_a_completed_job_says_that_it_is_open_again(self, web, card):
        job = make_job(card, "completed")
        assert f"{card.number} becomes Contracted." in words(web.get(page("job-edit", job.pk)))

    def test_editing_a_completed_job_asks_for_the_forecast_date_and_follows_it(self, web, sam):
        card = deal(salesperson_id=sam.pk, forecast_date=date(2030, 1, 1))
        job = make_job(card, "completed", service_date=date(2029, 12, 1))
        assert "still expires" in words(web.get(page("job-edit", job.pk)))
        given = {"title": job.title, "version": job.version, "service_date": "2029-12-01"}
        row = ("a", "Installation", "4", "80", line_of(job).pk)
        kept = {**given, "title": "Another name", "forecast": "clear", **lines(row)}
        assert web.post(page("job-edit", job.pk), kept).status_code == 302
        assert statuses(card)[0] == "completed", "another title does not open it again"
        assert fresh(card).forecast_date == date(2030, 1, 1)
        dearer = {**given, "version": fresh(job).version, **lines((*row[:3], "90", row[4]))}
        assert "the job is open again by this" in words(web.post(page("job-edit", job.pk), dearer))
        web.post(page("job-edit", job.pk), {**dearer, "forecast": "new"})
        assert (statuses(card)[0], fresh(card).forecast_date) == ("contracted", date(2029, 12, 15))

    def test_a_salesperson_makes_none_on_a_colleagues_card(self, web):
        other = deal(salesperson_id=UserFactory(role="salesperson").pk)
        assert web.get(page("job-new", other.pk)).status_code == 403


class TestAgreement:
    def test_it_is_made_with_signers_and_readers(self, web, card):
        given = {
            "customer": customer_of(card).pk,
            "kind": "proposal",
            "title": "Service contract",
            "text": "We look after the boiler.",
            **people(("Ada", "ada@example.test", "signer"), ("Rita", "rita@example.test", "copy")),
        }
        web.post(page("agreement-new", card.pk), given)
        made = Agreement.objects.get()
        assert (made.kind, state(made)) == ("proposal", "draft")
        assert [(row.name, row.role) for row in made.recipients.all()] == [("Ada", "signer"), ("Rita", "copy")]

    def test_it_takes_the_lines_of_a_live_quote_over(self, web, card):
        quote = make_quote(card, lines=[LABOUR, PIPES])
        assert quote.number in words(web.get(page("agreement-new", card.pk)))
        response = web.post(page("agreement-new", card.pk), {"kind": "agreement", "do": "take", "take": quote.pk})
        content = response.content.decode()
        assert "Copper pipe" in content
        assert "$445.00" in words(response)
        assert not Agreement.objects.exists()

    def test_one_that_is_out_is_not_edited(self, web, card):
        made = make_agreement(card, "submitted", recipients=[ADA])
        assert web.get(page("agreement-edit", made.pk)).status_code == 409

    def test_a_button_fills_in_the_contacts_of_the_customer(self, web, card):
        ContactFactory(customer=customer_of(card))
        response = web.post(
            page("agreement-new", card.pk), {"kind": "agreement", "customer": customer_of(card).pk, "do": "people"}
        )
        assert f'value="{customer_of(card).name}"' in response.content.decode()


def test_a_contact_of_somebody_else_is_not_linked(web, card):
    stranger = ContactFactory()
    given = {"customer": customer_of(card).pk, **people(("Ada", "")), "who-contact-p0": stranger.pk}
    web.post(page("quote-new", card.pk), given)
    assert Quote.objects.get().recipients.get().contact is None


def test_nothing_on_a_card_changes_while_somebody_only_looks(web, card):
    before = Opportunity.objects.values().get(pk=card.pk)
    for name in ("quote-new", "job-new", "agreement-new"):
        assert web.get(page(name, card.pk)).status_code == 200
    assert Opportunity.objects.values().get(pk=card.pk) == before


class TestDays:
    """What another day makes of the card is said before it is saved (5.1, P3, P8)."""

    @pytest.fixture(autouse=True)
    def _today(self, rows):
        with time_machine.travel(NOW, tick=False):
            yield

    @pytest.mark.parametrize(("kind", "name"), [("quote", "valid_until"), ("job", "service_date")])
    def test_the_form_says_what_another_day_makes_of_the_card(self, web, sam, kind, name):
        card = deal(salesperson_id=sam.pk, forecast_date=YESTERDAY)
        made = make_quote(card, "submitted", valid_until=TODAY) if kind == "quote" else make_job(card)
        if kind == "job":
            # Its date was past when the job came, so that date is waived: another one is not.
            pipeline.set_forecast_date(opportunity_id=card.pk, forecast_date=day(-2), actor=None, now=NOW)
        url = page(f"{kind}-edit", made.pk)

        assert f"If the new day is past: {card.number} becomes Lost" in words(web.get(url))
        past = web.post(url, {name: YESTERDAY.isoformat(), "title": "x" * 300})
        assert f"When you save: {card.number} becomes Lost" in words(past)
        ahead = web.post(url, {name: day(3).isoformat(), "title": "x" * 300})
        assert "When you save" not in words(ahead)

    def test_an_expired_quote_says_that_a_later_day_opens_the_deal_again(self, web, sam):
        card = deal(salesperson_id=sam.pk, forecast_date=YESTERDAY)
        quote = make_quote(card, "submitted", valid_until=YESTERDAY)
        assert statuses(card) == ("expired", "lost")
        text = words(web.get(page("quote-edit", quote.pk)))
        assert f"If the new day is not past: {card.number} becomes Open" in text
        act(quotes.revise, quote, valid_until=day(3))
        assert statuses(card) == ("expired", "none")

    def test_where_a_day_changes_nothing_nothing_is_said(self, web, card):
        assert "If the new day" not in words(web.get(page("quote-edit", make_quote(card).pk)))
