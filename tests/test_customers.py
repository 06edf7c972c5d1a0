"""Customers and contacts: their pages, and what they may show of cards."""

import html
import re
from decimal import Decimal

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from opportunities import customers, lifecycle
from opportunities.models import BusinessSettings, Contact, Customer, Opportunity
from tests.factories import NOW, ContactFactory, CustomerFactory, UserFactory, make_card, starter_rows

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def business():
    """A business that is set up and swept, on the day of the scenarios."""
    with time_machine.travel(NOW, tick=False):
        starter_rows()
        BusinessSettings.objects.filter(pk=1).update(swept_until=NOW.date())
        yield


@pytest.fixture
def ann():
    return UserFactory(role="salesperson")


@pytest.fixture
def client(ann) -> Client:
    client = Client()
    client.force_login(ann)
    return client


def url(name: str, *args, **query) -> str:
    return reverse(f"opportunities:{name}", args=args, query=query or None)


def fields_of(client: Client, address: str) -> dict[str, str]:
    """What a page's form would send if nothing was typed."""
    return fields_in(client.get(address))


def fields_in(page) -> dict[str, str]:
    """What the form of a page would send, with what it says that it showed."""
    sent = {}
    for field in page.context["form"]:
        sent[field.html_name] = "on" if field.value() is True else field.value() or ""
        written = re.search(rf'name="{field.html_initial_name}" value="([^"]*)"', page.text)
        sent[field.html_initial_name] = html.unescape(written[1]) if written else ""
    return {name: value for name, value in sent.items() if (name, value) != ("active", "")}


def text_of(client: Client, address: str) -> str:
    return client.get(address).content.decode()


class TestTheList:
    @pytest.mark.parametrize("words", ["café", "CAFE", "noir", "hello@noir", "555-0199", "lowell"])
    def test_a_customer_is_found_by_name_mail_phone_and_contact(self, client, words):
        customer = CustomerFactory(name="Café Noir", email="hello@noir.example", phone="555-0199")
        ContactFactory(customer=customer, name="Dr. Lowell")
        CustomerFactory(name="Somebody Else")

        text = text_of(client, url("customers", q=words))

        assert "Café Noir" in text
        assert "Somebody Else" not in text

    def test_nobody_found_says_so_and_leads_back(self, client):
        text = text_of(client, url("customers", q="<nobody>"))

        assert "Nobody is found for “&lt;nobody&gt;”" in text
        assert "Show all customers" in text

    def test_without_customers_the_page_says_where_they_come_from(self, client):
        assert "No customers yet" in text_of(client, url("customers"))

    def test_long_lists_come_in_pages(self, client):
        for _each in range(51):
            CustomerFactory()

        assert "1 to 50 of 51" in text_of(client, url("customers"))
        assert "51 to 51 of 51" in text_of(client, url("customers", page=2))

    @pytest.mark.parametrize("page", ["0", "-1", "99", "many"])
    def test_a_page_that_is_none_shows_one_that_is(self, client, page):
        CustomerFactory(name="Harbor")

        assert "Harbor" in text_of(client, url("customers", page=page))

    def test_open_cards_are_counted_as_far_as_one_may_see_them(self, client, ann):
        BusinessSettings.objects.update(salespeople_see=BusinessSettings.SalespeopleSee.OWN)
        customer = CustomerFactory()
        contacts = [ContactFactory(customer=customer).pk for _each in range(2)]
        make_card(actor=ann, contact_ids=contacts)
        make_card(customer_ids=[customer.pk], salesperson_id=UserFactory().pk)
        archived = make_card(actor=ann, customer_ids=[customer.pk])
        lifecycle.archive(opportunity_id=archived.pk, actor=ann, now=NOW)

        row = client.get(url("customers")).context["page"][0]

        assert (row.open_cards, row.active_contacts) == (1, 2)

    @pytest.mark.parametrize("count", [1, 40])
    def test_the_list_asks_the_database_a_fixed_number_of_times(self, client, count, django_assert_num_queries):
        for _each in range(count):
            make_card(contact_ids=[ContactFactory().pk])

        with django_assert_num_queries(5):
            client.get(url("customers"))


class TestACustomer:
    def test_the_page_shows_facts_contacts_and_cards(self, client):
        contact = ContactFactory(name="Dr. Lowell", phone="555 0199", email="a&b@c.example")
        card = make_card(title="Ventilation", contact_ids=[contact.pk], amount=Decimal(38600))

        text = text_of(client, url("customer", contact.customer_id))

        assert all(words in text for words in ("Dr. Lowell", "tel:5550199", "mailto:a%26b@c.example", "$38,600"))
        assert card.get_absolute_url() in text

    def test_a_card_appears_once_however_many_contacts_it_has(self, client):
        customer = CustomerFactory()
        make_card(contact_ids=[ContactFactory(customer=customer).pk for _each in range(3)])

        assert len(client.get(url("customer", customer.pk)).context["cards"]) == 1

    def test_cards_that_one_may_not_see_are_not_there(self, client):
        BusinessSettings.objects.update(salespeople_see=BusinessSettings.SalespeopleSee.OWN)
        contact = ContactFactory()
        make_card(title="Hidden deal", contact_ids=[contact.pk], salesperson_id=UserFactory().pk)

        texts = [text_of(client, url("customer", contact.customer_id)), text_of(client, url("contact", contact.pk))]

        assert all("Hidden deal" not in text and "None that you may see." in text for text in texts)

    def test_one_is_made(self, client, ann):
        response = client.post(url("customer-new"), {"name": " Harbor  View ", "kind": "firm", "phone": "1"})

        made = Customer.objects.get()
        assert response.headers["Location"] == url("customer", made.pk)
        assert (made.name, made.created_by) == ("Harbor View", ann)

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("name", "", "Give a name."),
            ("name", "x" * 10_000, "at most 120 characters"),
            ("email", "nobody", "Enter a valid email address."),
            ("kind", "god", "Select a valid choice"),
        ],
    )
    def test_bad_input_ends_in_words(self, client, field, value, words):
        response = client.post(url("customer-new"), {"name": "Harbor", "kind": "firm", field: value})

        assert response.status_code == 422
        assert words in response.content.decode()
        assert not Customer.objects.exists()

    def test_a_new_name_shows_on_the_cards(self, client):
        customer = CustomerFactory(name="Old")
        make_card(customer_ids=[customer.pk])

        client.post(url("customer-edit", customer.pk), {"name": "New", "kind": "firm"})

        assert Opportunity.objects.get().face["customers"] == ["New"]

    def test_a_refused_change_leaves_the_heading_as_it_was(self, client):
        customer = CustomerFactory(name="Old")

        response = client.post(url("customer-edit", customer.pk), {"name": "", "kind": "firm"})

        assert response.status_code == 422
        assert "Edit Old" in response.content.decode()

    def test_who_saves_second_overwrites_nothing_and_is_told(self, client, ann):
        customer = CustomerFactory(name="Dupont", phone="1", notes="a\nb")
        shown = fields_of(client, url("customer-edit", customer.pk))
        customers.edit(customer_id=customer.pk, phone="2", email="d@dupont.example", actor=ann, now=NOW)

        refused = client.post(url("customer-edit", customer.pk), {**shown, "phone": "3", "address": "Here"})

        assert refused.status_code == 409
        assert "Phone is now: 2. You typed: 3." in html.unescape(refused.text)
        assert "shown here as it is now: E-mail" in html.unescape(refused.text)
        assert (Customer.objects.get().phone, Customer.objects.get().address) == ("2", "")

        again = fields_in(refused)
        assert (again["phone"], again["address"], again["email"]) == ("3", "Here", "d@dupont.example")
        assert client.post(url("customer-edit", customer.pk), again).status_code == 302
        saved = Customer.objects.get()
        assert (saved.phone, saved.address, saved.email, saved.notes) == ("3", "Here", "d@dupont.example", "a\nb")

    def test_what_somebody_else_changed_meanwhile_stays_where_it_does_not_clash(self, client, ann):
        customer = CustomerFactory(name="Dupont", phone="1")
        shown = fields_of(client, url("customer-edit", customer.pk))
        customers.edit(customer_id=customer.pk, phone="2", actor=ann, now=NOW)

        assert client.post(url("customer-edit", customer.pk), {**shown, "name": "Dupond"}).status_code == 302
        assert (Customer.objects.get().name, Customer.objects.get().phone) == ("Dupond", "2")

    def test_one_that_is_not_there_is_not_found(self, client):
        assert client.get(url("customer", 999)).status_code == 404
        assert client.post(url("customer-edit", 999), {"name": "x"}).status_code == 404

    @pytest.mark.parametrize("count", [1, 20])
    def test_the_page_asks_the_database_a_fixed_number_of_times(self, client, count, django_assert_num_queries):
        customer = CustomerFactory()
        for _each in range(count):
            make_card(contact_ids=[ContactFactory(customer=customer).pk])

        with django_assert_num_queries(9):
            client.get(url("customer", customer.pk))


class TestAContact:
    def test_one_is_added(self, client):
        customer = CustomerFactory()

        client.post(url("contact-new", customer.pk), {"name": "Dr. Lowell", "email": "a@b.example"})

        assert (Contact.objects.get().customer, Contact.objects.get().active) == (customer, True)

    def test_one_that_is_added_from_a_card_joins_it(self, client, ann):
        present = ContactFactory()
        card = make_card(actor=ann, contact_ids=[present.pk])

        client.post(url("contact-new", present.customer_id, opportunity=card.pk), {"name": "Dr. Lowell"})

        assert sorted(Opportunity.objects.get().face["contacts"]) == sorted([present.name, "Dr. Lowell"])

    def test_one_cannot_be_added_to_a_card_that_one_may_not_see(self, client):
        BusinessSettings.objects.update(salespeople_see=BusinessSettings.SalespeopleSee.OWN)
        customer = CustomerFactory()
        card = make_card(customer_ids=[customer.pk], salesperson_id=UserFactory().pk)

        response = client.post(url("contact-new", customer.pk, opportunity=card.pk), {"name": "Dr. Lowell"})

        assert response.status_code == 404
        assert not Contact.objects.exists()

    def test_one_is_changed(self, client):
        contact = ContactFactory()

        client.post(url("contact-edit", contact.pk), {"name": "Dr. Lowell", "role": "Owner", "active": "on"})

        contact.refresh_from_db()
        assert (contact.name, contact.role, contact.active) == ("Dr. Lowell", "Owner", True)

    def test_who_saves_second_overwrites_nothing_and_is_told(self, client, ann):
        contact = ContactFactory(name="Lowell", role="Buyer")
        shown = fields_of(client, url("contact-edit", contact.pk))
        customers.edit_contact(contact_id=contact.pk, role="Owner", active=False, actor=ann, now=NOW)

        refused = client.post(url("contact-edit", contact.pk), {**shown, "role": "Chief"})

        assert refused.status_code == 409
        assert "Role is now: Owner. You typed: Chief." in html.unescape(refused.text)
        assert Contact.objects.get().role == "Owner"
        assert client.post(url("contact-edit", contact.pk), fields_in(refused)).status_code == 302
        assert (Contact.objects.get().role, Contact.objects.get().active) == ("Chief", False)

    def test_who_is_no_longer_active_is_not_offered_but_stays_on_the_card(self, client, ann):
        gone, other = ContactFactory(), ContactFactory()
        card = make_card(actor=ann, contact_ids=[gone.pk])
        client.post(url("contact-active", gone.pk), {"active": "0"})
        client.post(url("contact-active", other.pk), {"active": "0"})

        form = client.get(url("edit", card.pk)).context["form"]
        fresh = client.get(url("new", customer=other.customer_id)).context["form"]

        assert [each.chosen for party in form.party_choices() for each in party.contacts] == [True]
        assert [party.contacts for party in fresh.party_choices()] == [()]

    def test_one_is_offered_again(self, client):
        contact = ContactFactory(active=False)

        client.post(url("contact-active", contact.pk), {"active": "1"})

        contact.refresh_from_db()
        assert contact.active

    def test_the_page_asks_the_database_a_fixed_number_of_times(self, client, django_assert_num_queries):
        contact = ContactFactory()
        make_card(contact_ids=[contact.pk])

        with django_assert_num_queries(5):
            client.get(url("contact", contact.pk))


class TestNames:
    def test_a_label_leads_back_to_its_customer(self):
        twins = [CustomerFactory(name="Smith"), CustomerFactory(name="smith")]
        single = CustomerFactory(name="Smithers")

        labels = customers.labels([*twins, single])

        assert [customers.by_label(label) for label in labels] == [*twins, single]

    def test_a_number_of_somebody_else_is_just_part_of_a_name(self, ann):
        other = CustomerFactory(name="Other")

        made = customers.named(f"Smith #{other.pk}", actor=ann, now=NOW)

        assert made.name == f"Smith #{other.pk}"

    def test_nothing_typed_suggests_nothing(self, client):
        CustomerFactory()

        assert "<option" not in text_of(client, url("customer-suggest"))
