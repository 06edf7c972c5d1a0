"""Private links: what customers see by them, answer by them, and never learn by them (issue 3.5, AC186)."""

import logging
from datetime import timedelta
from unittest.mock import patch

import pytest
from django.core.cache import cache
from django.test import Client

from opportunities import agreements, lifecycle, link_limit, links, quotes
from opportunities.models import BusinessSettings, Event, QuoteRecipient
from tests.documents import (
    ADA,
    BEN,
    LABOUR,
    MORE_LABOUR,
    READER,
    TODAY,
    act,
    business,
    cancel_reason,
    day,
    deal,
    fresh,
    make_agreement,
    make_quote,
    sign,
    signers,
    state,
    statuses,
    void_reason,
)
from tests.factories import NOW, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _reachable(time_machine_now):
    business(name="Harbor Heating", phone="+1 555 0100", email="office@harbor.test")
    cache.clear()


@pytest.fixture
def time_machine_now():
    import time_machine

    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def ann():
    return UserFactory(first_name="Ann", last_name="Kowalski", role="salesperson")


@pytest.fixture
def card(ann):
    return deal(actor=ann)


@pytest.fixture
def quote(card):
    return make_quote(card, "submitted", recipients=[ADA, BEN], valid_until=day(10), terms="Pay within 14 days.")


@pytest.fixture
def agreement(card):
    return make_agreement(card, "submitted", recipients=[ADA, BEN, READER], valid_until=day(10))


def link(recipient, part=""):
    return f"/l/{links.token_of(fresh(recipient))}/{part}"


def of(document, name="Ada Lowell"):
    return document.recipients.get(name=name)


def seen(document):
    return links.fingerprint(fresh(document))


def shown(client, recipient, status=200):
    response = client.get(link(recipient))
    assert response.status_code == status
    return response.content.decode()


def accept(client, recipient, document, name="A. Lowell", **more):
    return client.post(link(recipient, "accept/"), {"name": name, "seen": seen(document), **more})


def decline(client, recipient, document, name="A. Lowell", **more):
    return client.post(link(recipient, "decline/"), {"name": name, "seen": seen(document), **more})


def leads_to_people(page):
    return "Ann Kowalski" in page and "+1 555 0100" in page and "office@harbor.test" in page


# What is shown


def test_a_link_shows_the_quote_with_lines_total_validity_and_terms_and_whom_to_call(client, quote):
    page = shown(client, of(quote))

    for words in (quote.number, "Harbor Heating", "Installation", "$320.00", "June 20, 2025", "Pay within 14 days."):
        assert words in page
    assert leads_to_people(page)
    assert "Accept" in page
    assert "Decline" in page
    assert "topbar" not in page, "a customer sees no product around it"


def test_a_link_shows_the_text_of_an_agreement_and_nobodys_address(client, agreement):
    page = shown(client, of(agreement))

    assert "We install a boiler." in page
    assert "Ben Ortiz" in page, "who else signs is part of the paper"
    assert "ben@example.test" not in page
    assert "rita@example.test" not in page


def test_a_link_needs_no_login_and_works_for_a_colleague_without_a_role_too(client, quote):
    client.force_login(UserFactory(role=""))

    assert "what the customer sees" in shown(client, of(quote))


def test_nobody_may_keep_or_find_the_page_or_learn_where_it_was(client, quote):
    for part in ("", "print/", "logo/", "accept/"):
        headers = client.get(link(of(quote), part)).headers

        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Robots-Tag"] == "noindex, nofollow"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_only_a_link_that_was_not_made_here_is_not_found(client, quote):
    whole = link(of(quote))
    broken = [whole[:-2] + "/", whole.replace("/l/q", "/l/a"), "/l/x/", "/l/q1-x.y/"]

    for address in broken:
        response = client.get(address)
        assert response.status_code == 404
        assert "not complete" in response.content.decode()
        assert response.headers["Cache-Control"] == "no-store"
    assert client.post(broken[0] + "accept/", {"name": "A"}).status_code == 404


def test_looking_answers_nothing_and_changes_nothing(client, quote, agreement):
    events = Event.objects.count()

    for recipient in (of(quote), of(agreement)):
        for part in ("", "accept/", "decline/", "print/", "logo/"):
            client.get(link(recipient, part))

    assert Event.objects.count() == events
    assert state(quote) == "submitted"
    assert state(of(agreement)) == "sent"


def test_the_page_takes_as_many_statements_for_many_lines_as_for_one(client, card, django_assert_num_queries):
    small = make_quote(card, "submitted")
    large = make_quote(card, "submitted", lines=[LABOUR] * 30)

    one, many = link(small.recipients.get()), link(large.recipients.get())
    client.get(one)  # the first request of a day settles it

    with django_assert_num_queries(3):
        client.get(one)
    with django_assert_num_queries(3):
        client.get(many)


# Every way a link can have ended has its sentence


def ended(client, recipient, words, document=None):
    """It says so with whom to call, and takes no answer."""
    page = shown(client, recipient)
    assert words in page
    assert "accept/" not in page
    for part in ("accept/", "decline/"):
        response = client.post(link(recipient, part), {"name": "A", "seen": seen(document) if document else ""})
        assert response.status_code == 409
        assert words in response.content.decode()
    return page


def test_a_link_of_a_canceled_card_says_that_it_is_closed_and_whom_to_call_never_why(client, card, quote):
    """AC186."""
    reason = cancel_reason()
    act(lifecycle.cancel, card, reason_id=reason, note="They never pay")

    page = ended(client, of(quote), "is not open any more", quote)

    assert leads_to_people(page)
    assert fresh(quote).close_reason_label not in page
    assert "never pay" not in page
    assert "Installation" not in page


def test_a_voided_quote_is_closed_without_its_reason(client, quote):
    act(quotes.void, quote, reason_id=void_reason())

    page = ended(client, of(quote), "is not open any more", quote)

    assert leads_to_people(page)
    assert fresh(quote).close_reason_label not in page


def test_an_expired_quote_says_since_when_and_stays_readable_for_90_days(client, quote, time_machine_now):
    time_machine_now.move_to(NOW + timedelta(days=11))
    assert "Installation" in ended(client, of(quote), "has expired: its last day was Friday, 20 June 2025", quote)

    time_machine_now.move_to(NOW + timedelta(days=100))
    assert "Installation" in shown(client, of(quote))

    time_machine_now.move_to(NOW + timedelta(days=101))
    page = shown(client, of(quote))
    assert "Installation" not in page
    assert "has expired" in page
    assert leads_to_people(page)


def test_an_expired_agreement_says_so(client, agreement, time_machine_now):
    time_machine_now.move_to(NOW + timedelta(days=11))

    ended(client, of(agreement), "has expired", agreement)


def test_an_old_link_after_a_new_one_was_made_asks_for_the_new_one_and_names_nothing(client, quote, agreement):
    for document, verb in ((quote, quotes.renew_link), (agreement, agreements.renew_link)):
        recipient = of(document)
        old = link(recipient)
        act_on(verb, recipient)

        response = client.get(old)
        page = response.content.decode()
        assert response.status_code == 200
        assert "replaced by a newer one" in page
        assert document.number not in page
        assert "+1 555 0100" in page
        assert client.post(old + "accept/", {"name": "A", "seen": seen(document)}).status_code == 409
        assert "accept/" in shown(client, recipient), "the new one works"
    assert set(Event.objects.filter(kind__endswith="link_renewed").values_list("kind", flat=True)) == {
        "quote_link_renewed",
        "agreement_link_renewed",
    }


def act_on(verb, recipient, **given):
    return verb(recipient_id=recipient.pk, **given, actor=None, now=NOW)


def test_a_corrected_address_ends_the_old_link(client, agreement):
    recipient = of(agreement)
    old = link(recipient)
    act_on(agreements.readdress, recipient, name="Ada L.", email="new@example.test")

    assert "replaced by a newer one" in client.get(old).content.decode()


def test_the_link_of_somebody_who_was_taken_off_the_quote_is_no_404(client, quote):
    old = link(of(quote, "Ben Ortiz"))
    act(quotes.revise, quote, recipients=[ADA])

    response = client.get(old)

    assert response.status_code == 200
    assert "replaced by a newer one" in response.content.decode()


def test_a_quote_that_is_not_out_yet_or_being_revised_shows_nothing_of_itself(client, card, quote):
    draft = make_quote(card, recipients=[ADA])
    act(quotes.revise, quote, lines=[MORE_LABOUR])

    assert "Installation" not in ended(client, of(draft), "still being prepared", draft)
    assert "Installation" not in ended(client, of(quote), "is being revised", quote)


def test_a_replaced_agreement_asks_for_the_newer_one(client, agreement):
    act(agreements.replace, agreement)

    assert "We install" not in ended(client, of(agreement), "was replaced by a newer version", agreement)


def test_a_withdrawn_agreement_is_closed(client, agreement):
    act(agreements.withdraw, agreement)

    ended(client, of(agreement), "is not open any more", agreement)


def test_a_signer_is_told_when_another_one_declined_but_not_who_or_why(client, agreement):
    act_on(agreements.respond, of(agreement, "Ben Ortiz"), accepted=False, name="B", note="Too dear")

    page = ended(client, of(agreement), "declined by another signer", agreement)

    assert "Too dear" not in page
    assert "declined on" in shown(client, of(agreement, "Ben Ortiz"))


def test_who_gets_a_copy_is_asked_nothing(client, agreement):
    ended(client, of(agreement, "Rita Reader"), "Nothing is asked of you", agreement)


def test_a_quote_that_became_a_job_without_an_answer_needs_none_any_more(client, quote):
    act(quotes.convert, quote)

    ended(client, of(quote), "is ordered already", quote)


def test_an_archived_quote_is_closed(client, quote):
    act(quotes.archive, quote)

    ended(client, of(quote), "is not open any more", quote)


# Answering


def test_accepting_a_quote_keeps_the_typed_name_and_the_moment_and_thanks(client, card, quote):
    response = accept(client, of(quote), quote)

    page = client.get(response.url).content.decode()
    assert response.status_code == 302
    assert (state(quote), fresh(quote).answered_by, fresh(quote).answered_at) == ("accepted", "A. Lowell", NOW)
    assert "Thank you" in page
    assert "print/" in page
    event = Event.objects.filter(opportunity=card).latest("pk")
    assert (event.kind, event.via, event.by, event.actor) == ("quote_accepted", "link", "A. Lowell by link", None)


def test_declining_a_quote_may_say_why_and_is_noted_as_the_customers(client, card, quote):
    decline(client, of(quote), quote, note="Too dear")

    assert state(quote) == "canceled"
    assert (fresh(quote).declined, fresh(quote).decline_note) == (True, "Too dear")
    event = Event.objects.filter(opportunity=card).latest("pk")
    assert (event.kind, event.via, event.by) == ("quote_declined", "link", "A. Lowell by link")
    page = shown(client, of(quote))
    assert "was declined on" in page
    assert "Too dear" not in page


def test_the_last_signature_by_link_contracts_the_deal(client, card, agreement):
    accept(client, of(agreement), agreement)
    assert statuses(card) == ("agreement", "none")
    assert "settled once everybody has accepted" in shown(client, of(agreement))

    accept(client, of(agreement, "Ben Ortiz"), agreement, name="B. Ortiz")

    assert statuses(card) == ("contracted", "won")
    page = shown(client, of(agreement))
    assert "was accepted on" in page
    assert "B. Ortiz" in page


def test_one_signer_declining_by_link_loses_the_deal(client, card, agreement):
    decline(client, of(agreement), agreement, note="No")

    assert statuses(card)[1] == "lost"
    assert of(agreement).decline_note == "No"


def test_an_answer_needs_a_name(client, quote):
    for name in ("", "   ", "x" * 121):
        assert accept(client, of(quote), quote, name=name).status_code == 422
    assert "Type your name" in accept(client, of(quote), quote, name="").content.decode()
    assert state(quote) == "submitted"


def test_a_double_click_is_told_what_was_answered(client, quote):
    once = {"name": "A. Lowell", "seen": seen(quote)}
    client.post(link(of(quote), "accept/"), once)
    events = Event.objects.count()

    response = client.post(link(of(quote), "accept/"), once)

    assert response.status_code == 409
    assert "was accepted on Tuesday, 10 June 2025" in response.content.decode()
    assert Event.objects.count() == events


def test_of_two_recipients_of_a_quote_the_first_answer_counts(client, quote):
    late = {"name": "B. Ortiz", "seen": seen(quote)}
    accept(client, of(quote), quote)

    response = client.post(link(of(quote, "Ben Ortiz"), "decline/"), late)

    assert response.status_code == 409
    assert "was accepted on" in response.content.decode()
    assert (state(quote), fresh(quote).answered_by) == ("accepted", "A. Lowell")


def test_an_answer_that_meets_another_one_under_the_lock_is_told_apart(quote):
    """The page was looked at before the other answer was written; the act looks again under its lock."""
    first, second = (links.read(links.token_of(of(quote, name))) for name in ("Ada Lowell", "Ben Ortiz"))
    given = {"name": "Somebody", "note": "", "seen": seen(quote), "now": NOW}
    links.answer(first, accepted=True, **given)

    with pytest.raises(links.Refused) as refused:
        links.answer(second, accepted=False, **given)

    assert "was accepted on" in str(refused.value)
    assert state(quote) == "accepted"


def test_nobody_accepts_what_was_changed_since_they_read_it(client, quote):
    old = seen(quote)
    act(quotes.revise, quote, lines=[{**LABOUR, "quantity": 400}])
    act(quotes.submit, quote)

    response = client.post(link(of(quote), "accept/"), {"name": "A", "seen": old})

    page = response.content.decode()
    assert response.status_code == 409
    assert "changed since you opened it" in page
    assert "$32,000.00" in page
    assert state(quote) == "submitted"


def test_the_forms_of_a_link_are_protected_and_still_work_without_a_referrer(quote):
    client = Client(enforce_csrf_checks=True)
    page = client.get(link(of(quote))).content.decode()
    token = page.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    given = {"name": "A", "seen": seen(quote)}

    bare = client.post(link(of(quote), "accept/"), given)
    foreign = client.post(
        link(of(quote), "accept/"), {**given, "csrfmiddlewaretoken": token}, headers={"origin": "https://evil.test"}
    )
    assert (bare.status_code, foreign.status_code, state(quote)) == (403, 403, "submitted")
    assert "Load it again" in bare.content.decode()

    own = client.post(link(of(quote), "accept/"), {**given, "csrfmiddlewaretoken": token}, headers={"origin": "null"})
    assert (own.status_code, state(quote)) == (302, "accepted")


def test_the_copy_can_be_printed_after_the_answer(client, quote):
    accept(client, of(quote), quote)

    page = client.get(link(of(quote), "print/")).content.decode()

    assert "Agreed by" in page
    assert "A. Lowell" in page
    assert "June 10, 2025" in page


# Viewed


def test_a_page_that_ran_is_noted_once_as_viewed(client, card, quote, agreement):
    for _time in range(2):
        for recipient in (of(quote), of(agreement)):
            assert client.post(link(recipient, "viewed/")).status_code == 204

    assert of(quote).viewed_at == NOW
    assert state(of(agreement)) == "viewed"
    seen_by = Event.objects.filter(opportunity=card, kind__endswith="viewed").values_list("kind", "by", "via")
    assert sorted(seen_by) == [
        ("agreement_viewed", "Ada Lowell by link", "link"),
        ("quote_viewed", "Ada Lowell by link", "link"),
    ]


def test_viewing_does_not_disturb_a_colleague_who_edits_the_quote(client, quote):
    version = fresh(quote).version
    client.post(link(of(quote), "viewed/"))

    assert fresh(quote).version == version


def test_a_colleague_who_looks_does_not_count_as_the_customer(client, ann, quote):
    client.force_login(ann)
    client.post(link(of(quote), "viewed/"))

    assert of(quote).viewed_at is None


def test_a_closed_document_is_not_viewed(client, quote):
    act(quotes.void, quote, reason_id=void_reason())

    assert client.post(link(of(quote), "viewed/")).status_code == 204
    assert QuoteRecipient.objects.filter(viewed_at__isnull=False).count() == 0


# How often, and what is logged


def test_a_link_rests_after_too_many_requests_and_says_for_how_long(client, quote):
    with patch.object(link_limit, "PER_TOKEN", 3):
        for _time in range(3):
            shown(client, of(quote))
        response = client.post(link(of(quote), "accept/"), {"name": "A", "seen": seen(quote)})

    assert response.status_code == 429
    assert 0 < int(response.headers["Retry-After"]) <= 60
    assert "wait a minute" in response.content.decode()
    assert state(quote) == "submitted"


def test_an_address_that_tries_many_links_rests_but_nobody_else(client, quote):
    with patch.object(link_limit, "PER_ADDRESS", 3):
        found = [client.get(f"/l/guess{n}/").status_code for n in range(4)]
        elsewhere = client.get(link(of(quote)), REMOTE_ADDR="203.0.113.9")

    assert found == [404, 404, 404, 429]
    assert elsewhere.status_code == 200


def test_after_a_minute_it_goes_on(client, quote, time_machine_now):
    with patch.object(link_limit, "PER_TOKEN", 1):
        shown(client, of(quote))
        shown(client, of(quote), status=429)
        time_machine_now.shift(61)
        shown(client, of(quote))


def test_customers_get_in_when_the_cache_does_not_answer(client, quote):
    with patch.object(cache, "incr", side_effect=OSError):
        shown(client, of(quote))


def test_log_lines_name_the_route_and_never_the_link(client, quote, caplog):
    caplog.set_level(logging.DEBUG)
    token = links.token_of(of(quote))

    client.get(link(of(quote)))
    client.post(link(of(quote), "accept/"), {"name": ""})
    client.get("/l/broken" + token + "/")
    Client(enforce_csrf_checks=True).post(link(of(quote), "accept/"))

    lines = [str({**vars(record), "request": ""}) for record in caplog.records if record.name == "stageboard.request"]
    assert len(lines) == 4
    assert any("opportunities:link" in line for line in lines)
    assert not any(token in line for line in lines)


# Where a link leads


def test_the_address_of_a_link_is_the_one_that_people_type(quote, settings):
    settings.STAGEBOARD_URL = "https://board.example.com"

    assert links.address(of(quote)).startswith("https://board.example.com/l/q")


def test_a_salesperson_who_left_is_not_named(client, ann, quote):
    ann.is_active = False
    ann.save()

    page = shown(client, of(quote))

    assert "Ann Kowalski" not in page
    assert "+1 555 0100" in page


def test_without_phone_and_address_the_customer_asks_who_sent_it(client, quote, ann):
    BusinessSettings.objects.update(phone="", email="")
    ann.is_active = False
    ann.save()

    assert "ask whoever sent you this link" in shown(client, of(quote))


def test_a_signed_agreement_is_readable_for_90_days(client, agreement, time_machine_now):
    for signer in signers(agreement):
        sign(signer)

    time_machine_now.move_to(NOW + timedelta(days=90))
    assert "We install" in shown(client, of(agreement))
    time_machine_now.move_to(NOW + timedelta(days=91))
    page = shown(client, of(agreement))
    assert "We install" not in page
    assert "was accepted on" in page
    assert fresh(agreement).ended_on == TODAY


@pytest.mark.parametrize("part", ["", "print/", "logo/", "accept/", "decline/"])
def test_asking_for_the_headers_of_a_link_is_answered_like_asking_for_the_page(client, quote, part):
    address = link(of(quote), part)
    head, get = client.head(address), client.get(address)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["Referrer-Policy"] == "no-referrer"
