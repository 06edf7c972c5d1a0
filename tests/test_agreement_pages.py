"""The page of an agreement, what colleagues note of its recipients, the links to copy, and papers to print."""

import pytest

from opportunities import access, agreements, links
from opportunities.models import BusinessSettings, Recipient
from tests.documents import (
    ADA,
    BEN,
    LABOUR,
    READER,
    act,
    business,
    day,
    deal,
    fresh,
    make_agreement,
    make_quote,
    sign,
    state,
    statuses,
)
from tests.factories import NOW, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _business():
    import time_machine

    business(name="Harbor Heating", swept_until=NOW.date())
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def ann(client):
    person = UserFactory(first_name="Ann", last_name="Kowalski", role="salesperson")
    client.force_login(person, backend="opportunities.access.RoleBackend")
    return person


@pytest.fixture
def card(ann):
    return deal(actor=ann, forecast_date=day(5))


@pytest.fixture
def agreement(card):
    return make_agreement(card, "submitted", recipients=[ADA, BEN, READER], valid_until=day(10), lines=[LABOUR])


def of(document, name="Ada Lowell"):
    return document.recipients.get(name=name)


def page(client, address, status=200):
    response = client.get(address)
    assert response.status_code == status
    return response.content.decode()


def on(recipient, verb="respond", answer="yes"):
    return f"/recipients/{recipient.pk}/{verb}/" + (f"?answer={answer}" if verb == "respond" else "")


def test_the_page_says_who_signs_how_far_that_is_and_gives_the_links(client, agreement):
    sign(of(agreement))

    text = page(client, agreement.get_absolute_url())

    for words in ("We install a boiler.", "1 of 2", "Accepted as “Ada Lowell”", "Gets a copy", "Ben Ortiz"):
        assert words in text
    assert links.address(of(agreement, "Ben Ortiz")) in text
    assert "Note that Ben Ortiz accepted and mark" in text, "the last signature says what it does to the card"


def test_replacing_is_offered_before_withdrawing_which_says_that_the_deal_is_lost(client, card, agreement):
    text = page(client, agreement.get_absolute_url())

    assert text.index("Replace A-") < text.index("Withdraw A-")
    assert f"Withdraw {agreement.number} and mark {card.number} lost" in text


def test_a_replaced_agreement_and_its_copy_lead_to_each_other(client, agreement):
    copy = act(agreements.replace, agreement)

    assert f'Replaced by <a href="{copy.get_absolute_url()}">' in page(client, agreement.get_absolute_url())
    assert f'<a href="{agreement.get_absolute_url()}">{agreement.number}</a>' in page(client, copy.get_absolute_url())


def test_an_accepted_agreement_is_voided_by_managers_only(client, card, ann):
    signed = make_agreement(card, "accepted")
    assert "Void A-" not in page(client, signed.get_absolute_url())

    client.force_login(UserFactory(role="manager"), backend="opportunities.access.RoleBackend")
    assert "Void A-" in page(client, signed.get_absolute_url())


def test_noting_the_first_answer_changes_no_status_and_asks_for_no_date(client, card, agreement):
    text = page(client, on(of(agreement)))
    assert "becomes" not in text
    assert "Forecast date" not in text

    response = client.post(on(of(agreement)), {"name": "Ada Lowell"})

    assert response.status_code == 302
    assert (state(of(agreement)), statuses(card)[0]) == ("accepted", "agreement")


def test_noting_the_last_answer_says_what_the_card_becomes_and_takes_a_new_forecast_date(client, card, agreement):
    sign(of(agreement))
    ben = of(agreement, "Ben Ortiz")

    text = page(client, on(ben))
    assert f"{card.number} becomes Contracted and Won." in text
    assert "still expires" in text

    client.post(on(ben), {"name": "Ben Ortiz", "forecast": "new", "forecast_date": day(40).isoformat()})

    assert statuses(card) == ("contracted", "won")
    assert fresh(card).forecast_date == day(40)


def test_noting_a_rejection_says_that_the_deal_is_lost_and_keeps_the_words(client, card, agreement):
    text = page(client, on(of(agreement), answer="no"))
    assert f"mark {card.number} lost" in text

    client.post(on(of(agreement), answer="no"), {"name": "Ada Lowell", "note": "Too dear"})

    assert statuses(card)[1] == "lost"
    assert "Too dear" in page(client, agreement.get_absolute_url())


def test_an_answer_that_came_meanwhile_is_not_overwritten(client, agreement):
    sign(of(agreement))

    response = client.post(on(of(agreement), answer="no"), {"name": "Ada Lowell"})

    assert response.status_code == 409
    assert "has answered already" in response.content.decode()
    assert state(of(agreement)) == "accepted"


def test_canceling_a_signer_says_beforehand_that_the_deal_is_lost_by_it(client, card, agreement):
    assert f"Cancel Ada Lowell and mark {card.number} lost" in page(client, on(of(agreement), "cancel"))

    client.post(on(of(agreement), "cancel"))

    assert fresh(agreement).status == "canceled"
    assert statuses(card)[1] == "lost"


def test_canceling_a_copy_loses_nothing(client, card, agreement):
    reader = of(agreement, "Rita Reader")
    assert "lost" not in page(client, on(reader, "cancel"))

    client.post(on(reader, "cancel"))

    assert (state(reader), fresh(agreement).status) == ("canceled", "submitted")


def test_a_corrected_address_is_sent_again_by_a_new_link(client, agreement):
    recipient = of(agreement)
    old = links.address(recipient)

    client.post(on(recipient, "readdress"), {"name": "Ada L.", "email": "new@example.test"})

    assert (fresh(recipient).name, fresh(recipient).email) == ("Ada L.", "new@example.test")
    assert links.address(fresh(recipient)) != old


@pytest.mark.parametrize("given", [{"name": "", "email": ""}, {"name": "Ada", "email": "nowhere"}])
def test_a_correction_without_a_name_or_with_no_address_is_asked_again(client, agreement, given):
    assert client.post(on(of(agreement), "readdress"), given).status_code == 422
    assert of(agreement).email == "ada@example.test"


def test_a_new_link_is_made_for_a_recipient_of_each_kind(client, card, agreement):
    quote = make_quote(card, "submitted", recipients=[ADA])
    addresses = {
        f"/recipients/{of(agreement).pk}/link/": of(agreement),
        f"/quote-recipients/{of(quote).pk}/link/": of(quote),
    }

    for address, recipient in addresses.items():
        assert "Make a new link" in page(client, address)
        assert client.post(address).status_code == 302
        assert fresh(recipient).nonce != recipient.nonce


def test_after_submitting_by_link_the_links_can_be_copied_at_once(client, card):
    for document in (make_quote(card, recipients=[ADA]), make_agreement(card, recipients=[ADA])):
        response = client.post(f"{document.get_absolute_url()}submit/", {"how": "link"})

        assert response.url == f"{document.get_absolute_url()}links/"
        assert links.address(of(document)) in page(client, response.url)
        assert "data-copies" in page(client, response.url)


def test_who_handed_it_over_does_not_land_at_the_links(client, card):
    quote = make_quote(card, recipients=[ADA])

    assert "links" not in client.post(f"{quote.get_absolute_url()}submit/", {"how": "by_hand"}).url


def test_the_paper_has_everything_a_customer_keeps(client, card):
    BusinessSettings.objects.update(address="12 Harbour Road", tax_number="US-12345")
    quote = make_quote(
        card, "submitted", discount_percent=10, valid_until=day(10), service_date=day(20), terms="Pay soon."
    )

    text = page(client, f"{quote.get_absolute_url()}print/")

    for words in (
        "Harbor Heating",
        "12 Harbour Road",
        "US-12345",
        quote.number,
        quote.customer.name,
        "Installation",
        "Subtotal",
        "$320.00",
        "Discount of 10%",
        "-$32.00",
        "$288.00",
        "June 20, 2025",
        "June 30, 2025",
        "Pay soon.",
    ):
        assert words in text


def test_the_paper_of_an_agreement_bears_names_and_moments(client, agreement):
    sign(of(agreement))

    text = page(client, f"{agreement.get_absolute_url()}print/")

    assert "June 10, 2025, 9 a.m." in text
    assert "Not signed yet" in text
    assert "Rita Reader" not in text


def test_a_draft_says_on_its_paper_that_it_is_one(client, card):
    assert "Draft" in page(client, f"{make_quote(card).get_absolute_url()}print/")


def test_the_page_takes_as_many_statements_for_many_recipients_as_for_two(
    client, card, agreement, django_assert_num_queries, django_assert_max_num_queries
):
    crowd = [{**ADA, "name": f"Signer {n}"} for n in range(20)]
    large = make_agreement(card, "submitted", recipients=crowd)
    page(client, agreement.get_absolute_url())

    with django_assert_max_num_queries(16) as few:
        page(client, agreement.get_absolute_url())
    with django_assert_num_queries(len(few)):
        page(client, large.get_absolute_url())


def test_who_may_not_see_the_card_sees_neither_page_nor_links_nor_paper(client, agreement):
    BusinessSettings.objects.update(salespeople_see="own")
    client.force_login(UserFactory(role="salesperson"), backend="opportunities.access.RoleBackend")

    for part in ("", "links/", "print/"):
        page(client, f"{agreement.get_absolute_url()}{part}", status=404)
    for verb in ("respond", "cancel", "readdress", "link"):
        assert client.post(f"/recipients/{of(agreement).pk}/{verb}/").status_code == 404


def test_somebody_elses_agreement_is_shown_without_acts(client, agreement):
    other = UserFactory(role="salesperson")
    client.force_login(other, backend="opportunities.access.RoleBackend")

    text = page(client, agreement.get_absolute_url())

    assert "Note that" not in text
    assert client.post(on(of(agreement)), {"name": "A"}).status_code == 403
    assert not access.may_with_document(other, "agreement", agreement)
    assert Recipient.objects.filter(state="accepted").count() == 0
