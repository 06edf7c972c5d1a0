"""The pages of quotes and jobs: what they show, what may be done there and what not, and every act as a plain form."""

import re
import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from opportunities import jobs, links, quotes, sweep
from opportunities.models import BusinessSettings, Event, Payment, Refund
from tests.documents import (
    BOILER,
    LABOUR,
    PIPES,
    act,
    card_of,
    day,
    deal,
    finish,
    fresh,
    line_of,
    make_job,
    make_quote,
    pay,
    pay_back,
    state,
    statuses,
    void_reason,
)
from tests.factories import NOW, UserFactory, starter_rows

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def business():
    with time_machine.travel(NOW, tick=False):
        starter_rows()
        BusinessSettings.objects.filter(pk=1).update(swept_until=NOW.date())
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


def at(name: str, *args) -> str:
    return reverse(f"opportunities:{name}", args=args)


def words(response) -> str:
    text = response.content.decode().replace("&#x27;", "'").replace("&quot;", '"')
    return " ".join(text.split())


def statements(client: Client, url: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


def test_a_quote_says_where_it_stands_what_it_offers_and_what_may_be_done(ann):
    quote = make_quote(deal(), "submitted", lines=[LABOUR, PIPES], valid_until=day(-1), terms="Thirty days net.")
    said = words(signed_in(ann).get(quote.get_absolute_url()))
    assert "Copper pipe" in said
    assert "$445.00" in said
    assert "Thirty days net." in said
    assert ">Submitted</span>" in said
    assert ">Expired</span>" in said
    assert "What cannot be done now, and why" in said
    assert f"Void {quote.number}" in said


def test_a_dead_quote_says_why_and_that_its_card_is_lost_because_of_it(ann):
    card = deal()
    quote = make_quote(card, "submitted")
    make_quote(card, "submitted")
    act(quotes.void, quote, reason_id=void_reason(), actor=ann)
    said = words(signed_in(ann).get(quote.get_absolute_url()))
    assert f"{card.number} is lost because {quote.number} on it is void" in said
    assert "Ann Kowalski, " in said
    assert at("quote-act", quote.pk, "detach") in said


def test_the_statements_of_a_quote_page_do_not_grow_with_lines_and_events(ann):
    client = signed_in(ann)
    small, large = make_quote(deal()), make_quote(deal(), lines=[PIPES] * 30)
    for _time in range(12):
        act(quotes.submit, large)
    client.get(small.get_absolute_url())
    assert statements(client, large.get_absolute_url()) == statements(client, small.get_absolute_url()) <= 24


def test_the_statements_of_a_job_page_do_not_grow_with_lines_and_payments(manager):
    client = signed_in(manager)
    small, large = make_job(deal(), lines=[PIPES]), make_job(deal(), lines=[PIPES] * 20)
    pay_back(pay(small, "5"), "1")
    for _time in range(8):
        pay_back(pay(large, "10"), "2")
    client.get(small.get_absolute_url())
    assert statements(client, large.get_absolute_url()) == statements(client, small.get_absolute_url()) <= 26


def test_a_quote_of_a_card_that_one_may_not_see_is_not_there(ann):
    BusinessSettings.objects.update(salespeople_see="own")
    card = deal(salesperson_id=UserFactory().pk)
    job = make_job(card, lines=[PIPES])
    payment = pay(job, "5")
    client = signed_in(ann)
    pages = [job.get_absolute_url(), at("line-fulfil", line_of(job).pk), at("payment-refund", payment.pk)]
    assert [client.get(page).status_code for page in pages] == [404, 404, 404]


@pytest.mark.parametrize(
    ("verb", "label"),
    [
        ("void", "Detach {number}, then void it"),
        ("cancel", "Detach {number}, then cancel it"),
        ("decline", "Detach {number}, then note that it was declined"),
        ("archive", "Detach {number}, then archive it"),
    ],
)
def test_ending_one_of_two_offers_proposes_to_detach_it_first_and_says_why(ann, verb, label):
    card = deal()
    quote, other = make_quote(card, "submitted"), make_quote(card, "submitted")
    said = words(signed_in(ann).get(at("quote-act", quote.pk, verb)))
    assert label.format(number=quote.number) in said
    assert f"even while {other.number} is still open" in said
    assert f"{card.number} becomes Lost" in said


def test_archiving_a_detached_quote_keeps_the_deal_open(ann):
    card = deal()
    quote, _other = make_quote(card, "submitted"), make_quote(card, "submitted")
    response = signed_in(ann).post(at("quote-act", quote.pk, "archive"), {"detach": "1"})
    assert response.status_code == 302
    assert card_of(quote) is None
    assert fresh(quote).is_archived
    assert statuses(card) == ("negotiation", "none")


# Goods


def test_goods_are_fulfilled_and_returned_from_their_line(ann):
    job = make_job(deal(), lines=[PIPES])
    line, client = line_of(job), signed_in(ann)
    assert client.post(at("line-fulfil", line.pk), {"quantity": "4"}).status_code == 302
    assert client.post(at("line-fulfil", line.pk), {"everything": "on"}).status_code == 302
    assert fresh(line).fulfilled_quantity == 10
    assert client.post(at("line-return", line.pk), {"quantity": "2.5"}).status_code == 302
    assert fresh(line).fulfilled_quantity == Decimal("7.5")
    assert "7.5 of 10" in words(client.get(job.get_absolute_url()))


def test_more_than_is_left_is_refused_in_words(ann):
    line = line_of(make_job(deal(), lines=[PIPES]))
    response = signed_in(ann).post(at("line-fulfil", line.pk), {"quantity": "11"})
    assert response.status_code == 409
    assert "Only 10 of “Copper pipe” are left to fulfil." in words(response)


def test_a_quantity_must_be_given(ann):
    line = line_of(make_job(deal(), lines=[PIPES]))
    response = signed_in(ann).post(at("line-fulfil", line.pk), {})
    assert response.status_code == 422
    assert "Give a quantity, or tick that it is all of it." in words(response)


def test_returning_goods_of_a_completed_job_says_that_its_card_is_contracted_again(ann):
    card = deal()
    job = finish(make_job(card, lines=[PIPES]))
    line, client = line_of(job), signed_in(ann)
    assert f"{card.number} becomes Contracted." in words(client.get(at("line-return", line.pk)))
    client.post(at("line-return", line.pk), {"quantity": "1"})
    assert statuses(card)[0] == "contracted"


def test_ticking_off_a_service_after_completion_leaves_the_job_completed(ann):
    job = finish(make_job(deal(), lines=[LABOUR]))
    signed_in(ann).post(at("line-fulfil", line_of(job).pk), {"everything": "on"})
    assert state(job) == "completed"


def test_completing_asks_of_each_line_what_became_of_it(ann):
    card = deal()
    job = make_job(card, lines=[PIPES, BOILER, LABOUR])
    pipes, boiler = line_of(job, "Copper pipe"), line_of(job, "Boiler")
    act(jobs.fulfil, pipes, quantity=8)
    client, url = signed_in(ann), at("job-act", job.pk, "complete")
    said = words(client.get(url))
    assert "“Copper pipe”: 8 of 10 fulfilled" in said
    assert "Installation" not in said
    assert client.post(url, {f"line-{pipes.pk}": "used"}).status_code == 422
    assert client.post(url, {f"line-{pipes.pk}": "used", f"line-{boiler.pk}": "full"}).status_code == 302
    assert (fresh(pipes).quantity, fresh(boiler).fulfilled_quantity) == (8, 1)
    assert statuses(card) == ("completed", "won")


# Money


def test_a_payment_is_taken_once_however_often_its_form_is_sent(ann):
    job, client = make_job(deal()), signed_in(ann)
    url, form = (
        at("job-act", job.pk, "take_payment"),
        {"amount": "120.50", "settled": "yes", "token": str(uuid.uuid4())},
    )
    assert [client.post(url, form).status_code for _time in range(2)] == [302, 302]
    payment = Payment.objects.get()
    assert (payment.amount, state(payment)) == (Decimal("120.50"), "succeeded")
    assert Event.objects.get(kind="payment_taken").job_id == job.pk


def test_more_than_is_due_is_taken_only_when_it_is_meant(ann):
    job, client = make_job(deal()), signed_in(ann)
    url, due = at("job-act", job.pk, "take_payment"), fresh(job).total
    form = {"amount": str(due + 120), "settled": "yes", "token": str(uuid.uuid4())}
    asked = client.post(url, form)
    assert asked.status_code == 422
    assert "That is $120.00 more than is due. Take it all the same?" in words(asked)
    assert client.post(url, {**form, "amount": str(due + 900), "over": "120.00"}).status_code == 422
    assert not Payment.objects.exists()
    assert client.post(url, {**form, "over": "120.00"}).status_code == 302
    assert fresh(job).held == due + 120


def test_a_payment_in_full_that_is_sent_twice_is_not_asked_about(ann):
    job, client = make_job(deal()), signed_in(ann)
    form = {"amount": str(fresh(job).total), "settled": "yes", "token": str(uuid.uuid4())}
    url = at("job-act", job.pk, "take_payment")
    assert [client.post(url, form).status_code for _time in range(2)] == [302, 302]
    assert Payment.objects.count() == 1


def test_goods_are_fulfilled_once_however_often_the_form_is_sent(ann):
    line, client = line_of(make_job(deal(), lines=[PIPES])), signed_in(ann)
    form = {"quantity": "2", "token": str(uuid.uuid4())}
    for _time in range(2):
        client.post(at("line-fulfil", line.pk), form)
    assert fresh(line).fulfilled_quantity == 2


@pytest.mark.parametrize(("outcome", "becomes"), [("came", "succeeded"), ("failed", "failed")])
def test_a_payment_on_its_way_is_settled(ann, outcome, becomes):
    job, client = make_job(deal()), signed_in(ann)
    client.post(at("job-act", job.pk, "take_payment"), {"amount": "50", "settled": "no"})
    payment = Payment.objects.get()
    assert state(payment) == "pending"
    assert client.post(at("payment-settle", payment.pk), {}).status_code == 422
    assert client.post(at("payment-settle", payment.pk), {"outcome": outcome}).status_code == 302
    assert state(payment) == becomes
    assert client.post(at("payment-settle", payment.pk), {"outcome": outcome}).status_code == 409


def test_a_payment_entered_by_mistake_is_taken_back(ann):
    job = make_job(deal())
    payment = pay(job, "50")
    assert signed_in(ann).post(at("payment-void", payment.pk)).status_code == 302
    assert (state(payment), fresh(job).held) == ("voided", 0)


def test_only_managers_refund_and_others_see_why_not(ann):
    job = make_job(deal())
    payment, client = pay(job, "50"), signed_in(ann)
    assert "Refund: Only a manager may do that." in words(client.get(job.get_absolute_url()))
    sheet = client.get(at("payment-refund", payment.pk))
    assert (sheet.status_code, "Only a manager may do that." in words(sheet)) == (200, True)
    form = {"amount": "50", "settled": "yes"}
    assert client.post(at("payment-refund", payment.pk), form).status_code == 403
    assert not Refund.objects.exists()


def test_a_refund_of_everything_says_that_the_card_becomes_lost_and_names_other_ways(manager):
    card = deal()
    job = make_job(card)
    payment, client = pay(job, "320"), signed_in(manager)
    said = words(client.get(at("payment-refund", payment.pk)))
    assert 'value="320"' in said
    assert f"All of it back: {card.number} becomes Lost" in said
    assert "cancel the job afterwards" in said
    client.post(at("payment-refund", payment.pk), {"amount": "320", "settled": "yes", "note": "Too late"})
    assert statuses(card) == ("contracted", "lost")


def test_more_than_is_left_is_not_refunded(manager):
    payment = pay(make_job(deal()), "50")
    response = signed_in(manager).post(at("payment-refund", payment.pk), {"amount": "50.01", "settled": "yes"})
    assert response.status_code == 409
    assert "Only $50.00 of this payment are left to give back." in words(response)


def test_a_refund_on_its_way_is_settled(manager):
    card = deal()
    payment, client = pay(make_job(card), "50"), signed_in(manager)
    client.post(at("payment-refund", payment.pk), {"amount": "50", "settled": "no"})
    refund = Refund.objects.get()
    assert statuses(card)[1] == "won"
    assert f"If it came: {card.number} becomes Lost" in words(client.get(at("refund-settle", refund.pk)))
    client.post(at("refund-settle", refund.pk), {"outcome": "came"})
    assert statuses(card)[1] == "lost"


# Ends and days


def test_voiding_a_job_names_everything_in_its_way_with_links_that_clear_it(ann):
    job = make_job(deal(), lines=[PIPES])
    line = line_of(job)
    act(jobs.fulfil, line, quantity=3)
    pay(job, "5")
    said = words(signed_in(ann).get(at("job-act", job.pk, "void")))
    assert f'href="{at("line-return", line.pk)}"' in said
    assert f'href="{job.get_absolute_url()}#money"' in said
    assert "3 of 10" in said
    assert "$5.00" in said


def test_a_job_gets_another_day_and_the_forecast_follows(ann):
    card = deal(forecast_date=day(3))
    job, client = make_job(card, service_date=day(1)), signed_in(ann)
    url = at("job-act", job.pk, "reschedule")
    assert "still expires when its forecast date passes" in words(client.get(url))
    form = {"service_date": day(20).isoformat(), "forecast": "after"}
    assert client.post(url, form).status_code == 302
    assert (fresh(job).service_date, fresh(card).forecast_date) == (day(20), day(34))


@pytest.mark.parametrize(("choice", "left"), [("keep", day(3)), ("clear", None)])
def test_the_forecast_is_kept_or_cleared_when_a_job_is_rescheduled(ann, choice, left):
    card = deal(forecast_date=day(3))
    job = make_job(card, service_date=day(1))
    form = {"service_date": day(20).isoformat(), "forecast": choice}
    signed_in(ann).post(at("job-act", job.pk, "reschedule"), form)
    assert fresh(card).forecast_date == left


def test_a_completed_job_is_reopened_before_it_gets_another_day(ann):
    job = finish(make_job(deal()))
    response = signed_in(ann).get(at("job-act", job.pk, "reschedule"))
    assert "reopen it first" in words(response)


# What an act makes of the card, told by what is typed


def refunded_job(card):
    job = make_job(card)
    pay_back(pay(job, "320"), "320")
    return job


def buttons(response) -> list[str]:
    """The words of the sheet's buttons that send it."""
    found = re.findall(r'<button class="button[^"]*(?:filled|danger)[^>]*>([^<]*)</button>', words(response))
    return [text.strip() for text in found]


def test_a_payment_on_a_refunded_job_says_that_it_wins_the_deal_again(ann):
    card = deal()
    job, client = refunded_job(card), signed_in(ann)
    assert statuses(card)[1] == "lost"

    sheet = client.get(at("job-act", job.pk, "take_payment"))

    assert f"If it is received: {card.number} becomes Won and stays Contracted." in words(sheet)
    assert buttons(sheet) == [f"Take a payment and mark {card.number} won"]
    client.post(at("job-act", job.pk, "take_payment"), {"amount": "320", "settled": "yes"})
    assert statuses(card)[1] == "won"


def test_a_payment_that_is_on_its_way_promises_nothing_on_its_button(ann):
    job = refunded_job(deal())
    form = {"amount": "320", "settled": "no", "note": "x" * 300}
    sheet = signed_in(ann).post(at("job-act", job.pk, "take_payment"), form)
    assert (sheet.status_code, buttons(sheet)) == (422, ["Take a payment"])


def test_the_proposed_payment_leaves_out_what_is_on_its_way(ann):
    job = make_job(deal())
    act(jobs.take_payment, job, amount=Decimal(100), settled=False)
    assert 'value="220"' in words(signed_in(ann).get(at("job-act", job.pk, "take_payment")))


def test_rescheduling_a_late_job_promises_to_win_the_deal_only_for_a_day_that_is_not_past(ann):
    card = deal(forecast_date=day(5))
    job, client = make_job(card, service_date=day(5)), signed_in(ann)
    with time_machine.travel(NOW + timedelta(days=6), tick=False):
        sweep.run(now=NOW + timedelta(days=6))
        assert statuses(card) == ("expired", "lost")
        url = at("job-act", job.pk, "reschedule")
        sheet = client.get(url)
        assert f"If the new day is not past: {card.number} becomes Won and stays Expired." in words(sheet)
        assert buttons(sheet) == ["Reschedule"]
        assert f"Reschedule and mark {card.number} won" not in words(client.get(job.get_absolute_url()))
        past = client.post(url, {"service_date": day(5).isoformat(), "forecast": "unknown"})
        assert (past.status_code, buttons(past)) == (422, ["Reschedule"])
        ahead = client.post(url, {"service_date": day(9).isoformat(), "forecast": "unknown"})
        assert buttons(ahead) == [f"Reschedule and mark {card.number} won"]


@pytest.mark.parametrize(
    ("forecast", "promised"),
    [
        ("keep", "becomes Won and stays Expired."),
        ("after", "becomes Contracted and Won."),
        ("clear", "becomes Contracted and Won."),
    ],
)
def test_rescheduling_foretells_what_the_day_and_the_forecast_date_make_of_the_card_together(ann, forecast, promised):
    card = deal(forecast_date=day(5))
    job, client = make_job(card, service_date=day(5)), signed_in(ann)
    with time_machine.travel(NOW + timedelta(days=6), tick=False):
        sweep.run(now=NOW + timedelta(days=6))
        url, form = at("job-act", job.pk, "reschedule"), {"service_date": day(9).isoformat(), "forecast": forecast}
        both = (
            "If the new day is not past, and the forecast date is moved on or cleared: {} becomes Contracted and Won."
        )
        assert both.format(card.number) in words(client.get(url))

        page = client.post(url, {**form, "preview": "1"})
        heard = client.post(url, {**form, "preview": "1"}, headers={"hx-request": "true", "hx-target": "div#act-says"})

        assert f"{card.number} {promised}" in words(page)
        assert f"{card.number} {promised}" in words(heard)
        assert "<form" not in words(heard)
        assert statuses(card) == ("expired", "lost")
        client.post(url, form)
        assert statuses(card) == ("expired" if forecast == "keep" else "contracted", "won")


def test_a_past_day_and_a_forecast_that_follows_it_are_foretold_as_they_come(ann):
    card = deal(forecast_date=day(40))
    job, client = make_job(card, service_date=day(30)), signed_in(ann)
    url, form = at("job-act", job.pk, "reschedule"), {"service_date": day(-20).isoformat(), "forecast": "after"}

    assert f"{card.number} becomes Expired and Lost." in words(client.post(url, {**form, "preview": "1"}))

    client.post(url, form)
    assert statuses(card) == ("expired", "lost")


def test_returning_goods_of_a_completed_job_asks_for_the_forecast_date_and_follows_it(ann):
    card = deal(forecast_date=day(3))
    job, client = make_job(card, lines=[PIPES], service_date=day(2)), signed_in(ann)
    line = line_of(job)
    finish(job)

    sheet = client.get(at("line-return", line.pk))

    assert "still expires when its forecast date passes" in words(sheet)
    assert buttons(sheet) == [f"Return and make {card.number} Contracted"]
    assert client.post(at("line-return", line.pk), {"quantity": "1", "forecast": "new"}).status_code == 422
    form = {"quantity": "1", "forecast": "new", "forecast_date": day(16).isoformat()}
    assert client.post(at("line-return", line.pk), form).status_code == 302
    assert (statuses(card)[0], fresh(card).forecast_date) == ("contracted", day(16))


def test_returning_goods_of_an_open_job_asks_for_no_date(ann):
    line = line_of(make_job(deal(forecast_date=day(3)), lines=[PIPES]))
    act(jobs.fulfil, line, quantity=3)
    assert "forecast" not in words(signed_in(ann).get(at("line-return", line.pk))).lower()


def test_settling_money_names_what_it_makes_of_the_card_on_its_button(manager):
    card = deal()
    job, client = refunded_job(card), signed_in(manager)
    act(jobs.take_payment, job, amount=Decimal(100), settled=False)
    payment = Payment.objects.get(state="pending")
    assert f">The money came and mark {card.number} won<" in words(client.get(at("payment-settle", payment.pk)))
    client.post(at("payment-settle", payment.pk), {"outcome": "came"})
    client.post(at("payment-refund", payment.pk), {"amount": "100", "settled": "no"})
    refund = Refund.objects.get(state="pending")
    assert f">It arrived and mark {card.number} lost<" in words(client.get(at("refund-settle", refund.pk)))


def test_refunding_everything_names_the_loss_on_its_button_and_a_part_does_not(manager):
    card = deal()
    payment, client = pay(make_job(card), "320"), signed_in(manager)
    url = at("payment-refund", payment.pk)
    assert buttons(client.get(url)) == [f"Refund and mark {card.number} lost"]
    part = client.post(url, {"amount": "20", "settled": "yes", "note": "x" * 300})
    assert (part.status_code, buttons(part)) == (422, ["Refund"])


def test_the_statuses_of_the_card_lead_to_why_and_the_loss_is_named(ann):
    card = deal()
    job = refunded_job(card)
    said = words(signed_in(ann).get(job.get_absolute_url()))
    assert said.count(f'<a class="badge-link" href="{card.get_absolute_url()}#why"') == 2
    assert "Lost: refunded" in said


# The links section


def linked_quote(card, to="submitted", **facts):
    people = [{"name": "Ada Lowell", "email": "ada@example.test"}]
    return make_quote(card, to, recipients=people, **facts)


@pytest.mark.parametrize(
    ("to", "said", "has_address"),
    [
        ("draft", "It is not submitted yet.", False),
        ("submitted", "Whoever holds it sees the document and may answer it.", True),
        ("modified", "It was changed since it was submitted.", False),
        ("accepted", "It was accepted, so there is nothing left to answer. The links still show it.", True),
        ("converted", "It became a job, so there is nothing left to answer. The links still show it.", True),
        ("void", "It is not open any more.", False),
    ],
)
def test_the_links_section_says_what_the_links_are_good_for(ann, to, said, has_address):
    quote = linked_quote(deal(), to)
    page = words(signed_in(ann).get(quote.get_absolute_url()))
    assert said in page
    assert (links.address(quote.recipients.get()) in page) is has_address
    assert ("may answer it" in page) is (to == "submitted")


def test_an_archived_or_expired_quote_does_not_claim_that_it_may_be_answered(ann):
    card, client = deal(), signed_in(ann)
    archived, expired = linked_quote(card), linked_quote(card, valid_until=day(1))
    act(quotes.archive, archived)
    page = words(client.get(archived.get_absolute_url()))
    assert "It is not open any more." in page
    assert links.address(archived.recipients.get()) not in page
    for later, said in ((3, "The links still show it."), (100, "The links show it no more")):
        with time_machine.travel(NOW + timedelta(days=later), tick=False):
            page = words(signed_in(ann).get(expired.get_absolute_url()))
            assert f"It has expired, so it cannot be answered. {said}" in page
            assert (links.address(expired.recipients.get()) in page) is (later == 3)


def test_without_a_recipient_no_link_is_offered_to_send(ann):
    bare, named, client = make_quote(deal()), linked_quote(deal(), "draft"), signed_in(ann)
    act(quotes.revise, bare, recipients=[])
    url = at("quote-act", bare.pk, "submit")
    sheet = words(client.get(url))
    assert "add a recipient to send it by link" in sheet
    assert 'value="link"' not in sheet
    assert client.post(url, {"how": "link"}).status_code == 422
    assert client.post(url, {"how": "by_hand"}).status_code == 302
    assert 'value="link"' in words(client.get(at("quote-act", named.pk, "submit")))
