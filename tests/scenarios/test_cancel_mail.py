"""Scenarios F of the specification: the mail that tells customers of a cancellation (section 7, D35-D37)."""

import pytest
from django.core.exceptions import ValidationError

from opportunities import lifecycle, mail, outbox
from opportunities.models import BusinessSettings, EmailTemplate, Event, OpportunityCustomer, OutgoingEmail
from tests.documents import act, cancel_reason, deal, fresh, make_agreement, refused, statuses, void_reason
from tests.factories import NOW, ContactFactory, CustomerFactory, UserFactory, make_card

pytestmark = pytest.mark.django_db


def customer(name="Lowell Dental", email="office@lowell.test"):
    return CustomerFactory(name=name, email=email)


def canceled(card, mail=None, **given):
    return act(lifecycle.cancel, card, reason_id=cancel_reason(), mail=mail, **given)


def only_mail() -> OutgoingEmail:
    return OutgoingEmail.objects.get()


def test_a_cancellation_without_the_box_sends_nothing_ac163():
    card = deal(customer_ids=[customer().pk])

    canceled(card)

    assert statuses(card) == ("canceled", "lost")
    assert not OutgoingEmail.objects.exists()


def test_customers_salesperson_and_typed_addresses_get_one_mail_ac164():
    ann = UserFactory(role="salesperson", first_name="Ann", last_name="Lee", email="ann@harbor.test")
    one, two = customer(), customer("Pier Cafe", "pier@cafe.test")
    card = deal(actor=ann, customer_ids=[one.pk, two.pk])

    canceled(card, {"extra": "bob@x.test, eve@x.test"}, actor=ann)

    sent = only_mail()
    assert sent.to == ["office@lowell.test", "pier@cafe.test"]
    assert sent.cc == ["ann@harbor.test", "bob@x.test", "eve@x.test"]
    assert sent.reply_to == "ann@harbor.test"
    assert (sent.state, sent.opportunity, sent.created_by) == ("queued", card, ann)
    assert "Lowell Dental, Pier Cafe" in sent.body
    told = Event.objects.get(opportunity=card, kind="canceled").changes["mail"][1]
    assert told == "office@lowell.test, pier@cafe.test, ann@harbor.test, bob@x.test, eve@x.test"


def test_contacts_named_on_the_card_are_written_to_instead_of_the_firm():
    firm, other = customer(), customer("Pier Cafe", "pier@cafe.test")
    card = deal(customer_ids=[firm.pk, other.pk])
    named = ContactFactory(customer=firm, name="Dr. Lowell", email="dr@lowell.test")
    silent = ContactFactory(customer=other, name="No address", email="")
    OpportunityCustomer.objects.create(opportunity=card, customer=firm, contact=named)
    OpportunityCustomer.objects.create(opportunity=card, customer=other, contact=silent)

    canceled(card, {})

    assert only_mail().to == ["dr@lowell.test", "pier@cafe.test"]


def test_an_address_is_written_to_once_and_to_goes_before_cc():
    ann = UserFactory(role="salesperson", email="Ann@Harbor.test")
    card = deal(actor=ann, customer_ids=[customer().pk])

    canceled(card, {"extra": "OFFICE@lowell.test; ann@harbor.test\nnew@x.test,new@X.test"})

    assert (only_mail().to, only_mail().cc) == (["office@lowell.test"], ["Ann@Harbor.test", "new@x.test"])


@pytest.mark.parametrize(
    "typed", ["not-an-email", "a@x.test\r\nBcc: eve@x.test", "a@x.test%0abcc:b@x.test", "<a@x.test>"]
)
def test_a_bad_address_refuses_the_whole_cancellation_ac166(typed):
    card = deal(customer_ids=[customer().pk])

    with pytest.raises(ValidationError) as refusal:
        canceled(card, {"extra": typed})

    assert list(refusal.value.message_dict) == ["extra"]
    assert statuses(card) == ("prospect", "none")
    assert not OutgoingEmail.objects.exists()


def test_too_many_addresses_or_nobody_at_all_is_refused():
    card = deal(customer_ids=[customer().pk])

    with pytest.raises(ValidationError, match="20"):
        canceled(card, {"extra": ",".join(f"a{n}@x.test" for n in range(21))})
    with pytest.raises(ValidationError) as refusal:
        canceled(card, {"to": [], "cc": []})
    assert list(refusal.value.message_dict) == ["to"]


def test_a_customer_without_an_address_needs_a_typed_one_ac167():
    card, other = deal(customer_ids=[customer(email="").pk]), deal(customer_ids=[customer(email="").pk])

    canceled(card)
    canceled(other, {"extra": "home@lowell.test"})

    assert statuses(card) == ("canceled", "lost")
    assert (only_mail().opportunity, only_mail().to, only_mail().cc) == (other, [], ["home@lowell.test"])


def test_the_template_of_the_product_outlives_every_attempt_to_remove_it_ac169():
    template = mail.template(mail.CANCELED)

    with pytest.raises(TypeError):
        template.delete()
    with pytest.raises(TypeError):
        EmailTemplate.objects.all().delete()
    with pytest.raises(TypeError):
        EmailTemplate.objects.filter(pk=template.pk).update(is_system=False)
    with pytest.raises(TypeError):
        EmailTemplate.objects.filter(pk=template.pk).update(key="other")
    template.key = "other"
    with pytest.raises(TypeError):
        template.save()
    assert fresh(template).key == mail.CANCELED


def test_a_template_that_is_missing_all_the_same_is_made_again():
    made = mail.template(mail.CANCELED)
    EmailTemplate.objects.filter(pk=made.pk)._raw_delete(using="default")

    assert mail.template(mail.CANCELED).body == mail.default(mail.CANCELED)[1]


@pytest.mark.parametrize(("subject", "body"), [("", "Text"), ("Subject", " \n")])
def test_a_blank_template_or_mail_is_refused_ac170(subject, body):
    with pytest.raises(ValidationError):
        mail.check(subject, body, mail.CANCELED)
    card = deal(customer_ids=[customer().pk])
    with pytest.raises(ValidationError):
        canceled(card, {"subject": subject, "body": body})
    assert statuses(card) == ("prospect", "none")


def test_a_broken_template_that_slips_through_fails_the_mail_and_not_the_cancellation_ac172():
    mail.template(mail.CANCELED)
    EmailTemplate.objects.filter(key=mail.CANCELED).update(body="Dear {{ custmer_name }}")
    card = deal(customer_ids=[customer().pk])

    canceled(card, {})

    sent = only_mail()
    assert statuses(card) == ("canceled", "lost")
    assert sent.state == "failed"
    assert "custmer_name" in sent.error
    assert "{{" not in sent.subject + sent.body + sent.html
    with refused("NO_WORDS"):
        outbox.send_again(mail_id=sent.pk, sure=True, actor=None, now=NOW)


def test_markup_in_a_customers_name_is_escaped_in_the_html_part_only_ac173():
    card = deal(customer_ids=[customer("<b>Bob & Co</b>\nBcc: x").pk])

    canceled(card, {"subject": "To {{ customer_name }}", "body": "Dear {{ customer_name }}"})

    sent = only_mail()
    assert "&lt;b&gt;Bob &amp; Co&lt;/b&gt;" in sent.html
    assert "<b>Bob & Co</b>" in sent.body
    assert "\n" not in sent.subject


def test_a_refused_cancellation_leaves_no_mail_ac175():
    card = deal(customer_ids=[customer().pk])
    make_agreement(card, "submitted")

    with refused("AGREEMENT_SUBMITTED"):
        canceled(card, {})

    assert not OutgoingEmail.objects.exists()
    assert EmailTemplate.objects.count() <= 3


def test_voiding_knows_no_mail_ac176():
    card = deal(customer_ids=[customer().pk])

    with pytest.raises(TypeError):
        act(lifecycle.void, card, reason_id=void_reason(), mail={})
    act(lifecycle.void, card, reason_id=void_reason())

    assert not OutgoingEmail.objects.exists()


def test_a_card_without_customers_or_salesperson_can_be_told_to_somebody_typed():
    card = make_card(customer_ids=[])
    BusinessSettings.objects.filter(pk=1).update(email="desk@harbor.test")

    canceled(card, {"extra": "boss@x.test"})

    assert (only_mail().cc, only_mail().reply_to) == (["boss@x.test"], "desk@harbor.test")
