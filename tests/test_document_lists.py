"""The lists of quotes, jobs and agreements: what they find, what they come to, and what they show to whom."""

import re

import pytest
from django.urls import reverse

from opportunities import quotes
from opportunities.models import BusinessSettings
from tests.documents import LABOUR, act, business, customer_of, day, deal, make_agreement, make_job, make_quote
from tests.factories import CustomerFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop():
    business()


@pytest.fixture
def mark():
    return UserFactory(role="manager", username="mark")


@pytest.fixture
def web(client, mark):
    client.force_login(mark)
    return client


def words(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def numbers(web, ref, query=""):
    response = web.get(reverse(f"opportunities:{ref}") + f"?{query}")
    assert response.status_code == 200
    return [row.number for row in response.context["page"]]


def test_the_newest_come_first_with_what_they_come_to(web):
    card = deal()
    first, second = make_quote(card), make_quote(card)
    assert numbers(web, "quotes") == [second.number, first.number]
    assert "2 found, $640.00 net together" in words(web.get(reverse("opportunities:quotes")))


def test_one_state_is_found_and_expired_lies_over_it(web):
    card = deal()
    draft, sent = make_quote(card), make_quote(card, "submitted")
    late = make_quote(card, "submitted", valid_until=day(-5))
    assert numbers(web, "quotes", "state=draft") == [draft.number]
    assert set(numbers(web, "quotes", "state=submitted")) == {sent.number, late.number}
    assert numbers(web, "quotes", "state=expired") == [late.number]


def test_an_agreement_that_is_overdue_shows_as_expired_before_the_night(web):
    late = make_agreement(deal(), "submitted", valid_until=day(0))
    assert numbers(web, "agreements", "state=expired") == [late.number]
    assert numbers(web, "agreements", "state=submitted") == []


def test_jobs_are_found_by_number_title_and_customer(web):
    job = make_job(deal(customer_ids=[CustomerFactory(name="Café Noir").pk]), title="New boiler")
    make_job(deal(), title="Other")
    for words_ in (job.number, "boiler", "cafe noir"):
        assert numbers(web, "jobs", f"q={words_}") == [job.number]


def test_what_is_on_no_card_is_counted_and_found(web):
    card = deal()
    make_quote(card)
    loose = make_quote(card, attached=False)
    assert "On no opportunity (1)" in words(web.get(reverse("opportunities:quotes")))
    assert numbers(web, "quotes", "on=none") == [loose.number]


def test_archived_quotes_are_left_out_until_asked_for(web):
    quote = make_quote(deal())
    act(quotes.archive, quote)
    assert numbers(web, "quotes") == []
    assert numbers(web, "quotes", "archived=1") == [quote.number]


def test_they_are_sorted_and_nonsense_is_ignored(web):
    card = deal()
    dear, cheap = make_quote(card, lines=[{**LABOUR, "quantity": 9}]), make_quote(card)
    assert numbers(web, "quotes", "sort=net") == [cheap.number, dear.number]
    assert numbers(web, "quotes", "sort=-net") == [dear.number, cheap.number]
    assert numbers(web, "quotes", "sort=x&state=y&page=z&customer=no") == [cheap.number, dear.number]


def test_fifty_stand_on_a_page(web):
    card = deal()
    for _each in range(51):
        make_quote(card)
    assert len(numbers(web, "quotes")) == 50
    assert len(numbers(web, "quotes", "page=2")) == 1


def test_rows_counts_and_sums_leave_out_what_the_reader_may_not_see(client):
    sam = UserFactory(role="salesperson")
    BusinessSettings.objects.update(salespeople_see="own")
    mine, theirs = deal(salesperson_id=sam.pk), deal(salesperson_id=UserFactory().pk)
    quote = make_quote(mine)
    make_quote(theirs)
    make_quote(theirs, attached=False)
    client.force_login(sam)
    assert numbers(client, "quotes") == [quote.number]
    text = words(client.get(reverse("opportunities:quotes")))
    assert "1 found, $320.00 net" in text
    assert "On no opportunity (0)" in text


def test_a_customers_page_shows_their_visible_documents(client):
    sam = UserFactory(role="salesperson")
    BusinessSettings.objects.update(salespeople_see="own")
    mine = deal(salesperson_id=sam.pk)
    theirs = deal(salesperson_id=UserFactory().pk, customer_ids=[customer_of(mine).pk])
    quote, hidden = make_quote(mine), make_quote(theirs)
    client.force_login(sam)
    text = words(client.get(reverse("opportunities:customer", args=[customer_of(mine).pk])))
    assert quote.number in text
    assert hidden.number not in text
    assert numbers(client, "quotes", f"customer={customer_of(mine).pk}") == [quote.number]


@pytest.mark.parametrize("ref", ["quotes", "jobs", "agreements"])
def test_an_empty_list_says_what_it_is_for(web, ref):
    assert f"No {ref} yet" in words(web.get(reverse(f"opportunities:{ref}")))
    assert "Nothing is found" in words(web.get(reverse(f"opportunities:{ref}") + "?q=zebra"))


@pytest.mark.parametrize(("ref", "make"), [("quotes", make_quote), ("jobs", make_job), ("agreements", make_agreement)])
def test_it_takes_as_many_statements_for_many_as_for_one(web, ref, make, django_assert_num_queries):
    make(deal())
    address = reverse(f"opportunities:{ref}") + "?q=card"
    web.get(address)  # the first request of a day settles what that day made due
    with django_assert_num_queries(5):
        web.get(address)
    for _each in range(8):
        make(deal())
    with django_assert_num_queries(5):
        web.get(address)
