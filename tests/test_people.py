"""Colleagues come, change and go: the verbs and the page "People" (issue 2, point 8)."""

import re
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.urls import reverse

from opportunities import access, cancel_mail, document_mail, people
from opportunities.access import Role
from opportunities.errors import NotAllowed, Refused
from opportunities.models import BusinessSettings, Opportunity, PersonPhone
from tests.documents import deal, fresh, make_quote
from tests.factories import NOW, PASSWORD, UserFactory, make_card, starter_rows
from tests.test_accounts import CONSOLE, mails
from tests.test_races import meet

pytestmark = pytest.mark.django_db

TYPED = {"username": "bea", "first_name": "Bea", "last_name": "Okoro", "email": "bea@example.test"}


@pytest.fixture
def admin():
    starter_rows()
    return UserFactory(role="admin", username="boss", first_name="Ada", last_name="Lowell")


@pytest.fixture
def as_admin(client, admin):
    client.force_login(admin, backend="opportunities.access.RoleBackend")
    return client


def test_an_admin_adds_a_colleague_with_a_group(admin):
    person = people.invite(**TYPED, role=Role.MANAGER, actor=admin, now=NOW)

    assert access.role_of(User.objects.get(pk=person.pk)) is Role.MANAGER
    assert not person.has_usable_password()


@pytest.mark.parametrize("role", ["", "salesperson", "manager"])
def test_nobody_else_adds_colleagues(admin, role):
    with pytest.raises(NotAllowed, match="Only an admin"):
        people.invite(**TYPED, role=Role.ADMIN, actor=UserFactory(role=role), now=NOW)

    assert not User.objects.filter(username="bea").exists()


def test_admins_get_into_the_settings_and_others_do_not(admin):
    person = people.invite(**TYPED, role=Role.ADMIN, actor=admin, now=NOW)
    assert person.is_staff

    people.edit(person_id=person.pk, **TYPED, role=Role.SALESPERSON, actor=admin, now=NOW)

    assert not User.objects.get(pk=person.pk).is_staff


def test_a_colleague_is_in_one_group_at_a_time(admin):
    person = UserFactory(role="manager")

    people.edit(person_id=person.pk, **TYPED, role=Role.SALESPERSON, actor=admin, now=NOW)

    assert list(person.groups.values_list("name", flat=True)) == ["Salesperson"]


def test_groups_of_other_software_are_left_alone(admin):
    person = UserFactory(role="manager")
    person.groups.add(Group.objects.create(name="Drivers"))

    people.edit(person_id=person.pk, **TYPED, role=Role.SALESPERSON, actor=admin, now=NOW)

    assert set(person.groups.values_list("name", flat=True)) == {"Drivers", "Salesperson"}


@pytest.mark.parametrize("taken", ["boss", "BOSS", " boss "])
def test_two_colleagues_cannot_have_the_same_username(admin, taken):
    with pytest.raises(ValidationError, match="Somebody else has this username"):
        people.invite(**{**TYPED, "username": taken}, role=Role.SALESPERSON, actor=admin, now=NOW)


@pytest.mark.parametrize(("field", "value"), [("username", ""), ("username", "a b"), ("email", "bea@")])
def test_what_cannot_be_read_is_refused_at_its_field(admin, field, value):
    with pytest.raises(ValidationError) as refused:
        people.invite(**{**TYPED, field: value}, role=Role.SALESPERSON, actor=admin, now=NOW)

    assert set(refused.value.message_dict) == {field}


def test_the_only_admin_cannot_be_deactivated(admin):
    with pytest.raises(Refused, match="Ada Lowell is the only admin") as refused:
        people.deactivate(person_id=admin.pk, actor=admin, now=NOW)

    assert refused.value.codes == ("LAST_ADMIN",)
    assert User.objects.get(pk=admin.pk).is_active


def test_the_only_admin_cannot_become_a_manager(admin):
    with pytest.raises(Refused, match="only admin"):
        people.edit(person_id=admin.pk, **TYPED, role=Role.MANAGER, actor=admin, now=NOW)

    assert access.role_of(User.objects.get(pk=admin.pk)) is Role.ADMIN


def test_a_deactivated_admin_does_not_count_as_another_one(admin):
    UserFactory(role="admin", is_active=False)

    with pytest.raises(Refused, match="only admin"):
        people.deactivate(person_id=admin.pk, actor=admin, now=NOW)


def test_one_of_two_admins_may_go(admin):
    other = UserFactory(role="admin")

    people.deactivate(person_id=admin.pk, actor=other, now=NOW)

    assert list(people.admins()) == [other]


def test_a_superuser_loses_everything_with_the_group(admin):
    boss = UserFactory(role="", is_superuser=True)

    people.edit(person_id=boss.pk, **TYPED, role=Role.SALESPERSON, actor=admin, now=NOW)

    assert access.role_of(User.objects.get(pk=boss.pk)) is Role.SALESPERSON


def test_who_is_deactivated_is_out_at_once(admin, client):
    person = UserFactory()
    client.force_login(person, backend="opportunities.access.RoleBackend")

    people.deactivate(person_id=person.pk, actor=admin, now=NOW)

    assert client.get("/accounts/profile/").url.startswith("/accounts/login/")


def test_who_is_reactivated_gets_in_as_before(admin, client):
    person = UserFactory(role="manager", is_active=False)

    people.reactivate(person_id=person.pk, actor=admin, now=NOW)

    assert client.login(username=person.username, password=PASSWORD)
    assert access.role_of(User.objects.get(pk=person.pk)) is Role.MANAGER


def test_cards_of_a_deactivated_colleague_stay_theirs_and_are_counted(admin):
    person = UserFactory()
    make_card(salesperson_id=person.pk)
    make_card(salesperson_id=person.pk, title="Put away")
    Opportunity.objects.filter(title="Put away").update(archived_at=NOW)

    people.deactivate(person_id=person.pk, actor=admin, now=NOW)

    assert Opportunity.objects.filter(salesperson=person).count() == 2
    assert people.colleagues().get(pk=person.pk).open_cards == 1


def test_open_cards_can_be_handed_over(admin):
    leaver, taker = UserFactory(), UserFactory()
    for _each in range(3):
        make_card(salesperson_id=leaver.pk)

    act = people.hand_over(person_id=leaver.pk, to_id=taker.pk, actor=admin, now=NOW)

    assert act.changed == 3
    assert people.colleagues().get(pk=taker.pk).open_cards == 3


@pytest.mark.parametrize("cannot", [{"is_active": False}, {"role": ""}])
def test_cards_go_only_to_somebody_who_works_here(admin, cannot):
    leaver = UserFactory()

    with pytest.raises(ValidationError, match="works here"):
        people.hand_over(person_id=leaver.pk, to_id=UserFactory(**cannot).pk, actor=admin, now=NOW)


def test_one_changes_ones_own_name_but_not_ones_group(client):
    person = UserFactory(role="salesperson")
    client.force_login(person, backend="opportunities.access.RoleBackend")
    starter_rows()

    client.post(
        "/accounts/profile/",
        {"first_name": "  Ann  Maria ", "last_name": "K", "email": "a@example.test", "role": "admin", "is_staff": "on"},
    )

    changed = User.objects.get(pk=person.pk)
    assert (changed.first_name, changed.email) == ("Ann Maria", "a@example.test")
    assert access.role_of(changed) is Role.SALESPERSON


# The page


def test_the_page_lists_everybody_with_group_and_open_cards(as_admin):
    ann = UserFactory(first_name="Ann", last_name="Kowalski")
    make_card(salesperson_id=ann.pk)
    UserFactory(first_name="Gone", last_name="", is_active=False)

    page = as_admin.get(reverse("opportunities:people"))

    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))
    assert re.search(r"Ann Kowalski .* Salesperson 1 never Active", words)
    assert re.search(r"Gone .* Deactivated", words)


@pytest.mark.parametrize("count", [1, 20])
def test_the_page_costs_the_same_for_any_number_of_people(as_admin, count, django_assert_num_queries):
    UserFactory.create_batch(count)
    as_admin.get(reverse("opportunities:people"))  # the first request of a day also settles what the night made due

    with django_assert_num_queries(5):  # session, person, business, people, their groups
        as_admin.get(reverse("opportunities:people"))


def test_without_a_mail_server_adding_a_colleague_shows_a_link_that_works(as_admin, client_of_nobody, settings):
    settings.MAILERS = CONSOLE
    page = as_admin.post(reverse("opportunities:person-new"), {**TYPED, "role": "manager"}, follow=True)

    link = re.search(r'id="password-link"[^>]*value="([^"]+)"', page.content.decode())[1]
    form = client_of_nobody.get(urlsplit(link).path, follow=True)
    secret = {"new_password1": "seven tall ships", "new_password2": "seven tall ships"}
    client_of_nobody.post(form.request["PATH_INFO"], secret)

    assert "No mail server is set up here" in page.content.decode()
    assert client_of_nobody.login(username="bea", password="seven tall ships")


@pytest.fixture
def client_of_nobody():
    from django.test import Client

    return Client()


def test_with_a_mail_server_the_link_is_mailed(as_admin):
    as_admin.post(reverse("opportunities:person-new"), {**TYPED, "role": "salesperson"})

    (letter,) = mails()
    assert letter.to == ["bea@example.test"]
    assert "/accounts/reset/" in letter.body


def test_a_name_that_is_taken_is_said_at_the_field_and_what_was_typed_stays(as_admin):
    page = as_admin.post(reverse("opportunities:person-new"), {**TYPED, "username": "Boss", "role": "manager"})

    assert page.status_code == 422
    assert "Somebody else has this username" in page.content.decode()
    assert 'value="bea@example.test"' in page.content.decode()


def test_the_only_admin_is_refused_in_words_on_the_page(as_admin, admin):
    page = as_admin.post(
        reverse("opportunities:person-edit", args=[admin.pk]), {**TYPED, "username": "boss", "role": "manager"}
    )

    assert page.status_code == 409
    assert "is the only admin. Make somebody else an admin first." in page.content.decode()


def test_deactivating_the_only_admin_ends_on_a_page_with_a_way_back(as_admin, admin):
    page = as_admin.post(reverse("opportunities:person-deactivate", args=[admin.pk]))

    assert page.status_code == 409
    assert "is the only admin" in page.content.decode()


def test_deactivating_asks_first_and_says_what_becomes_of_the_cards(as_admin):
    ann = UserFactory(first_name="Ann", last_name="Kowalski")
    make_card(salesperson_id=ann.pk)

    page = as_admin.get(reverse("opportunities:person-deactivate", args=[ann.pk])).content.decode()

    assert "Deactivate Ann Kowalski?" in page
    assert "1 open card stays theirs" in page


def test_somebody_deactivated_gets_no_link(as_admin):
    gone = UserFactory(is_active=False)

    assert as_admin.get(reverse("opportunities:person-link", args=[gone.pk])).status_code == 409


def test_html_in_a_name_is_shown_as_it_was_typed(as_admin):
    UserFactory(first_name="<script>alert(1)</script>", last_name="")

    page = as_admin.get(reverse("opportunities:people")).content.decode()

    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_admins_who_deactivate_each_other_at_once_leave_one():
    starter_rows()
    ada, bob = UserFactory(role="admin"), UserFactory(role="admin")

    def end(leaver: User, actor: User):
        return lambda: people.deactivate(person_id=leaver.pk, actor=actor, now=NOW)

    results = meet([end(bob, ada), end(ada, bob)], hold=lambda: Group.objects.select_for_update().get(name="Admin"))

    assert people.admins().count() == 1
    assert sorted(type(result).__name__ for result in results) == ["Refused", "User"]


class TestPhone:
    """A colleague's phone: their own page and the admin's change it, and mails name it."""

    def test_people_keep_their_own_phone_and_it_stands_in_mails_to_customers(self, client, admin):
        ann = UserFactory(role="salesperson")
        client.force_login(ann, backend="opportunities.access.RoleBackend")
        own = {"first_name": "Ann", "last_name": "Lee", "email": "", "phone": " +1  555 0142 "}

        assert client.post("/accounts/profile/", own).status_code == 302

        assert 'value="+1 555 0142"' in client.get("/accounts/profile/").content.decode()
        card = deal(actor=ann, salesperson_id=ann.pk)
        parties = list(card.parties.select_related("customer"))
        said = cancel_mail.values_of(card, parties, business=BusinessSettings.current())
        assert said["salesperson_phone"] == "+1 555 0142"
        quote = make_quote(card)
        said = document_mail.values_of(fresh(quote), business=BusinessSettings.current())
        assert said["salesperson_phone"] == "+1 555 0142"

        client.post("/accounts/profile/", {**own, "phone": ""})
        assert not PersonPhone.objects.exists()

    def test_an_admin_gives_and_changes_a_colleagues_phone_and_a_long_one_is_refused(self, as_admin, admin):
        person = people.invite(**TYPED, phone="555 0100", role=Role.SALESPERSON, actor=admin, now=NOW)
        client, address = as_admin, f"/people/{person.pk}/"
        assert 'value="555 0100"' in client.get(address).content.decode()
        typed = {**TYPED, "role": "salesperson"}

        assert client.post(address, {**typed, "phone": "5" * 41}).status_code == 422
        client.post(address, {**typed, "phone": "555 0199"})
        assert PersonPhone.of(person.pk) == "555 0199"

        people.edit(person_id=person.pk, first_name="Bo", actor=admin, now=NOW)
        assert PersonPhone.of(person.pk) == "555 0199"
        with pytest.raises(ValidationError):
            people.edit_own(first_name="", last_name="", email="", phone="5" * 41, actor=person, now=NOW)
