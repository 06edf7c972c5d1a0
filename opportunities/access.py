"""Who may see which card and do what to it (D40). Verbs ask here under their lock; edges ask to decide what to show."""

from enum import StrEnum
from typing import TYPE_CHECKING, Any, override

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Exists, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext as _

from opportunities.errors import NotAllowed
from opportunities.models.background import JobSlot
from opportunities.models.setup import BusinessSettings

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from opportunities.models.document import Document
    from opportunities.models.opportunity import Opportunity

type Person = User
"""A colleague who signs in; where it may be None, that is the system."""


class Role(StrEnum):
    """Admin includes Manager includes Salesperson; nobody else gets in."""

    NONE = ""
    SALESPERSON = "salesperson"
    MANAGER = "manager"
    ADMIN = "admin"


GROUPS = {Role.ADMIN: "Admin", Role.MANAGER: "Manager", Role.SALESPERSON: "Salesperson"}
"""The names of the groups, as the admin shows them; the highest role first."""

_RANKS = {Role.NONE: 0, Role.SALESPERSON: 1, Role.MANAGER: 2, Role.ADMIN: 3}

ON_ANY_VISIBLE_CARD = frozenset({"create", "view", "move", "edit", "note", "action", "duplicate", "quote"})
ON_OWN_OR_UNASSIGNED = frozenset(
    {"set_status", "archive", "take", "agreement", "job", "convert", "payment", "attach", "detach", "void", "cancel"}
)
OF_MANAGERS = frozenset({"reassign", "undo_others", "refund", "void_accepted", "leave_on_no_card"})
OF_ADMINS = frozenset({"settings", "people", "shared_boards"})


def role_of(user: Any) -> Role:
    """Return the person's role, from their groups; superusers are Admins, inactive people have none."""
    if user is None or not user.is_authenticated or not user.is_active:
        return Role.NONE
    if not hasattr(user, "role"):
        _describe(user, set(user.groups.values_list("name", flat=True)), None)
    return Role(user.role)


def _describe(user: Any, groups: set[str], sees: str | None) -> None:
    held = (role for role, name in GROUPS.items() if name in groups)
    user.role = Role.ADMIN if user.is_superuser else next(held, Role.NONE)
    if sees is not None:
        user.sees = sees


def _sees(user: Any) -> str:
    if not hasattr(user, "sees"):
        user.sees = BusinessSettings.current().salespeople_see
    return str(user.sees)


class _Count(Subquery):
    """Counts the rows of a query within another one."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


MANY = 100
"""The bell counts no further."""


class RoleBackend(ModelBackend):
    """Loads the person of a request with their role, what they may see and what waits at the bell, in one statement."""

    @override
    def get_user(self, user_id: int) -> Any:
        in_group = Group.objects.filter(user=OuterRef("pk"))
        held = {f"in_{role}": Exists(in_group.filter(name=name)) for role, name in GROUPS.items()}
        sees = Subquery(BusinessSettings.objects.values("salespeople_see")[:1])
        # When admins are to be told about a background job stands in the same statement: every page asks for it.
        alarm = Subquery(JobSlot.objects.exclude(alarm_at=None).order_by("alarm_at").values("alarm_at")[:1])
        notices = apps.get_model("opportunities", "Notice").objects.unread()
        waiting = _Count(notices.filter(person=OuterRef("pk")).order_by().values("pk")[:MANY])
        people: Any = get_user_model()._default_manager.annotate(
            **held, found_sees=sees, unread=waiting, jobs_alarm_at=alarm
        )
        user = people.filter(pk=user_id).first()
        if user is None or not self.user_can_authenticate(user):
            return None
        groups = {name for role, name in GROUPS.items() if getattr(user, f"in_{role}")}
        _describe(user, groups, getattr(user, "found_sees") or BusinessSettings.SalespeopleSee.ALL.value)
        return user


def is_at_least(user: Any, role: Role) -> bool:
    """Tell whether the person's role includes another; the system (None) includes all."""
    return user is None or _RANKS[role_of(user)] >= _RANKS[role]


def may_take_cards() -> "QuerySet[Person]":
    """The people who can be given a card or an action item: active, and in a group; by name. Verbs and pickers ask."""
    active = get_user_model()._default_manager.filter(is_active=True)
    with_role = active.filter(Q(is_superuser=True) | Q(groups__name__in=GROUPS.values())).distinct()
    return with_role.order_by("first_name", "last_name", "username", "pk")


def require_takes_cards(person_id: int, field: str) -> None:
    """Let a colleague be given something. :raises ValidationError: at `field`, they left or have no role."""
    if not may_take_cards().filter(pk=person_id).exists():
        raise ValidationError({field: _("This colleague is not here any more, or is in no group.")})


def visible_rows(user: "Person | None") -> Q:
    """Return the condition for the cards that this person may see, for every list, total, search and export."""
    if is_at_least(user, Role.MANAGER):
        return Q()
    if user is None or role_of(user) is Role.NONE:
        return Q(pk__in=())
    sees = _sees(user)
    if sees == BusinessSettings.SalespeopleSee.ALL:
        return Q()
    own = Q(salesperson=user)
    return own if sees == BusinessSettings.SalespeopleSee.OWN else own | Q(salesperson=None)


def visible_documents(user: "Person | None") -> Q:
    """Return the condition for documents: those of visible cards; one on no card is seen by its maker and managers."""
    if is_at_least(user, Role.MANAGER):
        return Q()
    if user is None or role_of(user) is Role.NONE:
        return Q(pk__in=())
    loose = Q(opportunity=None, created_by=user)
    sees = _sees(user)
    if sees == BusinessSettings.SalespeopleSee.ALL:
        return Q(opportunity__isnull=False) | loose
    own = Q(opportunity__salesperson=user)
    if sees == BusinessSettings.SalespeopleSee.OWN_AND_UNASSIGNED:
        own |= Q(opportunity__isnull=False, opportunity__salesperson=None)
    return own | loose


def visible_mails(user: "Person | None") -> Q:
    """Return the condition for mails: those of visible cards and documents, and what was written to the reader alone.

    What is written to a colleague (notices, digests, reminders) only they and admins read.
    """
    from opportunities.models import Agreement, Opportunity, Quote

    if is_at_least(user, Role.ADMIN):
        return Q()
    if user is None or role_of(user) is Role.NONE:
        return Q(pk__in=())
    to_customers = ~Q(kind__in=("notice", "digest", "reminder"))
    own = Q(person=user)
    if is_at_least(user, Role.MANAGER):
        return to_customers | own
    documents = visible_documents(user)
    seen = (
        Q(opportunity__in=Opportunity.objects.filter(visible_rows(user)))
        | Q(quote__in=Quote.objects.filter(documents))
        | Q(agreement__in=Agreement.objects.filter(documents))
    )
    return (to_customers & seen) | own


def may_see_document(user: "Person | None", document: "Document") -> bool:
    """Tell whether this person may see the document; the same rule as `visible_documents`, for one row in hand."""
    if document.opportunity is not None:
        return may_see(user, document.opportunity)
    if is_at_least(user, Role.MANAGER):
        return True
    return user is not None and role_of(user) is not Role.NONE and document.created_by_id == user.pk


def may_with_document(user: "Person | None", verb: str, document: "Document") -> bool:
    """Tell whether this person may do this with the document, by the card that it is on."""
    return may_see_document(user, document) and may(user, verb, document.opportunity)


def require_document(user: "Person | None", verb: str, document: "Document") -> None:
    """Let the person pass, or say who may. Errors as `require`, with the document's own DoesNotExist."""
    if not may_see_document(user, document):
        raise type(document).DoesNotExist
    if not may(user, verb, document.opportunity):
        raise NotAllowed(who_may(verb, document.opportunity))


def sees_unassigned(user: "Person | None") -> bool:
    """Tell whether this person sees cards that nobody has."""
    return is_at_least(user, Role.MANAGER) or _sees(user) != BusinessSettings.SalespeopleSee.OWN


def may_see(user: "Person | None", opportunity: "Opportunity") -> bool:
    """Tell whether this person may see the card; the same rule as `visible_rows`, for one row in hand."""
    if is_at_least(user, Role.MANAGER):
        return True
    if user is None or role_of(user) is Role.NONE:
        return False
    sees = _sees(user)
    if sees == BusinessSettings.SalespeopleSee.ALL or opportunity.salesperson_id == user.pk:
        return True
    return sees == BusinessSettings.SalespeopleSee.OWN_AND_UNASSIGNED and opportunity.salesperson_id is None


def may(user: "Person | None", verb: str, opportunity: "Opportunity | None" = None) -> bool:
    """Tell whether this person may do this, to this card where one is named.

    :raises KeyError: for a verb that no rule knows, so that a misspelt one never passes.
    """
    if opportunity is not None and not may_see(user, opportunity):
        return False
    if verb in ON_ANY_VISIBLE_CARD:
        return is_at_least(user, Role.SALESPERSON)
    if verb in ON_OWN_OR_UNASSIGNED:
        if is_at_least(user, Role.MANAGER):
            return True
        return is_at_least(user, Role.SALESPERSON) and (
            opportunity is None or user is None or opportunity.salesperson_id in (None, user.pk)
        )
    if verb in OF_MANAGERS:
        return is_at_least(user, Role.MANAGER)
    if verb in OF_ADMINS:
        return is_at_least(user, Role.ADMIN)
    raise KeyError(verb)


def require(user: "Person | None", verb: str, opportunity: "Opportunity | None" = None) -> None:
    """Let the person pass, or say who may.

    :raises Opportunity.DoesNotExist: when they may not even see the card.
    :raises NotAllowed: when they may see it but not do this.
    """
    if opportunity is not None and not may_see(user, opportunity):
        raise type(opportunity).DoesNotExist
    if may(user, verb, opportunity):
        return
    raise NotAllowed(who_may(verb, opportunity))


def who_may(verb: str, opportunity: "Opportunity | None" = None) -> str:
    """Say in words who may do this."""
    if verb in ON_OWN_OR_UNASSIGNED and opportunity is not None and opportunity.salesperson is not None:
        name = opportunity.salesperson.get_full_name() or opportunity.salesperson.get_username()
        return _("Only %(name)s, whose card this is, or a manager may do that.") % {"name": name}
    if verb in OF_ADMINS:
        return _("Only an admin may do that.")
    if verb in OF_MANAGERS or verb in ON_OWN_OR_UNASSIGNED:
        return _("Only a manager may do that.")
    return _("You have no role here yet: ask an admin to put you in a group.")
