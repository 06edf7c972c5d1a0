"""What nobody's browser would send by itself, and what a stale page does: words, not a broken page, and no leak."""

import json
import uuid

import pytest
import time_machine
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from boards import building
from boards.models import Column
from opportunities import access, people, pipeline
from opportunities.access import Role
from opportunities.errors import Refused
from opportunities.models import BusinessSettings, Customer, Opportunity, OpportunityStage
from tests.factories import (
    NOW,
    BoardFactory,
    ContactFactory,
    CustomerFactory,
    StageFactory,
    UserFactory,
    make_card,
    starter_rows,
)

pytestmark = pytest.mark.django_db
HTMX = {"hx-request": "true"}


@pytest.fixture(autouse=True)
def statuses():
    """A business that is set up and swept, on the day of the scenarios."""
    with time_machine.travel(NOW, tick=False):
        rows = starter_rows()
        BusinessSettings.objects.filter(pk=1).update(swept_until=NOW.date())
        yield rows


@pytest.fixture
def ann():
    return UserFactory(role="salesperson")


@pytest.fixture
def admin():
    return UserFactory(role="admin")


def signed_in(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


class TestForms:
    @pytest.mark.parametrize("shown", ["[]", "{", "null", "[" * 100_000, json.dumps({"title": None})])
    def test_a_form_that_lies_about_what_it_showed_is_answered_in_words(self, ann, shown):
        card = make_card(actor=ann)
        pipeline.edit(opportunity_id=card.pk, title="Theirs", actor=None, now=NOW)
        sent = {"title": "Mine", "salesperson": ann.pk, "version": card.version, "shown": shown}

        response = signed_in(ann).post(reverse("opportunities:edit", args=[card.pk]), sent)

        assert response.status_code == 409
        assert Opportunity.objects.get().title == "Theirs"

    @pytest.mark.parametrize("name", ["", "ann"])
    def test_an_address_of_the_page_that_nobody_can_read_is_none(self, ann, name):
        card = make_card(actor=ann)
        client = signed_in(ann) if name else Client()
        told = {**HTMX, "hx-current-url": "http://[", "hx-target": "article#opportunity"}

        answers = [client.post(reverse("opportunities:archive", args=[card.pk]), headers=told)]
        answers.append(client.get(card.get_absolute_url(), headers=told))

        assert [answer.status_code for answer in answers] == [200, 200]

    def test_a_limit_that_only_looks_like_a_number_is_refused(self, admin):
        board = BoardFactory(stages=[StageFactory()])
        column = board.columns.get()
        row = {"row": "a", "id-a": column.pk, "name-a": "First", "wip_min-a": "²", "wip_max-a": "3"}

        response = signed_in(admin).post(
            reverse("boards:columns", args=[board.pk]), {**row, "fingerprint": building.fingerprint_of(board)}
        )

        assert response.status_code == 422

    def test_notes_about_a_customer_have_an_end(self, ann):
        sent = {"name": "Acme", "kind": "firm", "notes": "x" * 20_001}

        response = signed_in(ann).post(reverse("opportunities:customer-new"), sent)

        assert response.status_code == 422
        assert not Customer.objects.exists()

    def test_what_the_database_refuses_is_said_in_words(self, ann, monkeypatch):
        card = make_card(actor=ann)

        def deleted_meanwhile(**_given):
            raise IntegrityError("insert or update on table violates foreign key constraint")

        monkeypatch.setattr(pipeline, "set_status", deleted_meanwhile)
        won = card.status.__class__.objects.get(name="Won")

        response = signed_in(ann).post(reverse("opportunities:status", args=[card.pk]), {"status": won.pk})

        assert response.status_code == 409
        assert "Nothing was saved" in response.content.decode()


class TestBoards:
    def test_more_stages_than_a_database_joins_in_one_statement_are_shown(self, admin):
        board = BoardFactory(stages=[StageFactory()])
        OpportunityStage.objects.bulk_create(
            OpportunityStage(name=f"Old {n}", name_key=f"old {n}", sequence=n) for n in range(600)
        )
        last = OpportunityStage.objects.order_by("-pk")[0]
        make_card(stage_id=last.pk, title="In the last of them")

        page = signed_in(admin).get(reverse("boards:board", args=[board.pk])).content.decode()

        assert "In the last of them" in page

    @pytest.mark.parametrize("sort", ["amount", "rank", "forecast_date"])
    def test_pages_do_not_tell_where_a_card_stands_that_one_may_not_see(self, ann, sort):
        stage = StageFactory()
        board = BoardFactory(stages=[stage], sort=sort)
        cards = [make_card(actor=who, stage_id=stage.pk, amount=n) for n, who in enumerate((ann, None, ann), start=1)]
        BusinessSettings.objects.update(salespeople_see="own")
        address = reverse("boards:column_cards", args=[board.pk, board.columns.get().pk])

        page = signed_in(ann).get(address, {"after": cards[1].pk}, headers=HTMX).content.decode()

        assert [f"OPP-{card.pk}" in page for card in cards] == [True, False, True]

    def test_no_card_is_added_to_a_column_that_takes_none(self, ann):
        board = BoardFactory(stages=[StageFactory(active=False)])
        empty = Column.objects.create(board=board, name="Empty", sequence=9)

        for column in (board.columns.exclude(pk=empty.pk).get(), empty):
            response = signed_in(ann).post(reverse("boards:add", args=[board.pk, column.pk]), {"title": "Boiler"})
            assert response.status_code == 422
            assert "no card can be put here" in response.content.decode()

        assert not Opportunity.objects.exists()

    def test_a_full_column_takes_no_added_card_where_its_limit_binds(self, ann):
        stage = StageFactory()
        board = BoardFactory(stages=[stage], wip_binding=True)
        Column.objects.update(wip_max=1)
        token = str(uuid.uuid4())
        address = reverse("boards:add", args=[board.pk, board.columns.get().pk])

        first, again = (signed_in(ann).post(address, {"title": "Boiler", "token": token}) for _time in range(2))
        second = signed_in(ann).post(address, {"title": "Pump"})

        assert (first.status_code, again.status_code, second.status_code) == (302, 302, 422)
        assert "is full" in second.content.decode()
        assert Opportunity.objects.get().title == "Boiler"

    def test_the_undo_of_an_outcome_that_changed_nothing_takes_nothing_else_back(self, ann, statuses):
        stage = StageFactory()
        board = BoardFactory(stages=[stage])
        card = make_card(actor=ann, stage_id=stage.pk)
        pipeline.set_status(opportunity_id=card.pk, status_id=statuses["Won"].pk, actor=ann, now=NOW)
        pipeline.edit(opportunity_id=card.pk, title="Later", actor=ann, now=NOW)

        response = signed_in(ann).post(
            reverse("boards:outcome", args=[board.pk, card.pk]),
            {"zone": "won", "status": statuses["Won"].pk},
            headers=HTMX,
        )

        assert response.status_code == 200
        assert "/undo/" not in response.content.decode()


class TestCards:
    def test_nobody_makes_a_card_that_they_could_not_see(self, ann):
        BusinessSettings.objects.update(salespeople_see="own")
        address = reverse("opportunities:new")
        sent = {"title": "Ghost", "salesperson": "", "token": str(uuid.uuid4())}

        offered = dict(signed_in(ann).get(address).context["form"].fields["salesperson"].choices)
        response = signed_in(ann).post(address, sent, follow=True)

        assert set(offered) == {str(ann.pk)}
        assert response.status_code in (200, 422)
        assert all(card.salesperson_id == ann.pk for card in Opportunity.objects.all())

    def test_an_undo_that_would_bring_a_deleted_customer_back_says_so(self, ann):
        customer = CustomerFactory()
        card = make_card(actor=ann, customer_ids=[customer.pk])
        edited = pipeline.edit(opportunity_id=card.pk, customer_ids=[], actor=ann, now=NOW)
        customer.delete()

        with pytest.raises(Refused) as refused:
            pipeline.undo(event_id=edited.last_event_id, actor=ann, now=NOW)

        assert refused.value.codes == ("NEWER_CHANGE",)

    def test_a_contact_is_put_beside_whoever_came_meanwhile(self, ann):
        customer = CustomerFactory()
        card = make_card(actor=ann, customer_ids=[customer.pk])
        people_there = [ContactFactory(customer=customer) for _each in range(2)]

        for contact in (*people_there, people_there[0]):
            pipeline.put_contact_on(opportunity_id=card.pk, contact_id=contact.pk, actor=ann, now=NOW)

        assert sorted(Opportunity.objects.get().face["contacts"]) == sorted(each.name for each in people_there)


class TestPeople:
    def held(self, client, person):
        page = client.get(reverse("opportunities:person-edit", args=[person.pk]))
        form = page.context["form"]
        values = {name: form[name].value() or "" for name in form.fields}
        return values | {form[name].html_initial_name: value for name, value in values.items()}

    def test_an_old_page_does_not_give_a_right_back_that_was_taken(self, admin):
        client, bob = signed_in(admin), UserFactory(role="admin", first_name="Bob")
        old_page = self.held(client, bob)
        people.edit(person_id=bob.pk, role=Role.SALESPERSON, actor=admin, now=NOW)

        client.post(reverse("opportunities:person-edit", args=[bob.pk]), {**old_page, "email": "new@example.test"})

        bob = type(bob).objects.get(pk=bob.pk)
        assert (access.role_of(bob), bob.email, bob.first_name) == (Role.SALESPERSON, "new@example.test", "Bob")

    def test_two_admins_who_change_different_things_both_succeed(self, admin):
        client, bob = signed_in(admin), UserFactory(first_name="Bob")
        pages = [self.held(client, bob) | change for change in ({"first_name": "Robert"}, {"role": "manager"})]

        for page in pages:
            client.post(reverse("opportunities:person-edit", args=[bob.pk]), page)

        bob = type(bob).objects.get(pk=bob.pk)
        assert (access.role_of(bob), bob.first_name) == (Role.MANAGER, "Robert")
