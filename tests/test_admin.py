"""The admin: every page opens, every act goes through a verb, and its effect is told before it happens."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from boards.models import Board, ColumnStage
from opportunities import bulk, customers, mail, pipeline
from opportunities.admin import site
from opportunities.models import (
    Agreement,
    BulkAct,
    BusinessSettings,
    Contact,
    Customer,
    EmailTemplate,
    Event,
    Job,
    JobSlot,
    Opportunity,
    OpportunityStage,
    OpportunityStatus,
    OpportunityType,
    Quote,
    Reason,
    TaxRate,
)
from tests.documents import PIPES, deal, make_agreement, make_job, make_quote, pay, pay_back
from tests.factories import (
    NOW,
    BoardFactory,
    ContactFactory,
    CustomerFactory,
    ReasonFactory,
    StageFactory,
    TypeFactory,
    UserFactory,
    make_card,
    starter_rows,
)

pytestmark = pytest.mark.django_db

BACKEND = "opportunities.access.RoleBackend"
READ_ONLY = (Event, BulkAct, JobSlot, Quote, Job, Agreement)
MENDED_ONLY = (Opportunity, Customer, Contact, BusinessSettings, EmailTemplate)
MODELS = sorted(site._registry, key=lambda model: model.__name__)


@pytest.fixture
def rows():
    return starter_rows()


@pytest.fixture
def admin(rows):
    return UserFactory(role="admin", username="boss")


@pytest.fixture
def page(client, admin):
    client.force_login(admin, backend=BACKEND)
    return client


@pytest.fixture
def example(rows, admin):
    """A row of every table."""
    stage = StageFactory()
    customer = CustomerFactory()
    contact = ContactFactory(customer=customer)
    kind = TypeFactory()
    card = make_card(customer_ids=[customer.pk], contact_ids=[contact.pk], stage_id=stage.pk, type_id=kind.pk)
    return {
        OpportunityStage: stage,
        OpportunityStatus: rows["Default"],
        OpportunityType: kind,
        Reason: ReasonFactory(),
        BusinessSettings: BusinessSettings.objects.get(),
        Board: BoardFactory(stages=[stage]),
        Customer: customer,
        Contact: contact,
        Opportunity: card,
        Quote: make_quote(card, "submitted"),
        Job: make_job(card, attached=False),
        Agreement: make_agreement(card),
        TaxRate: TaxRate.objects.create(name="Sales tax", percent=Decimal("5.5")),
        EmailTemplate: mail.template(mail.CANCELED),
        Event: Event.objects.latest("pk"),
        BulkAct: BulkAct.objects.create(verb="archive", actor=admin, created_at=NOW),
        JobSlot: JobSlot.objects.create(name="sweep", next_run_at=NOW),
    }


def url(model, view, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}", args=args)


def words(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def sent(page, model, row, **changed):
    """Send the change form as a browser would: everything as it stands, with these fields changed."""
    form = page.get(url(model, "change", row.pk)).context["adminform"].form
    data = {}
    for field in form:
        value = field.value()
        if value is None or value is False:
            continue
        data[field.html_name] = "on" if value is True else str(getattr(value, "pk", value))
    for name, value in changed.items():
        if value is False:
            data.pop(name, None)
        else:
            data[name] = "on" if value is True else value
    return data


def change(page, model, row, **changed):
    return page.post(url(model, "change", row.pk), sent(page, model, row, **changed))


def confirm(page, model, row, **changed):
    """Change a row and confirm the effect that was told."""
    told = change(page, model, row, **changed)
    assert told.status_code == 200
    seen = told.context["effects_seen"]
    return page.post(url(model, "change", row.pk), sent(page, model, row, **changed) | {"_effects_seen": seen})


class TestEveryPage:
    @pytest.mark.parametrize("model", MODELS)
    def test_the_list_opens(self, page, example, model):
        response = page.get(url(model, "changelist"))

        assert response.status_code == (302 if model is BusinessSettings else 200)

    @pytest.mark.parametrize("model", MODELS)
    def test_the_list_can_be_searched(self, page, example, model):
        assert page.get(url(model, "changelist"), {"q": "a 1"}).status_code in {200, 302}

    @pytest.mark.parametrize("model", MODELS)
    def test_the_page_to_add_a_row(self, page, example, model):
        expected = 403 if model in READ_ONLY + MENDED_ONLY else 200

        assert page.get(url(model, "add")).status_code == expected

    @pytest.mark.parametrize("model", MODELS)
    def test_the_page_of_a_row_opens(self, page, example, model):
        assert page.get(url(model, "change", example[model].pk)).status_code == 200

    @pytest.mark.parametrize("model", MODELS)
    def test_the_page_to_delete_a_row(self, page, example, model):
        expected = {BusinessSettings: 404}.get(model, 403 if model in READ_ONLY + MENDED_ONLY else 200)

        assert page.get(url(model, "delete", example[model].pk)).status_code == expected

    @pytest.mark.parametrize("model", MODELS)
    def test_no_page_leans_on_inline_script_or_style(self, page, example, model):
        response = page.get(url(model, "change", example[model].pk))

        text = response.content.decode()
        nonce = re.search(r"'nonce-([^']+)'", response.headers["Content-Security-Policy"])
        assert not re.search(r"<[^>]+ (style|on[a-z]+)=", text)
        for tag in re.findall(r"<(?:script|style)\b[^>]*>", text):
            assert "src=" in tag or (nonce and nonce.group(1) in tag)
        assert "unsafe" not in response.headers["Content-Security-Policy"]

    @pytest.mark.parametrize(
        "model",
        [
            OpportunityStage,
            OpportunityStatus,
            OpportunityType,
            Reason,
            Board,
            Opportunity,
            Customer,
            Event,
            Quote,
            Job,
            Agreement,
            TaxRate,
        ],
    )
    def test_a_list_takes_the_same_statements_for_many_rows(
        self, page, example, model, django_assert_max_num_queries, django_assert_num_queries
    ):
        page.get(url(model, "changelist"))
        with django_assert_max_num_queries(16) as few:
            page.get(url(model, "changelist"))
        for _ in range(5):
            stage = StageFactory()
            card = make_card(stage_id=stage.pk, type_id=TypeFactory().pk, customer_ids=[CustomerFactory().pk])
            make_quote(card)
            make_job(card)
            make_agreement(card)
            TaxRate.objects.create(name=f"Tax {stage.pk}", percent=5)
            ReasonFactory()
            BoardFactory(stages=[stage])
            OpportunityStatus.objects.create(name=f"Row {stage.pk}")

        with django_assert_num_queries(len(few)):
            page.get(url(model, "changelist"))

    def test_nothing_can_be_deleted_in_bulk_past_the_rules(self, page, example):
        for model in MODELS:
            response = page.get(url(model, "changelist"))
            assert b"delete_selected" not in response.content


class TestWhoGetsIn:
    @pytest.mark.parametrize("role", ["salesperson", "manager"])
    def test_others_are_told_who_may(self, client, rows, role):
        client.force_login(UserFactory(role=role), backend=BACKEND)

        response = client.get("/admin/")

        assert response.status_code == 403
        assert "Only an admin may do that." in words(response)

    def test_strangers_are_led_to_the_login(self, client, rows):
        assert client.get("/admin/").headers["Location"].startswith("/accounts/login/")

    @pytest.mark.parametrize("path", ["login", "logout", "password_change", "auth/user", "auth/group"])
    def test_there_is_no_second_way_to_people_and_passwords(self, page, path):
        assert page.get(f"/admin/{path}/").status_code == 404

    def test_the_front_page_leads_to_the_tables_people_and_back(self, page):
        text = page.get("/admin/").content.decode()

        for target in (
            url(OpportunityStage, "changelist"),
            url(Board, "changelist"),
            url(BusinessSettings, "changelist"),
            reverse("opportunities:people"),
            reverse("boards:home"),
        ):
            assert f'href="{target}"' in text

    def test_an_app_has_no_front_page_of_its_own(self, page):
        assert page.get("/admin/opportunities/").headers["Location"] == "/admin/"

    @pytest.mark.parametrize("model", [OpportunityStage, OpportunityStatus, Board])
    def test_the_three_sentences_and_the_help_stand_where_one_decides(self, page, example, model):
        for response in (
            page.get(url(model, "changelist")),
            page.get(url(model, "add")),
            page.get(url(model, "change", example[model].pk)),
            page.get(url(model, "delete", example[model].pk)),
        ):
            assert "Stage: where you put the deal. Workflow status: what its quotes" in words(response)
            assert reverse("opportunities:help-stages") in response.content.decode()


class TestStages:
    def test_a_stage_is_added_at_the_end(self, page):
        StageFactory(sequence=4)

        page.post(url(OpportunityStage, "add"), {"name": "New", "colour": "teal", "probability": 20, "active": "on"})

        assert OpportunityStage.objects.get(name="New").sequence == 5

    def test_a_taken_name_is_refused_in_words(self, page):
        StageFactory(name="Lead")

        response = page.post(url(OpportunityStage, "add"), {"name": "LEAD", "colour": "teal", "probability": 20})

        assert "There is a stage of this name already." in words(response)

    def test_cards_are_counted_and_listed_from_the_table(self, page):
        stage = StageFactory()
        make_card(stage_id=stage.pk)

        response = page.get(url(OpportunityStage, "changelist"))

        assert "1 card, 1 open" in words(response)
        assert f"?stage={stage.pk}&amp;archived=with" in response.content.decode()

    def test_retiring_tells_how_many_cards_stay_and_saves_nothing_yet(self, page):
        stage = StageFactory()
        make_card(stage_id=stage.pk)

        told = change(page, OpportunityStage, stage, active=False)

        assert "1 card stays in this stage (1 open). No card can enter it any more." in words(told)
        assert OpportunityStage.objects.get(pk=stage.pk).active

    def test_what_was_told_is_done_when_confirmed(self, page):
        stage = StageFactory()
        make_card(stage_id=stage.pk)

        confirm(page, OpportunityStage, stage, active=False)

        assert not OpportunityStage.objects.get(pk=stage.pk).active

    def test_another_effect_than_the_one_told_is_told_again(self, page):
        stage = StageFactory()
        make_card(stage_id=stage.pk)
        seen = change(page, OpportunityStage, stage, active=False).context["effects_seen"]
        make_card(stage_id=stage.pk)

        data = sent(page, OpportunityStage, stage, active=False) | {"_effects_seen": seen}
        told = page.post(url(OpportunityStage, "change", stage.pk), data)

        assert "2 cards stay in this stage" in words(told)
        assert OpportunityStage.objects.get(pk=stage.pk).active

    def test_a_probability_tells_the_weighted_sums(self, page):
        stage = StageFactory(probability=50)
        make_card(stage_id=stage.pk, amount=Decimal(1000))
        make_card(stage_id=stage.pk, amount=Decimal(500), probability=10)

        told = change(page, OpportunityStage, stage, probability="20")

        assert "changes from $500 to $200: 1 open card has no probability of its own" in words(told)

    def test_staleness_tells_how_many_cards_are_marked(self, page):
        stage = StageFactory()
        make_card(stage_id=stage.pk, now=timezone.now() - timedelta(days=20))

        told = change(page, OpportunityStage, stage, stale_after_days="7")

        assert "Up to 1 open cards are marked as stale, instead of 0" in words(told)

    def test_a_new_requirement_tells_that_cards_stay(self, page):
        stage = StageFactory()
        make_card(stage_id=stage.pk)

        told = change(page, OpportunityStage, stage, requires_amount=True)

        assert "1 card is in this stage already and stays, whatever it lacks." in words(told)

    def test_a_new_default_takes_over_when_confirmed(self, page):
        old = StageFactory(name="Old", is_default=True)
        new = StageFactory()

        told = change(page, OpportunityStage, new, is_default=True)
        confirm(page, OpportunityStage, new, is_default=True)

        assert "instead of “Old”" in words(told)
        assert list(OpportunityStage.objects.filter(is_default=True)) == [new]
        assert old != new

    def test_a_change_without_an_effect_is_saved_at_once(self, page):
        stage = StageFactory()

        assert change(page, OpportunityStage, stage, description="Sent").status_code == 302
        assert OpportunityStage.objects.get(pk=stage.pk).description == "Sent"

    def test_a_retired_stage_cannot_be_ticked_as_the_default(self, page):
        stage = StageFactory(active=False)

        response = change(page, OpportunityStage, stage, is_default=True)

        assert "A retired stage cannot be the default for new cards." in words(response)

    def test_rows_are_dropped_into_another_order(self, page):
        first, second = StageFactory(), StageFactory()

        answer = page.post(url(OpportunityStage, "reorder"), {"row": [second.pk, first.pk]})

        assert answer.json()["order"] == {str(second.pk): 1, str(first.pk): 2}
        assert list(OpportunityStage.objects.in_order()) == [second, first]

    def test_nonsense_orders_nothing(self, page):
        stage = StageFactory(sequence=1)

        assert page.post(url(OpportunityStage, "reorder"), {"row": ["x", "-1", "9" * 30]}).status_code == 200
        assert list(OpportunityStage.objects.in_order()) == [stage]

    def test_the_order_is_changed_by_posting_only(self, page):
        assert page.get(url(OpportunityStage, "reorder")).status_code == 405

    def test_the_order_can_be_typed(self, page):
        first, second = StageFactory(sequence=1), StageFactory(sequence=2)
        data = {
            "form-TOTAL_FORMS": "2",
            "form-INITIAL_FORMS": "2",
            "form-0-id": first.pk,
            "form-0-sequence": "9",
            "form-1-id": second.pk,
            "form-1-sequence": "2",
            "_save": "Save",
        }

        assert page.post(url(OpportunityStage, "changelist"), data).status_code == 302
        assert list(OpportunityStage.objects.in_order()) == [second, first]

    def test_deleting_asks_where_the_cards_go(self, page):
        stage = StageFactory()
        card = make_card(stage_id=stage.pk)

        asked = page.post(url(OpportunityStage, "delete", stage.pk), {"post": "yes"})

        assert asked.status_code == 422
        assert "Choose where the cards go: none may be lost." in words(asked)
        assert Opportunity.objects.get(pk=card.pk).stage == stage

    @pytest.mark.parametrize("to", ["another", "none"])
    def test_deleting_takes_every_card_along(self, page, admin, to):
        stage, other = StageFactory(name="Old"), StageFactory(name="New")
        card = make_card(stage_id=stage.pk)
        chosen = "none" if to == "none" else str(other.pk)

        page.post(url(OpportunityStage, "delete", stage.pk), {"replacement": chosen})

        event = Event.objects.get(opportunity=card, kind="stage_replaced")
        assert Opportunity.objects.get(pk=card.pk).stage == (None if to == "none" else other)
        assert (event.via, event.actor) == ("admin", admin)
        assert LogEntry.objects.filter(object_repr="Old").exists()

    def test_the_delete_page_tells_what_it_does(self, page):
        stage = StageFactory(is_default=True)
        make_card(stage_id=stage.pk)

        text = words(page.get(url(OpportunityStage, "delete", stage.pk)))

        assert "1 card moves, archived and decided ones too. No status changes" in text
        assert "New cards begin in no stage" in text

    def test_a_row_that_is_gone_is_not_found(self, page):
        assert page.get(url(OpportunityStage, "delete", 99)).status_code == 404


class TestStatuses:
    def test_cards_are_counted_and_listed_from_the_table(self, page, rows):
        make_card()

        response = page.get(url(OpportunityStatus, "changelist"))

        assert f"?status={rows['Default'].pk}&amp;archived=with" in response.content.decode()

    def test_what_a_used_status_means_is_only_read(self, page, rows):
        make_card()

        form = page.get(url(OpportunityStatus, "change", rows["Default"].pk)).context["adminform"].form

        assert "closed" not in form.fields

    def test_the_last_lost_status_is_not_retired(self, page, rows):
        response = change(page, OpportunityStatus, rows["Lost"], retired=True)

        assert "“Lost” is the last active lost status" in words(response)
        assert not OpportunityStatus.objects.get(name="Lost").retired

    def test_the_default_is_not_unticked(self, page, rows):
        response = change(page, OpportunityStatus, rows["Default"], is_default=False)

        assert "There is always one default" in words(response)

    def test_a_closed_default_is_refused(self, page, rows):
        response = change(page, OpportunityStatus, rows["Closed"], is_default=True)

        assert "The default status is an open one" in words(response)

    def test_a_new_default_tells_who_keeps_the_old_one(self, page, rows):
        make_card()
        new = OpportunityStatus.objects.create(name="Fresh")

        told = change(page, OpportunityStatus, new, is_default=True)
        confirm(page, OpportunityStatus, new, is_default=True)

        assert "1 card that has “Default” keeps it." in words(told)
        assert OpportunityStatus.objects.default() == new

    def test_retiring_tells_who_keeps_it(self, page, rows):
        told = change(page, OpportunityStatus, rows["Closed"], retired=True)

        assert "0 cards keep this status. Nobody can choose it any more." in words(told)

    def test_a_status_is_added(self, page, rows):
        page.post(url(OpportunityStatus, "add"), {"name": "On hold"})

        assert OpportunityStatus.objects.get(name="On hold").sequence == 5

    def test_contradicting_flags_are_refused_in_words(self, page, rows):
        response = page.post(url(OpportunityStatus, "add"), {"name": "Both", "closed": "on", "won": "on", "lost": "on"})

        assert "A status cannot be both won and lost." in words(response)

    def test_deleting_offers_only_the_same_result(self, page, rows, admin):
        reason = ReasonFactory()
        other = OpportunityStatus.objects.create(name="Gone elsewhere", closed=True, lost=True)
        card = make_card()
        given = {"status_id": rows["Lost"].pk, "reason_id": reason.pk}
        pipeline.set_status(opportunity_id=card.pk, **given, actor=admin, now=NOW)

        asked = page.get(url(OpportunityStatus, "delete", rows["Lost"].pk))
        page.post(url(OpportunityStatus, "delete", rows["Lost"].pk), {"replacement": other.pk})

        assert list(asked.context["form"].fields["replacement"].queryset) == [other]
        assert Opportunity.objects.get(pk=card.pk).status == other

    def test_deleting_without_a_fitting_status_says_what_to_do(self, page, rows, admin):
        OpportunityStatus.objects.create(name="Waiting")
        waiting = OpportunityStatus.objects.get(name="Waiting")
        card = make_card()
        pipeline.set_status(opportunity_id=card.pk, status_id=waiting.pk, actor=admin, now=NOW)
        OpportunityStatus.objects.filter(name="Default").update(is_default=False, retired=True)
        OpportunityStatus.objects.create(name="Fresh", closed=True)

        refused = page.post(url(OpportunityStatus, "delete", waiting.pk), {"post": "yes"})

        assert refused.status_code == 409
        assert "no other active status says the same" in words(refused)

    def test_deleting_the_default_is_refused(self, page, rows):
        assert page.post(url(OpportunityStatus, "delete", rows["Default"].pk), {"post": "1"}).status_code == 409


class TestReasonsAndTypes:
    def test_renaming_a_used_reason_tells_that_cards_keep_the_old_words(self, page, rows, admin):
        reason = ReasonFactory(label="Duplicate")
        card = make_card()
        given = {"status_id": rows["Lost"].pk, "reason_id": reason.pk}
        pipeline.set_status(opportunity_id=card.pk, **given, actor=admin, now=NOW)

        told = change(page, Reason, reason, label="Dup")
        confirm(page, Reason, reason, label="Dup")

        assert "1 card keeps “Duplicate”, as it was said then." in words(told)
        assert Reason.objects.get(pk=reason.pk).label == "Dup"
        assert Opportunity.objects.get(pk=card.pk).decided_reason_label == "Duplicate"

    def test_the_last_active_reason_stays(self, page):
        reason = ReasonFactory(void=True)

        response = change(page, Reason, reason, active=False)

        assert "is the last active reason of its list" in words(response)

    def test_a_used_reason_is_not_deleted(self, page, rows, admin):
        reason = ReasonFactory()
        card = make_card()
        given = {"status_id": rows["Lost"].pk, "reason_id": reason.pk}
        pipeline.set_status(opportunity_id=card.pk, **given, actor=admin, now=NOW)

        refused = page.post(url(Reason, "delete", reason.pk), {"post": "yes"})

        assert refused.status_code == 409
        assert "Deactivate it instead" in words(refused)

    def test_an_unused_reason_is_deleted(self, page):
        reason = ReasonFactory()
        ReasonFactory()

        page.post(url(Reason, "delete", reason.pk), {"post": "yes"})

        assert not Reason.objects.filter(pk=reason.pk).exists()

    def test_a_reason_is_added(self, page):
        page.post(url(Reason, "add"), {"list": "cancel", "label": "Moved away", "active": "on"})

        assert Reason.objects.filter(label="Moved away").exists()

    def test_a_type_is_added_and_changed(self, page):
        page.post(url(OpportunityType, "add"), {"name": "Service", "active": "on"})
        kind = OpportunityType.objects.get()

        change(page, OpportunityType, kind, name="Services")

        assert OpportunityType.objects.get().name == "Services"

    def test_switching_a_type_off_tells_that_cards_keep_it(self, page):
        kind = TypeFactory()
        make_card(type_id=kind.pk)

        assert "1 card keeps this type." in words(change(page, OpportunityType, kind, active=False))

    def test_a_used_type_is_not_deleted(self, page):
        kind = TypeFactory()
        make_card(type_id=kind.pk)

        assert page.post(url(OpportunityType, "delete", kind.pk), {"post": "1"}).status_code == 409

    def test_an_unused_type_is_deleted(self, page):
        kind = TypeFactory()

        page.post(url(OpportunityType, "delete", kind.pk), {"post": "1"})

        assert not OpportunityType.objects.exists()


class TestBusiness:
    @pytest.fixture
    def business(self, rows):
        return BusinessSettings.objects.get()

    def test_the_list_leads_to_the_one_row(self, page, business):
        assert page.get(url(BusinessSettings, "changelist")).headers["Location"].endswith("/1/change/")

    def test_another_time_zone_tells_what_turns_and_the_next_page_shows_it(self, page, business):
        far = "Pacific/Kiritimati"
        there = BusinessSettings(time_zone=far).local_date(timezone.now())
        behind = "Pacific/Pago_Pago"
        BusinessSettings.objects.update(time_zone=behind)
        business.refresh_from_db()
        card = make_card(forecast_date=there - timedelta(days=1), now=timezone.now())
        page.get("/admin/")

        told = change(page, BusinessSettings, business, time_zone=far)
        confirm(page, BusinessSettings, business, time_zone=far)
        page.get("/admin/")

        assert "1 cards expire and 0 expired ones come back" in words(told)
        assert Opportunity.objects.get(pk=card.pk).is_expired

    def test_the_way_back_revives_them(self, page, business):
        east, west = "Pacific/Kiritimati", "Pacific/Pago_Pago"
        there = BusinessSettings(time_zone=east).local_date(timezone.now())
        BusinessSettings.objects.update(time_zone=east)
        business.refresh_from_db()
        card = make_card(forecast_date=there - timedelta(days=1), now=timezone.now())
        assert card.is_expired

        confirm(page, BusinessSettings, business, time_zone=west)
        page.get("/admin/")

        assert not Opportunity.objects.get(pk=card.pk).is_expired

    def test_the_currency_stays_once_an_amount_exists(self, page, business):
        make_card(amount=Decimal(5))

        response = change(page, BusinessSettings, business, currency="EUR")

        assert "The currency stays USD" in words(response)
        assert BusinessSettings.objects.get().currency == "USD"

    def test_the_currency_can_change_before(self, page, business):
        change(page, BusinessSettings, business, currency="EUR")

        assert BusinessSettings.objects.get().currency == "EUR"

    def test_what_salespeople_see_tells_whom_it_touches(self, page, business):
        sam = UserFactory()
        make_card(actor=sam)
        make_card()

        told = change(page, BusinessSettings, business, salespeople_see="own")
        confirm(page, BusinessSettings, business, salespeople_see="own")

        assert "1 salesperson is affected" in words(told)
        assert "own of 1 assigned cards; 1 unassigned ones are hidden" in words(told)
        assert BusinessSettings.objects.get().salespeople_see == "own"

    def test_the_name_cannot_be_empty(self, page, business):
        assert "This field is required." in words(change(page, BusinessSettings, business, name=""))

    def test_another_rule_of_losing_tells_how_many_cards_turn(self, page, admin, business):
        card = deal()
        make_quote(card, "submitted", now=timezone.now())
        make_quote(card, "void", now=timezone.now())

        told = change(page, BusinessSettings, business, lost_when="no_live_quote")
        confirm(page, BusinessSettings, business, lost_when="no_live_quote")

        assert "0 cards become lost and 1 lost card is lost no more, at once" in words(told)
        assert Opportunity.objects.get(pk=card.pk).sales_status == "none"
        event = Event.objects.get(kind="rule_changed")
        assert (event.via, event.actor) == ("admin", admin)

    def test_another_rule_that_turns_nothing_says_so(self, page, business):
        told = change(page, BusinessSettings, business, lost_when="no_live_quote")

        assert "No card turns" in words(told)

    def test_what_new_quotes_begin_with_is_kept(self, page, business):
        change(page, BusinessSettings, business, quote_terms="Half in advance.", quote_valid_days="14")

        business.refresh_from_db()
        assert (business.quote_terms, business.quote_valid_days) == ("Half in advance.", 14)

    def test_no_days_at_all_are_refused_in_words(self, page, business):
        assert "Give at least one day" in words(change(page, BusinessSettings, business, quote_valid_days="0"))


class TestTaxRates:
    @pytest.fixture
    def rate(self):
        return TaxRate.objects.create(name="Sales tax", percent=Decimal("5.5"), is_default=True)

    def test_a_rate_is_added(self, page):
        page.post(url(TaxRate, "add"), {"name": "Sales tax", "percent": "5.5", "active": "on", "is_default": "on"})

        assert TaxRate.objects.get().is_default

    def test_a_taken_name_is_refused_in_words(self, page, rate):
        response = page.post(url(TaxRate, "add"), {"name": "SALES TAX", "percent": "1", "active": "on"})

        assert "There is a tax rate of this name already." in words(response)

    def test_another_percentage_tells_that_lines_keep_theirs(self, page, rate):
        quote = make_quote(deal(), lines=[{**PIPES, "tax_rate_id": rate.pk}])

        told = change(page, TaxRate, rate, percent="7")
        confirm(page, TaxRate, rate, percent="7")

        assert "1 line keeps the 5.5 % that it was made with." in words(told)
        assert quote.lines.get().tax_percent == Decimal("5.5")

    def test_a_new_name_and_retiring_tell_what_they_do(self, page, rate):
        make_quote(deal(), lines=[{**PIPES, "tax_rate_id": rate.pk}])

        told = words(change(page, TaxRate, rate, name="Tax", active=False))

        assert "1 line shows the new name at once." in told
        assert "1 line keeps this rate. Nobody can choose it any more." in told
        assert "New lines begin without tax until another rate is the default." in told

    def test_another_default_takes_over_when_confirmed(self, page, rate):
        new = TaxRate.objects.create(name="Reduced", percent=2)

        told = change(page, TaxRate, new, is_default=True)
        confirm(page, TaxRate, new, is_default=True)

        assert "instead of “Sales tax”" in words(told)
        assert list(TaxRate.objects.filter(is_default=True)) == [new]

    def test_a_retired_rate_cannot_be_ticked_as_the_default(self, page):
        retired = TaxRate.objects.create(name="Old", percent=2, active=False)

        response = change(page, TaxRate, retired, is_default=True)

        assert "A retired tax rate cannot be the default." in words(response)

    def test_a_used_rate_is_not_deleted(self, page, rate):
        make_quote(deal(), lines=[{**PIPES, "tax_rate_id": rate.pk}])

        refused = page.post(url(TaxRate, "delete", rate.pk), {"post": "yes"})

        assert refused.status_code == 409
        assert "1 line carries this rate" in words(page.get(url(TaxRate, "change", rate.pk)))

    def test_an_unused_rate_is_deleted(self, page, rate):
        page.post(url(TaxRate, "delete", rate.pk), {"post": "yes"})

        assert not TaxRate.objects.exists()


class TestDocuments:
    def act(self, page, model, action, *rows, **more):
        data = {"action": action, "_selected_action": [row.pk for row in rows], **more}
        return page.post(url(model, "changelist"), data, follow=True)

    def test_a_quote_is_submitted_by_the_verb_and_its_card_follows(self, page, admin):
        card = deal()
        ready, empty = make_quote(card), make_quote(card, "incomplete")

        response = self.act(page, Quote, "submit", ready, empty)

        event = Event.objects.filter(opportunity=card, kind="quote_submitted").get()
        assert "1 document submitted." in words(response)
        assert f"1 refused: {empty.number}: {empty.number} has no lines yet." in words(response)
        assert Opportunity.objects.get(pk=card.pk).workflow_status == "negotiation"
        assert (event.via, event.actor) == ("admin", admin)

    def test_quotes_are_archived_and_taken_back(self, page):
        quote = make_quote(deal())

        assert "1 document archived." in words(self.act(page, Quote, "archive", quote))
        assert "Draft, archived" in words(page.get(url(Quote, "changelist")))
        assert "1 document taken back." in words(self.act(page, Quote, "unarchive", quote))

    def test_answers_of_customers_are_noted_and_quotes_converted(self, page):
        accepted, declined, draft = (make_quote(deal(), to) for to in ("submitted", "submitted", "draft"))

        response = words(self.act(page, Quote, "accept", accepted, draft))
        assert "1 document accepted." in response
        assert f"1 refused: {draft.number}" in response
        assert "1 document declined." in words(self.act(page, Quote, "decline", declined))
        assert "2 documents converted." in words(self.act(page, Quote, "convert", accepted, draft))

        statuses = Opportunity.objects.order_by("pk").values_list("workflow_status", "sales_status")
        assert list(statuses) == [("contracted", "won"), ("prospect", "lost"), ("contracted", "won")]

    def test_an_agreement_is_submitted_and_replaced(self, page):
        card = deal()
        agreement = make_agreement(card, "draft")

        assert "1 document submitted." in words(self.act(page, Agreement, "submit", agreement))
        assert Opportunity.objects.get(pk=card.pk).workflow_status == "agreement"
        assert "1 document replaced." in words(self.act(page, Agreement, "replace", agreement))
        assert list(Agreement.objects.order_by("pk").values_list("status", flat=True)) == ["void", "draft"]

    def test_a_job_is_confirmed_completed_and_reopened(self, page):
        job = make_job(deal(), "submitted")

        assert "1 document confirmed." in words(self.act(page, Job, "confirm", job))
        assert "1 document completed." in words(self.act(page, Job, "complete", job))
        assert "1 document reopened." in words(self.act(page, Job, "reopen", job))
        assert Job.objects.get().state == "modified"

    def test_a_job_that_is_not_fulfilled_says_what_is_left(self, page):
        job = make_job(deal(), lines=[PIPES])

        response = words(self.act(page, Job, "complete", job))

        assert "0 of 10 “Copper pipe” are fulfilled." in response
        assert "document completed" not in response

    def test_an_agreement_is_withdrawn(self, page):
        card = deal()
        agreement = make_agreement(card, "submitted")

        assert "1 document withdrawn." in words(self.act(page, Agreement, "withdraw", agreement))
        assert Opportunity.objects.get(pk=card.pk).sales_status == "lost"

    @pytest.mark.parametrize(
        ("model", "make", "action", "done"),
        [
            (Quote, make_quote, "void", "voided"),
            (Quote, make_quote, "cancel", "canceled"),
            (Job, make_job, "void", "voided"),
            (Job, make_job, "cancel", "canceled"),
            (Agreement, make_agreement, "void", "voided"),
        ],
    )
    def test_ending_a_document_asks_for_a_reason_of_the_right_list(self, page, model, make, action, done):
        right, wrong = ReasonFactory(void=action == "void"), ReasonFactory(void=action != "void")
        document = make(deal())

        asked = self.act(page, model, action, document)
        unsaid = self.act(page, model, action, document, reason="")
        mistaken = self.act(page, model, action, document, reason=wrong.pk)
        ended = self.act(page, model, action, document, reason=right.pk)

        assert list(asked.context["form"].fields["reason"].queryset) == [right]
        assert document.number in words(asked)
        assert (unsaid.status_code, mistaken.status_code) == (422, 422)
        assert f"1 document {done}." in words(ended)
        assert model.objects.get(pk=document.pk).close_reason == right

    def test_the_page_says_beforehand_what_becomes_of_the_card_and_what_is_refused(self, page):
        card = deal()
        dying, dead = make_quote(card, "submitted"), make_quote(deal(), "void")

        asked = words(self.act(page, Quote, "void", dying, dead))

        assert f"{card.number} becomes Prospect and Lost." in asked
        assert f"{dead.number} is Void already." in asked

    def test_a_quote_whose_end_would_lose_the_deal_beside_an_open_one_leads_to_detaching_it_first(self, page):
        card = deal()
        dying, _open = make_quote(card, "submitted"), make_quote(card, "submitted")
        alone = make_quote(deal(), "submitted")

        asked = self.act(page, Quote, "void", dying, alone).content.decode()

        assert asked.count("then void it") == 1
        assert f'<a href="/quotes/{dying.pk}/void/">Detach {dying.number}, then void it</a>' in asked

    def test_a_job_says_where_payments_are_taken_and_leads_there(self, page):
        job = make_job(deal())

        told = page.get(url(Job, "change", job.pk)).content.decode()

        assert "Payments and refunds are noted on the page of the job" in told
        assert f'href="/jobs/{job.pk}/"' in told

    def test_nothing_of_a_document_can_be_written(self, page):
        for document in (make_quote(deal()), make_job(deal()), make_agreement(deal())):
            model = type(document)
            assert page.post(url(model, "change", document.pk), {"title": "x"}).status_code == 403
            assert model.objects.get(pk=document.pk).title != "x"

    def test_lines_recipients_payments_and_refunds_are_shown(self, page):
        card = deal()
        job = make_job(card, lines=[PIPES])
        pay_back(pay(job, "50"), "20")
        agreement = make_agreement(card, "submitted", lines=[PIPES])

        of_job = words(page.get(url(Job, "change", job.pk)))
        of_agreement = words(page.get(url(Agreement, "change", agreement.pk)))

        for told in ("Copper pipe", "$125.00", "$50.00", "$20.00 (Returned)", "$30.00"):
            assert told in of_job
        for told in ("Copper pipe", "Ada Lowell", "0 of 1"):
            assert told in of_agreement

    def test_an_expired_quote_says_so_with_its_state(self, page):
        make_quote(deal(), "submitted", valid_until=NOW.date())

        assert "Expired (Submitted)" in words(page.get(url(Quote, "changelist")))

    def test_documents_on_no_card_can_be_picked_out(self, page):
        card = deal()
        here, loose = make_quote(card), make_quote(card, attached=False)

        told = words(page.get(url(Quote, "changelist") + "?card=none"))

        assert loose.number in told
        assert here.number not in told

    def test_a_page_of_a_document_takes_the_same_statements_for_many_lines(
        self, page, django_assert_max_num_queries, django_assert_num_queries
    ):
        small, large = make_job(deal(), lines=[PIPES]), make_job(deal(), lines=[PIPES] * 6)
        for job in (small, *[large] * 3):
            pay(job, "5")
        page.get(url(Job, "change", small.pk))
        with django_assert_max_num_queries(16) as few:
            page.get(url(Job, "change", small.pk))

        with django_assert_num_queries(len(few)):
            page.get(url(Job, "change", large.pk))


PICTURES = {
    "image/png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89\0\0\0\0IEND\xaeB\x60\x82",
    "image/jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0rest\xff\xd9",
    "image/webp": b"RIFF\x0c\0\0\0WEBPVP8 \0\0\0\0",
}


class TestLogo:
    def send(self, page, content, name="logo.png"):
        return page.post(url(BusinessSettings, "logo"), {"logo": SimpleUploadedFile(name, content, "image/png")})

    @pytest.mark.parametrize("kind", PICTURES)
    def test_a_picture_is_kept_and_served_as_what_it_is(self, page, kind):
        self.send(page, PICTURES[kind])

        served = page.get(reverse("opportunities:logo"))
        assert served.content == PICTURES[kind]
        assert served.headers["Content-Type"] == kind
        assert served.headers["X-Content-Type-Options"] == "nosniff"

    @pytest.mark.parametrize(
        "content", [b"<svg onload='x'></svg>", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\xff\xff\0\0WEBP"]
    )
    def test_anything_else_is_refused_whatever_it_is_called(self, page, content):
        response = self.send(page, content)

        assert response.status_code == 422
        assert "This is no PNG, JPEG or WebP picture." in words(response)
        assert page.get(reverse("opportunities:logo")).status_code == 404

    def test_a_large_picture_is_refused(self, page):
        response = self.send(page, PICTURES["image/png"] + b"\0" * 200_001)

        assert "The picture is too large" in words(response)

    def test_no_picture_is_refused(self, page):
        assert "Choose a picture." in words(page.post(url(BusinessSettings, "logo"), {}))

    def test_a_logo_can_be_removed(self, page):
        self.send(page, PICTURES["image/png"])

        page.post(url(BusinessSettings, "logo"), {"remove": "yes"})

        assert page.get(reverse("opportunities:logo")).status_code == 404


class TestOpportunities:
    def test_statuses_and_rank_cannot_be_written(self, page):
        card = make_card()

        form = page.get(url(Opportunity, "change", card.pk)).context["adminform"].form

        assert {"workflow_status", "sales_status", "status", "rank", "version", "decided_on"}.isdisjoint(form.fields)

    def test_an_edit_goes_through_the_verb_and_its_history_says_admin(self, page, admin):
        card = make_card()

        change(page, Opportunity, card, title="Better", amount="12.50")

        after = Opportunity.objects.get(pk=card.pk)
        event = Event.objects.filter(opportunity=card).latest("pk")
        assert (after.title, after.amount, after.version) == ("Better", Decimal("12.50"), 2)
        assert (event.kind, event.via, event.actor) == ("edited", "admin", admin)

    def test_a_past_date_expires_the_card_at_once(self, page):
        card = make_card()

        change(page, Opportunity, card, forecast_date="2020-01-01")

        assert Opportunity.objects.get(pk=card.pk).is_expired

    def test_a_stage_that_asks_for_more_refuses_in_words(self, page):
        card = make_card()
        picky = StageFactory(name="Offer", requires_amount=True)

        response = change(page, Opportunity, card, stage=picky.pk)

        assert "“Offer” needs an amount." in words(response)
        assert Opportunity.objects.get(pk=card.pk).stage is None

    def test_what_the_stage_asks_can_be_given_in_the_same_go(self, page):
        card = make_card()
        picky = StageFactory(requires_amount=True, requires_forecast_date=True)

        change(page, Opportunity, card, stage=picky.pk, amount="5", forecast_date="2099-01-01")

        assert Opportunity.objects.get(pk=card.pk).stage == picky

    def test_a_page_that_was_open_too_long_overwrites_nothing(self, page):
        card = make_card()
        stale = sent(page, Opportunity, card, title="Mine")
        pipeline.edit(opportunity_id=card.pk, title="Theirs", actor=None, now=NOW)

        response = page.post(url(Opportunity, "change", card.pk), stale)

        assert response.status_code == 409
        assert Opportunity.objects.get(pk=card.pk).title == "Theirs"

    def test_chosen_cards_are_archived_one_by_one(self, page):
        fresh, again = make_card(), make_card()
        data = {"action": "archive", "_selected_action": [fresh.pk, again.pk]}
        page.post(url(Opportunity, "changelist"), {**data, "_selected_action": [again.pk]})

        response = page.post(url(Opportunity, "changelist"), data, follow=True)

        assert "1 opportunity archived." in words(response)
        assert "1 was so already." in words(response)
        assert Opportunity.objects.filter(archived_at=None).count() == 0

    def test_archived_cards_are_taken_back(self, page):
        card = make_card()
        for action in ("archive", "unarchive"):
            page.post(url(Opportunity, "changelist"), {"action": action, "_selected_action": [card.pk]})

        assert Opportunity.objects.get(pk=card.pk).archived_at is None
        assert list(Event.objects.filter(opportunity=card).order_by("pk").values_list("kind", flat=True)) == [
            "created",
            "archived",
            "unarchived",
        ]

    def test_a_card_is_found_without_regard_to_case_and_accents(self, page):
        card = make_card(title="Café boiler")

        response = page.get(url(Opportunity, "changelist"), {"q": "CAFE"})

        assert card.number in words(response)

    def test_history_says_in_words_what_happened(self, page, rows):
        card = make_card(actor=None)
        pipeline.set_status(opportunity_id=card.pk, status_id=rows["Won"].pk, actor=None, now=NOW)
        event = Event.objects.latest("pk")

        told = words(page.get(url(Event, "changelist")))
        chosen = words(page.get(url(Event, "changelist") + "?kind=status_chosen"))
        alone = words(page.get(url(Event, "change", event.pk)))

        assert "Status chosen" in told
        assert "status_chosen" not in told
        assert "Prospect" in told
        assert "1 event" in chosen
        assert "Status chosen" in alone

    def test_a_bulk_act_says_in_words_what_it_does(self, page, admin):
        bulk.start(verb="forecast_date", arguments={"forecast_date": None}, opportunity_ids=[], actor=admin, now=NOW)

        assert "Forecast date" in words(page.get(url(BulkAct, "changelist")))
        assert "forecast_date" not in words(page.get(url(BulkAct, "changelist")))

    def test_history_is_only_read(self, page):
        make_card()
        event = Event.objects.latest("pk")

        response = page.post(url(Event, "change", event.pk), {"kind": "never"})

        assert response.status_code == 403
        assert Event.objects.get(pk=event.pk).kind == "created"


class TestCustomers:
    def test_a_new_name_shows_on_the_cards(self, page):
        customer = customers.create(name="Old", actor=None, now=NOW)
        card = make_card(customer_ids=[customer.pk])

        change(page, Customer, customer, name="New")

        assert Opportunity.objects.get(pk=card.pk).face["customers"] == ["New"]

    def test_a_contact_is_mended_by_the_verb(self, page):
        contact = ContactFactory(name="Old")
        card = make_card(contact_ids=[contact.pk])

        change(page, Contact, contact, name="New")

        assert Opportunity.objects.get(pk=card.pk).face["contacts"] == ["New"]

    def test_what_somebody_else_changed_meanwhile_is_not_overwritten(self, page):
        customer = customers.create(name="Dupont", phone="1", actor=None, now=NOW)
        shown = {"initial-name": "Dupont", "initial-phone": "1"}
        customers.edit(customer_id=customer.pk, phone="2", actor=None, now=NOW)

        response = page.post(url(Customer, "change", customer.pk), sent(page, Customer, customer, phone="3") | shown)

        assert response.status_code == 409
        assert "Someone else changed Dupont" in words(response)
        assert Customer.objects.get().phone == "2"


class TestBoards:
    def columns(self, board, *columns, **changed):
        """The form of a board with these columns: (id, name, stages)."""
        data = {"name": board.name, "sort": "rank", "filter": "", **changed}
        data |= {"columns-TOTAL_FORMS": str(len(columns)), "columns-INITIAL_FORMS": str(board.columns.count())}
        for place, (column, name, stages) in enumerate(columns):
            data |= {
                f"columns-{place}-id": column.pk if column else "",
                f"columns-{place}-board": board.pk,
                f"columns-{place}-name": name,
                f"columns-{place}-sequence": str(place),
                f"columns-{place}-stands_for": [stage.pk for stage in stages],
            }
        return data

    def test_a_column_takes_stages(self, page):
        first, second = StageFactory(), StageFactory()
        board = BoardFactory(stages=[first])
        column = board.columns.get()

        page.post(url(Board, "change", board.pk), self.columns(board, (column, "Both", [first, second])))

        assert set(ColumnStage.objects.filter(column=column).values_list("stage", flat=True)) == {first.pk, second.pk}

    def test_a_stage_moves_from_one_column_to_the_other_in_one_go(self, page):
        first, second = StageFactory(), StageFactory()
        board = BoardFactory(stages=[first, second])
        left, right = board.columns.all()

        form = self.columns(board, (left, "Left", [second]), (right, "Right", [first]))
        page.post(url(Board, "change", board.pk), form)

        assert list(left.mapped.values_list("stage", flat=True)) == [second.pk]
        assert list(right.mapped.values_list("stage", flat=True)) == [first.pk]

    def test_a_stage_in_two_columns_is_refused_in_words(self, page):
        stage = StageFactory(name="Lead")
        board = BoardFactory(stages=[stage])
        column = board.columns.get()

        form = self.columns(board, (column, "One", [stage]), (None, "Two", [stage]))
        response = page.post(url(Board, "change", board.pk), form)

        assert "“Lead” is in another column of the board already." in words(response)

    def test_another_default_is_told_and_takes_over(self, page):
        old = BoardFactory(is_default=True)
        new = BoardFactory()

        told = page.post(url(Board, "change", new.pk), self.columns(new, is_default="on"))
        seen = {"_effects_seen": told.context["effects_seen"]}
        page.post(url(Board, "change", new.pk), self.columns(new, is_default="on") | seen)

        assert "first page is this board from now on" in words(told)
        assert list(Board.objects.filter(is_default=True)) == [new]
        assert old != new

    def test_a_saved_filter_that_makes_no_sense_is_refused(self, page):
        board = BoardFactory()

        response = page.post(url(Board, "change", board.pk), self.columns(board, filter="amount_from=lots"))

        assert "is not an amount" in words(response)

    def test_deleting_a_board_touches_no_card(self, page):
        stage = StageFactory()
        board = BoardFactory(stages=[stage])
        card = make_card(stage_id=stage.pk)

        told = page.get(url(Board, "delete", board.pk))
        page.post(url(Board, "delete", board.pk), {"post": "yes"})

        assert "No card is touched" in words(told)
        assert not Board.objects.exists()
        assert Opportunity.objects.get(pk=card.pk).stage == stage


class TestMailTemplates:
    """The words of mails: edited, looked at and reset, and removed by no route (C2.2, AC169, AC170)."""

    @pytest.fixture
    def template(self):
        return mail.template(mail.CANCELED)

    def test_the_words_are_edited_and_shown_as_a_customer_gets_them(self, page, template):
        answer = change(page, EmailTemplate, template, subject="Sorry", body="Dear {{ customer_name }}")

        assert answer.status_code == 302
        shown = words(page.get(answer.url))
        assert "Sorry Dear Lowell Dental" in shown
        assert "Opportunity canceled" in shown

    @pytest.mark.parametrize(
        ("field", "text", "said"),
        [
            ("subject", " ", "This field is required"),
            ("body", "", "This field is required"),
            ("body", "Dear {{ custmer_name }}", "custmer_name"),
            ("body", "{{ customer_name.__class__ }}", "Those that can be used are: {{ customer_name }}"),
        ],
    )
    def test_blank_words_and_unknown_names_are_refused_ac170(self, page, template, field, text, said):
        answer = change(page, EmailTemplate, template, **{field: text})

        assert answer.status_code == 200
        assert said in words(answer)
        template.refresh_from_db()
        assert template.body == mail.default(mail.CANCELED)[1]

    def test_a_template_is_reset_once_it_was_confirmed(self, page, template):
        change(page, EmailTemplate, template, subject="Sorry")
        reset = url(EmailTemplate, "reset", template.pk)

        assert "Our offer to you is closed" in words(page.get(reset))
        assert EmailTemplate.objects.get(pk=template.pk).subject == "Sorry"
        page.post(reset)

        assert EmailTemplate.objects.get(pk=template.pk).subject == "Our offer to you is closed"

    def test_no_route_removes_or_renames_it_ac169(self, page, template):
        form = page.get(url(EmailTemplate, "change", template.pk))
        page.post(
            url(EmailTemplate, "changelist"),
            {"action": "delete_selected", "_selected_action": [template.pk], "post": "yes"},
        )
        change(page, EmailTemplate, template, key="other", is_system=False, active=False)

        assert page.post(url(EmailTemplate, "delete", template.pk), {"post": "yes"}).status_code == 403
        assert "deletelink" not in form.content.decode()
        kept = EmailTemplate.objects.get(pk=template.pk)
        assert (kept.key, kept.is_system) == (mail.CANCELED, True)

    def test_a_manager_has_no_say_in_it(self, page, client, rows, template):
        client.force_login(UserFactory(role="manager"), backend=BACKEND)

        assert client.get(url(EmailTemplate, "change", template.pk)).status_code == 403
        assert client.post(url(EmailTemplate, "reset", template.pk)).status_code == 403
