"""Who may see which card and do what to it: one predicate and one queryset, and they agree (D40)."""

import itertools

import pytest
from django.contrib.auth.models import AnonymousUser, User

from opportunities import access
from opportunities.access import Role
from opportunities.errors import NotAllowed
from opportunities.models import BusinessSettings, Opportunity
from tests.factories import UserFactory, make_card, starter_rows

SEES = BusinessSettings.SalespeopleSee
WHOSE = ("own", "unassigned", "somebody else's")
CARD_VERBS = sorted(access.ON_ANY_VISIBLE_CARD | access.ON_OWN_OR_UNASSIGNED | access.OF_MANAGERS)

OWN_ONLY = {
    "set_status",
    "archive",
    "take",
    "agreement",
    "job",
    "convert",
    "payment",
    "attach",
    "detach",
    "void",
    "cancel",
}

pytestmark = pytest.mark.django_db


def fresh(person: User) -> User:
    """The person as the next request sees them."""
    return User.objects.get(pk=person.pk)


@pytest.fixture
def colleague():
    """Somebody else, with a card of their own."""
    starter_rows()
    return UserFactory(role="salesperson")


def cards_of(person: User, colleague: User) -> dict[str, Opportunity]:
    """One card of each kind, from the person's point of view; an own one may stem from better days of theirs."""
    owners = {"own": person, "unassigned": None, "somebody else's": colleague}
    cards = {whose: make_card() for whose in owners}
    for whose, card in cards.items():
        Opportunity.objects.filter(pk=card.pk).update(salesperson=owners[whose])
    return {whose: Opportunity.objects.get(pk=card.pk) for whose, card in cards.items()}


VISIBLE = {
    (role, sees): WHOSE
    if role in ("manager", "admin") or sees == "all"
    else ("own", "unassigned")[: 1 + (sees != "own")]
    for role, sees in itertools.product(("salesperson", "manager", "admin"), SEES.values)
} | {("", sees): () for sees in SEES.values}


@pytest.mark.parametrize(("role", "sees"), sorted(VISIBLE))
def test_lists_show_exactly_the_cards_that_may_be_opened(role, sees, colleague):
    BusinessSettings.objects.update(salespeople_see=sees)
    person = UserFactory(role=role)
    cards = cards_of(person, colleague)
    person = fresh(person)

    listed = {card.pk for card in Opportunity.objects.visible_to(person)}
    opened = {card.pk for card in cards.values() if access.may_see(person, card)}

    assert listed == opened == {cards[whose].pk for whose in VISIBLE[role, sees]}


def expected(role: str, sees: str, whose: str, verb: str) -> bool:
    """The table of D40, written out once more."""
    if whose not in VISIBLE[role, sees]:
        return False
    if role in ("manager", "admin"):
        return True
    if verb in ("reassign", "undo_others", "refund", "void_accepted", "leave_on_no_card"):
        return False
    if verb in OWN_ONLY:
        return whose in ("own", "unassigned")
    return True


@pytest.mark.parametrize(("role", "sees"), sorted(VISIBLE))
def test_each_role_may_do_what_the_table_says(role, sees, colleague):
    BusinessSettings.objects.update(salespeople_see=sees)
    person = UserFactory(role=role)
    cards = cards_of(person, colleague)
    person = fresh(person)

    found = {(whose, verb): access.may(person, verb, card) for whose, card in cards.items() for verb in CARD_VERBS}

    assert found == {(whose, verb): expected(role, sees, whose, verb) for whose, verb in found}


@pytest.mark.parametrize(("role", "sees"), sorted(VISIBLE))
def test_what_may_not_be_seen_does_not_exist_and_what_may_not_be_done_is_refused(role, sees, colleague):
    BusinessSettings.objects.update(salespeople_see=sees)
    person = UserFactory(role=role)
    cards = cards_of(person, colleague)
    person = fresh(person)

    for (whose, card), verb in itertools.product(cards.items(), CARD_VERBS):
        if whose not in VISIBLE[role, sees]:
            with pytest.raises(Opportunity.DoesNotExist):
                access.require(person, verb, card)
        elif not expected(role, sees, whose, verb):
            with pytest.raises(NotAllowed, match="Only"):
                access.require(person, verb, card)
        else:
            access.require(person, verb, card)


@pytest.mark.parametrize(("role", "may"), [("", False), ("salesperson", False), ("manager", False), ("admin", True)])
@pytest.mark.parametrize("verb", sorted(access.OF_ADMINS))
def test_settings_people_and_shared_boards_are_for_admins(role, may, verb):
    assert access.may(UserFactory(role=role), verb) is may


def test_the_system_may_do_everything(colleague):
    card = make_card(salesperson_id=colleague.pk)

    assert all(access.may(None, verb, card) for verb in CARD_VERBS)
    assert Opportunity.objects.visible_to(None).count() == 1


def test_a_refusal_names_who_may(colleague):
    card = make_card(salesperson_id=colleague.pk)

    with pytest.raises(NotAllowed, match=f"Only {colleague.get_full_name()}, whose card this is, or a manager"):
        access.require(UserFactory(), "archive", card)


def test_a_verb_that_no_rule_knows_is_never_allowed():
    with pytest.raises(KeyError):
        access.may(UserFactory(role="admin"), "archiev")


def test_a_superuser_is_an_admin():
    assert access.role_of(UserFactory(role="", is_superuser=True)) is Role.ADMIN


def test_who_is_in_several_groups_has_the_highest_role():
    person = UserFactory(role="salesperson")
    person.groups.add(*UserFactory(role="manager").groups.all())

    assert access.role_of(fresh(person)) is Role.MANAGER


@pytest.mark.parametrize("role", ["salesperson", "manager", "admin"])
def test_who_is_deactivated_has_no_role(role):
    assert access.role_of(UserFactory(role=role, is_active=False)) is Role.NONE


def test_nobody_has_no_role():
    assert access.role_of(AnonymousUser()) is Role.NONE


def test_the_person_of_a_request_comes_with_their_role_in_one_statement(django_assert_num_queries):
    starter_rows()
    person = UserFactory(role="manager")

    with django_assert_num_queries(1):
        found = access.RoleBackend().get_user(person.pk)
        assert access.role_of(found) is Role.MANAGER
        access.visible_rows(found)
