"""Quotes and agreements by mail: everybody their own link and no other, and nothing when the act is refused."""

import re
import uuid

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from opportunities import agreements, document_mail, lifecycle, links, mail, outbox, quotes
from opportunities.document_mail import Message
from opportunities.models import Agreement, EmailTemplate, Event, OutgoingEmail, Quote
from tests.documents import (
    ADA,
    BEN,
    LABOUR,
    MORE_LABOUR,
    READER,
    YESTERDAY,
    act,
    at,
    business,
    cancel_reason,
    customer_of,
    day,
    deal,
    fresh,
    make_agreement,
    make_quote,
    refused,
    state,
    void_reason,
)
from tests.factories import NOW, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def today():
    """The pages read the clock; here it is the day of the scenarios."""
    import time_machine

    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def ann(client):
    person = UserFactory(role="salesperson", first_name="Ann", last_name="Lee", email="ann@business.test")
    client.force_login(person, backend="opportunities.access.RoleBackend")
    return person


@pytest.fixture
def card(ann):
    return deal(actor=ann, salesperson_id=ann.pk)


@pytest.fixture
def draft(card):
    return make_agreement(card, recipients=[ADA, BEN, READER], valid_until=day(10), lines=[LABOUR])


def quote_for(card, *people, to="draft", **facts):
    return make_quote(card, to, recipients=people or (ADA,), **facts)


def words(document, *names, subject="{{ document_number }} for {{ recipient_name }}", body="Read it: {{ link }}"):
    people = document.recipients.filter(name__in=names) if names else document.recipients.all()
    return Message(subject, body, frozenset(each.pk for each in people))


def submit(document, message=None, **options):
    verb = quotes.submit if isinstance(document, Quote) else agreements.submit
    return act(verb, document, mail=message or words(document), how="mail", **options)


def mails(**about):
    return list(OutgoingEmail.objects.filter(**about).order_by("pk"))


def the_mail(**about):
    (found,) = mails(**about)
    return found


def links_in(row):
    return set(re.findall(r"https?://\S+/l/\S+?/", row.body))


def of(document, name="Ada Lowell"):
    return document.recipients.get(name=name)


def test_everybody_is_mailed_their_own_link_and_nobody_elses(draft):
    submit(draft)

    assert [row.to for row in mails()] == [["ada@example.test"], ["ben@example.test"], ["rita@example.test"]]
    for recipient in draft.recipients.all():
        row = the_mail(recipient=recipient)
        assert links_in(row) == {links.address(recipient)}
        assert links.token_of(recipient) in row.html
        assert row.subject == f"{draft.number} for {recipient.name}"


def test_a_mail_knows_its_document_its_card_and_who_sent_it_and_is_answered_to_the_salesperson(card, draft, ann):
    submit(draft, actor=ann)

    row = mails()[0]
    assert (row.kind, row.agreement, row.opportunity, row.created_by) == ("agreement", draft, card, ann)
    assert row.reply_to == "ann@business.test"


def test_without_a_salesperson_with_an_address_the_answer_goes_to_the_business():
    business(email="office@business.test")
    quote = submit(quote_for(deal()))

    assert the_mail(quote=quote).reply_to == "office@business.test"


def test_the_template_is_filled_in_with_what_the_document_says(draft):
    business(name="Bright Boilers", currency="USD")
    subject, body = document_mail.begins_with(draft)
    submit(draft, words(draft, "Ada Lowell", subject=subject, body=body))

    row = the_mail()
    assert row.subject == f"For you to sign: agreement {draft.number} from Bright Boilers"
    assert "Dear Ada Lowell" in row.body
    assert "Ann Lee" in row.body
    assert "{{" not in row.subject + row.body + row.html


@pytest.mark.parametrize("make", [quote_for, lambda card: make_agreement(card)], ids=["quote", "agreement"])
def test_the_link_in_the_mail_opens_the_document(client, card, make):
    document = submit(make(card))
    client.logout()

    response = client.get(re.sub("https?://[^/]+", "", *links_in(the_mail())))

    assert response.status_code == 200
    assert document.number in response.content.decode()


def test_who_gets_a_copy_reads_it_and_is_asked_nothing(client, draft):
    submit(draft)
    client.logout()

    def opened(name):
        row = the_mail(recipient__name=name)
        return client.get(re.sub("https?://[^/]+", "", *links_in(row))).content.decode()

    assert "You get a copy. Nothing is asked of you." in opened("Rita Reader")
    assert "Your name" not in opened("Rita Reader")
    assert "Your name" in opened("Ada Lowell")


def test_only_the_ticked_recipients_are_mailed(draft):
    submit(draft, words(draft, "Ben Ortiz"))

    assert the_mail().to == ["ben@example.test"]


def test_history_names_who_was_mailed(draft, client):
    submit(draft, words(draft, "Ada Lowell", "Ben Ortiz"))

    page = client.get(draft.get_absolute_url()).content.decode()
    assert "was submitted, by mail to Ada Lowell, Ben Ortiz" in page


def test_submitting_without_a_mail_mails_nobody(draft):
    act(agreements.submit, draft, how="link")

    assert mails() == []


def test_a_refused_submit_mails_nobody(card):
    late = make_agreement(card, valid_until=YESTERDAY)
    with refused("AGREEMENT_EXPIRED"):
        submit(late)
    empty = quote_for(card, to="incomplete")
    with refused("NO_LINES"):
        submit(empty)

    assert mails() == []


@pytest.mark.parametrize(
    ("change", "at_field"),
    [
        ({"subject": "{{ password }}"}, "subject"),
        ({"body": "{{ link }} {{ recipient_name.pk }}"}, "body"),
        ({"body": "{{ link }} {% debug %} {{ link|safe }}"}, "body"),
        ({"body": "Come by."}, "body"),
        ({"subject": " "}, "subject"),
    ],
)
def test_a_mail_that_cannot_be_written_keeps_the_document_where_it_was(card, change, at_field):
    quote = quote_for(card)
    events = Event.objects.count()

    with pytest.raises(ValidationError) as error:
        submit(quote, words(quote, **change))

    assert set(error.value.message_dict) == {at_field}
    assert (state(fresh(quote)), mails(), Event.objects.count()) == ("draft", [], events)


def test_nobody_without_an_address_and_nobody_elses_recipient_is_mailed(card):
    quote, other = quote_for(card, ADA, {"name": "Ben Ortiz", "email": ""}), quote_for(card)
    strangers = Message("s", "{{ link }}", frozenset({other.recipients.get().pk}))

    for message in (words(quote), strangers, words(quote, "nobody")):
        with pytest.raises(ValidationError, match=r"address|changed meanwhile|Tick"):
            submit(quote, message)
    assert mails() == []


def test_a_customers_name_reaches_no_header_and_no_markup(card):
    evil = "Eve\nBcc: all@example.test <b>{{ link }}</b>"
    customer = customer_of(card)
    type(customer).objects.filter(pk=customer.pk).update(name=evil)
    quote = quote_for(card, {"name": "Eve <img src=x>", "email": "eve@example.test"})
    body = "{{ customer_name }} {{ recipient_name }} {{ link }}"

    submit(quote, words(quote, subject="For {{ customer_name }} {{ recipient_name }}", body=body))

    row = the_mail()
    assert "\n" not in row.subject
    assert row.to == ["eve@example.test"]
    assert "<img" not in row.html
    assert "<b>" not in row.html
    assert "{{" not in row.subject + row.body


def test_a_quote_that_is_submitted_again_is_mailed_again(card):
    quote = submit(quote_for(card))
    submit(quote)

    first, second = mails()
    assert links_in(first) == links_in(second)


# Another name or address


def test_a_signer_who_had_it_by_mail_gets_it_anew_at_the_corrected_address(draft):
    submit(draft, words(draft, "Ada Lowell"))
    OutgoingEmail.objects.update(state="sent", sent_at=NOW)
    old = links.address(of(draft))

    act(agreements.readdress, of(draft), name="Ada Lowell", email="ada@new.test", now=at(1))

    first, second = mails()
    assert (first.to, second.to) == (["ada@example.test"], ["ada@new.test"])
    assert links_in(second) == {links.address(of(draft))} != {old}


def test_a_mail_that_waits_with_a_dead_link_does_not_leave(draft):
    submit(draft, words(draft, "Ada Lowell"))

    act(agreements.readdress, of(draft), name="Ada Lowell", email="ada@new.test")
    assert the_mail().to == ["ada@new.test"]

    act(agreements.renew_link, of(draft))
    assert mails() == []


def test_a_signer_who_was_not_mailed_is_not_mailed_when_corrected(draft):
    submit(draft, words(draft, "Ada Lowell"))

    act(agreements.readdress, of(draft, "Ben Ortiz"), name="Ben Ortiz", email="ben@new.test")

    assert the_mail().to == ["ada@example.test"]


def test_a_corrected_recipient_of_a_quote_that_is_out_gets_it_anew_and_a_new_one_does_not(card):
    quote = submit(quote_for(card))
    OutgoingEmail.objects.update(state="sent", sent_at=NOW)

    act(quotes.revise, quote, recipients=[{**ADA, "email": "ada@new.test"}, BEN])

    assert [row.to for row in mails()] == [["ada@example.test"], ["ada@new.test"]]
    assert links_in(mails()[1]) == {links.address(of(quote))}


def test_while_a_quote_is_being_revised_a_corrected_recipient_is_not_mailed(card):
    quote = submit(quote_for(card))

    act(quotes.revise, quote, recipients=[{**ADA, "email": "ada@new.test"}], lines=[MORE_LABOUR])

    assert state(fresh(quote)) == "modified"
    assert mails() == []


def test_a_broken_template_leaves_a_signer_as_they_were(draft):
    submit(draft)
    EmailTemplate.objects.filter(key=mail.AGREEMENT_SUBMITTED).update(body="{{ nothing }} {{ link }}")
    mail.template(mail.AGREEMENT_SUBMITTED)
    EmailTemplate.objects.filter(key=mail.AGREEMENT_SUBMITTED).update(body="{{ nothing }} {{ link }}")
    before = of(draft)

    with pytest.raises(ValidationError, match="nothing"):
        act(agreements.readdress, before, name="Ada", email="ada@new.test")

    assert (of(draft).email, of(draft).nonce, len(mails())) == (before.email, before.nonce, 3)


# Mailing it later


def send(document, name="Ada Lowell", **options):
    recipient = of(document, name)
    key = "quote_recipient_id" if isinstance(document, Quote) else "recipient_id"
    given = {"subject": "Again", "body": "{{ link }}", "actor": None, "now": NOW, **options}
    return document_mail.send(**{key: recipient.pk}, **given)


def test_mailing_again_uses_the_link_in_force_and_is_told_in_history(client, draft):
    submit(draft, words(draft, "Ada Lowell"))
    OutgoingEmail.objects.update(state="sent", sent_at=NOW)
    act(agreements.renew_link, of(draft))

    send(draft)

    old, new = mails()
    assert links_in(new) == {links.address(of(draft))} != links_in(old)
    assert "was mailed to Ada Lowell" in client.get(draft.get_absolute_url()).content.decode()


@pytest.mark.parametrize("make", ["quote", "agreement"])
def test_a_mail_whose_link_has_ended_is_not_sent_again_and_leads_to_mailing_again(client, card, draft, make):
    document = quote_for(card) if make == "quote" else draft
    submit(document, words(document, "Ada Lowell"))
    OutgoingEmail.objects.update(state="sent", sent_at=NOW)
    old, address = the_mail(), f"/mails/{the_mail().pk}/again/"
    assert "Send it again anyway" in client.get(address).content.decode()
    act(quotes.renew_link if make == "quote" else agreements.renew_link, recipient_id=of(document).pk)
    OutgoingEmail.objects.exclude(pk=old.pk).delete()  # the new link was mailed anew

    asked, answer = client.get(address), client.post(address, {"sure": "1"})

    mailing = f"/{'quote-' if make == 'quote' else ''}recipients/{of(document).pk}/mail/"
    for response in (asked, answer):
        said = response.content.decode()
        assert "The private link in this mail has ended, so the mail is not sent again." in said
        assert f'<a class="button filled" href="{mailing}" data-dialog>Mail again</a>' in said
        assert "Send it again anyway" not in said
    assert answer.status_code == 409
    assert the_mail() == old
    assert client.get(mailing).status_code == 200


def test_a_mail_to_whom_is_no_recipient_any_more_is_not_sent_again(client, card):
    quote = submit(quote_for(card))
    OutgoingEmail.objects.update(state="sent", sent_at=NOW)
    of(quote).delete()

    with refused("LINK_ENDED"):
        act(outbox.send_again, mail_id=the_mail().pk, sure=True)

    said = client.get(f"/mails/{the_mail().pk}/again/").content.decode()
    assert f"is no recipient of {quote.number} any more" in said
    assert f'href="{quote.get_absolute_url()}links/"' in said


def test_a_mail_that_still_waits_gives_way_to_the_one_that_is_sent_again(card):
    quote = submit(quote_for(card))

    send(quote)

    assert the_mail().subject == "Again"


def test_what_nobody_can_answer_is_not_mailed(card, draft):
    with refused("WRONG_STATE"):
        send(draft)
    quote = quote_for(card, {"name": "Ada Lowell", "email": ""}, to="submitted", valid_until=YESTERDAY)
    with refused("WRONG_STATE", "NO_ADDRESS"):
        send(quote)
    signed = make_agreement(card, "submitted", recipients=[ADA, BEN])
    act(agreements.respond, of(signed), accepted=True, name="Ada")
    with refused("WRONG_STATE"):
        send(signed)

    assert mails() == []


# The sheets


def token():
    return str(uuid.uuid4())


def sheet(client, document, verb="submit"):
    return client.get(f"{document.get_absolute_url()}{verb}/").content.decode()


def typed(document, **given):
    people = [str(each.pk) for each in document.recipients.all() if each.email]
    return {"how": "mail", "to": people, "subject": "Hello", "body": "Here: {{ link }}", "token": token(), **given}


def test_the_sheet_proposes_a_mail_to_everybody_with_an_address_and_shows_it(client, card):
    quote = quote_for(card, ADA, {"name": "Ben Ortiz", "email": ""})

    text = sheet(client, quote)

    assert re.search(r'value="mail"[^>]* checked', text)
    assert "Ben Ortiz: no e-mail address" in text
    assert "It is mailed as soon as it is submitted" in text
    assert f"Your quote {quote.number} from" in text
    assert links.address(of(quote)) in text, "the preview has the link that Ada gets"


def test_where_nobody_has_an_address_the_sheet_says_why_it_cannot_be_mailed(client, card):
    quote = quote_for(card, {"name": "Ben Ortiz", "email": ""})

    text = sheet(client, quote)
    response = client.post(f"{quote.get_absolute_url()}submit/", {"how": "mail", "token": token()})

    assert re.search(r'value="mail"[^>]* disabled', text)
    assert "No recipient has an e-mail address" in text
    assert (response.status_code, state(fresh(quote))) == (422, "draft")


@pytest.mark.parametrize("make", [quote_for, lambda card: make_agreement(card)], ids=["quote", "agreement"])
def test_submitting_by_mail_leads_to_where_one_sees_that_it_left(client, card, make):
    document = make(card)

    response = client.post(f"{document.get_absolute_url()}submit/", typed(document))

    assert response.url.endswith("/links/")
    assert the_mail().subject == "Hello"
    assert "The mail is waiting to be sent" in client.get(response.url).content.decode()


def test_a_form_without_a_mail_mails_nobody(client, card):
    quote = quote_for(card)

    client.post(f"{quote.get_absolute_url()}submit/", {"how": "by_hand"})

    assert (state(fresh(quote)), mails()) == ("submitted", [])


def test_a_form_that_is_sent_twice_mails_once(client, card):
    quote = quote_for(card)
    form = typed(quote)

    for _time in range(2):
        client.post(f"{quote.get_absolute_url()}submit/", form)

    assert len(mails()) == 1


def test_a_preview_writes_nothing_and_shows_what_was_typed(client, card):
    quote = quote_for(card)
    form = typed(quote, subject="For {{ recipient_name }}", preview="1")

    response = client.post(f"{quote.get_absolute_url()}submit/", form)

    assert "For Ada Lowell" in response.content.decode()
    assert (response.status_code, state(fresh(quote)), mails()) == (200, "draft", [])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"body": "{{ link }} {{ secret }}"}, "There is no placeholder “secret”"),
        ({"to": []}, "Tick at least one person"),
        ({"body": "No link"}, "without their private link"),
        ({"to": ["999999"]}, "The recipients were changed meanwhile"),
    ],
)
def test_a_mail_that_cannot_be_written_brings_the_sheet_back_with_the_reason(client, card, given, says):
    quote = quote_for(card)

    response = client.post(f"{quote.get_absolute_url()}submit/", typed(quote, **given))

    assert (response.status_code, mails(), state(fresh(quote))) == (422, [], "draft")
    assert says in response.content.decode()


@pytest.mark.parametrize(
    ("now", "says"),
    [
        ({"state": "sent", "sent_at": NOW}, "Mailed"),
        ({"state": "sent", "sent_at": NOW, "kept_here": True}, "only to the outbox here"),
        ({"state": "failed"}, "The mail could not be sent"),
        ({"state": "queued", "attempts": 2}, "is tried again"),
        ({"state": "unsure"}, "Perhaps mailed"),
        ({"state": "sent", "sent_at": NOW, "body": "old link"}, "with a link that has ended since"),
    ],
)
def test_the_page_says_how_far_each_mail_has_come_and_offers_to_mail_again(client, draft, now, says):
    submit(draft, words(draft, "Ada Lowell"))
    OutgoingEmail.objects.update(**now)

    text = client.get(f"{draft.get_absolute_url()}links/").content.decode()

    assert says in text
    assert "Mail it again to Ada Lowell" in text
    assert "Mail it to Ben Ortiz" in text


def test_mailing_again_by_the_page_queues_one_mail_however_often_it_is_clicked(client, card):
    quote = make_quote(card, "submitted", recipients=[ADA])
    url = f"/quote-recipients/{of(quote).pk}/mail/"
    form = {"subject": "Once more", "body": "{{ link }}", "token": token()}
    assert "Your quote" in client.get(url).content.decode()

    answers = [client.post(url, form).status_code for _time in range(2)]

    assert answers == [302, 302]
    assert the_mail().subject == "Once more"


def test_who_may_not_submit_an_agreement_may_not_mail_it_and_who_may_not_see_it_learns_nothing(client, draft):
    submit(draft, words(draft, "Ben Ortiz"))
    url = f"/recipients/{of(draft).pk}/mail/"
    form = {"subject": "x", "body": "{{ link }}", "token": token()}

    client.force_login(UserFactory(role="salesperson"), backend="opportunities.access.RoleBackend")
    assert client.post(url, form).status_code == 403
    assert "Mail it" not in client.get(f"{draft.get_absolute_url()}links/").content.decode()
    business(salespeople_see="own")
    assert client.post(url, form).status_code == 404
    assert len(mails()) == 1


# Statements


def needed(do):
    with CaptureQueriesContext(connection) as found:
        do()
    return sum(not query["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")) for query in found)


def test_a_mail_costs_one_statement_a_recipient(card):
    crowd = [{"name": f"Person {n}", "email": f"p{n}@example.test"} for n in range(12)]
    few, many = quote_for(card, ADA), quote_for(card, *crowd)

    assert needed(lambda: submit(many)) - needed(lambda: submit(few)) == 11


def test_the_sheet_and_the_links_take_as_many_statements_for_many_recipients(client, card):
    crowd = [{**ADA, "name": f"Signer {n}", "email": f"s{n}@example.test"} for n in range(12)]
    few, many = make_agreement(card, recipients=[ADA]), make_agreement(card, recipients=crowd)
    sheet(client, few)
    assert needed(lambda: sheet(client, few)) == needed(lambda: sheet(client, many))

    for document in (few, many):
        submit(document)
    assert needed(lambda: sheet(client, few, "links")) == needed(lambda: sheet(client, many, "links"))


def test_nobody_is_mailed_of_another_agreement(card):
    first, second = make_agreement(card), make_agreement(card)
    submit(first)

    assert document_mail.latest(second) == {}
    assert list(document_mail.latest(first)) == [of(first).pk]
    assert Agreement.objects.count() == 2


@pytest.mark.parametrize("close", [lifecycle.void, lifecycle.cancel])
def test_a_mail_that_waits_never_brings_a_document_of_a_card_that_was_closed_meanwhile(card, close):
    quote = quote_for(card)
    submit(quote)
    reason = void_reason() if close is lifecycle.void else cancel_reason()

    act(close, card, reason_id=reason)

    assert mails(quote=quote) == []


@pytest.mark.parametrize("end", ["void", "withdraw"])
def test_a_mail_that_waits_never_brings_an_agreement_that_has_ended(draft, end):
    submit(draft)
    act(getattr(agreements, end), draft, **({"reason_id": void_reason()} if end == "void" else {}))

    assert mails() == []
