"""The colleagues: who works here, in which group, and what happens to their cards when they leave (D40)."""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from opportunities import access, bulk, password_links
from opportunities.access import GROUPS, Person, Role
from opportunities.errors import Blocker, Refused
from opportunities.models import BulkAct, Opportunity, PersonPhone

log = logging.getLogger(__name__)

ROLES = (Role.SALESPERSON, Role.MANAGER, Role.ADMIN)
"""What a colleague can be."""


NAMES = frozenset({"username", "first_name", "last_name", "email"})
"""What `edit` takes besides the group."""


def colleagues() -> "QuerySet[Person]":
    """Everybody with an account, with their number of open cards; who still works here comes first."""
    open_cards = Opportunity.objects.filter(salesperson=OuterRef("pk")).open().not_closed().not_archived()
    counted = open_cards.order_by().values("salesperson").annotate(cards=Count("pk")).values("cards")
    rows = get_user_model()._default_manager.annotate(
        open_cards=Coalesce(Subquery(counted, output_field=IntegerField()), 0)
    )
    return rows.prefetch_related("groups").order_by("-is_active", "first_name", "last_name", "username", "pk")


def group_role(person: Person) -> Role:
    """Return the role that a person has while they are active, from groups that are fetched already."""
    if person.is_superuser:
        return Role.ADMIN
    held = {group.name for group in person.groups.all()}
    return next((role for role, name in GROUPS.items() if name in held), Role.NONE)


def admins() -> "QuerySet[Person]":
    """The people who can be asked for a role or for the setup."""
    everybody = get_user_model()._default_manager.filter(is_active=True)
    chosen = everybody.filter(Q(is_superuser=True) | Q(groups__name=GROUPS[Role.ADMIN]))
    return chosen.distinct().order_by("first_name", "last_name", "username", "pk")


def invite(
    *,
    username: str,
    first_name: str = "",
    last_name: str = "",
    email: str = "",
    phone: str = "",
    role: Role,
    actor: Person | None,
    now: datetime,
) -> Person:
    """Add a colleague, who sets the password by a link (`password_link`). Where mail is set up, the link is mailed.

    :raises NotAllowed: the actor is no admin.
    :raises ValidationError: the username is taken or of a wrong form, the e-mail address cannot be read.
    """
    access.require(actor, "people")
    with transaction.atomic():
        groups = _lock_groups()
        person = _checked(
            get_user_model()(
                username=username, first_name=first_name, last_name=last_name, email=email, date_joined=now
            )
        )
        person.set_unusable_password()
        person.save(force_insert=True)
        _set_phone(person, phone)
        _put_in(person, role, groups)
    _note("person added", person, actor, role=role)
    if person.email and password_links.mail_is_set_up():
        password_links.mail(person)
    return person


def edit(
    *,
    person_id: int,
    role: Role | None = None,
    phone: str | None = None,
    actor: Person | None,
    now: datetime,
    **names: str,
) -> Person:
    """Change a colleague's group, phone, or `names`: username, first_name, last_name, email. What is not named stays.

    :raises TypeError: a name that nobody has.
    :raises Refused: LAST_ADMIN, it would leave nobody who can set things up.
    :raises NotAllowed: the actor is no admin. :raises ValidationError: as `invite`.
    """
    access.require(actor, "people")
    if unknown := names.keys() - NAMES:
        raise TypeError(f"edit() does not know {', '.join(sorted(unknown))}")
    with transaction.atomic():
        groups = _lock_groups()
        person = _locked(person_id)
        if role is not None and role is not Role.ADMIN:
            _require_another_admin(person)
        for name, value in names.items():
            setattr(person, name, value)
        _checked(person).save(update_fields=list(NAMES))
        _set_phone(person, phone)
        if role is not None:
            _put_in(person, role, groups)
    _note("person changed", person, actor, **({} if role is None else {"role": role}))
    return person


def edit_own(
    *, first_name: str, last_name: str, email: str, phone: str | None = None, actor: Person, now: datetime
) -> Person:
    """Change one's own name, address and phone; the username and the group are an admin's to change.

    :raises ValidationError: the e-mail address cannot be read, the phone is too long.
    """
    with transaction.atomic():
        person = _locked(actor.pk)
        person.first_name, person.last_name, person.email = first_name, last_name, email
        _checked(person).save(update_fields=["first_name", "last_name", "email"])
        _set_phone(person, phone)
    return person


def deactivate(*, person_id: int, actor: Person | None, now: datetime) -> Person:
    """End a colleague's access at once. Their cards, notes and history stay theirs; `hand_over` passes cards on.

    :raises Refused: LAST_ADMIN, they are the only admin. :raises NotAllowed: the actor is no admin.
    """
    access.require(actor, "people")
    with transaction.atomic():
        _lock_groups()
        person = _locked(person_id)
        _require_another_admin(person)
        person.is_active = False
        person.save(update_fields=["is_active"])
    _note("person deactivated", person, actor)
    return person


def reactivate(*, person_id: int, actor: Person | None, now: datetime) -> Person:
    """Let a colleague in again, with the group and password that they had.

    :raises NotAllowed: the actor is no admin.
    """
    access.require(actor, "people")
    with transaction.atomic():
        person = _locked(person_id)
        person.is_active = True
        person.save(update_fields=["is_active"])
    _note("person reactivated", person, actor)
    return person


def password_link(*, person_id: int, actor: Person | None, now: datetime) -> str:
    """Return a fresh link by which this colleague sets the password; it works once, for three days.

    :raises Refused: WRONG_STATE, they are deactivated. :raises NotAllowed: the actor is no admin.
    """
    access.require(actor, "people")
    person = get_user_model()._default_manager.get(pk=person_id)
    _require_active(person)
    _note("password link made", person, actor)
    return password_links.link_for(person)


def mail_password_link(*, person_id: int, actor: Person | None, now: datetime) -> Person:
    """Mail this colleague a fresh link.

    :raises Refused: WRONG_STATE (deactivated), NO_ADDRESS, NO_MAIL (no mail server is set up).
    :raises NotAllowed: the actor is no admin.
    """
    access.require(actor, "people")
    person = get_user_model()._default_manager.get(pk=person_id)
    _require_active(person)
    if not person.email:
        words = _("There is no e-mail address of %(name)s. Add one, or pass the link on yourself.")
        raise Refused(Blocker("NO_ADDRESS", words % {"name": name_of(person)}))
    if not password_links.mail_is_set_up():
        raise Refused(Blocker("NO_MAIL", _("No mail server is set up here. Copy the link and pass it on yourself.")))
    password_links.mail(person)
    _note("password link mailed", person, actor)
    return person


def hand_over(*, person_id: int, to_id: int, actor: Person, now: datetime) -> BulkAct:
    """Give all open cards of one colleague to another, as one bulk act that can be undone.

    :raises ValidationError: the other one cannot take cards. :raises NotAllowed: the actor is no admin.
    """
    access.require(actor, "people")
    giver = get_user_model()._default_manager.get(pk=person_id)
    taker = access.may_take_cards().exclude(pk=giver.pk).filter(pk=to_id).first()
    if taker is None:
        raise ValidationError({"to": _("Choose a colleague who works here and has a group.")})
    cards = Opportunity.objects.filter(salesperson=giver).open().not_closed().not_archived()
    ids = list(cards.values_list("pk", flat=True))
    arguments = {"salesperson_id": taker.pk}
    return bulk.start(verb="salesperson", arguments=arguments, opportunity_ids=ids, actor=actor, now=now)


def make_admin(
    *, username: str, email: str = "", first_name: str = "", last_name: str = "", password: str = "", now: datetime
) -> tuple[Person, bool]:
    """Make the first Admin, or an Admin of somebody who has an account; for the one who runs the server.

    Without a password the person keeps theirs, or sets one by a link. Answers the person, and whether they are new.

    :raises ValidationError: the name is of a wrong form, or the password is too easy to guess.
    """
    with transaction.atomic():
        groups = _lock_groups()
        person = get_user_model()._default_manager.filter(username__iexact=username.strip()).first()
        is_new = person is None
        if person is None:
            person = get_user_model()(username=username, date_joined=now)
            person.set_unusable_password()
        for field, given in (("email", email), ("first_name", first_name), ("last_name", last_name)):
            if given:
                setattr(person, field, given)
        _checked(person)
        if password:
            try:
                validate_password(password, person)
            except ValidationError as error:
                raise ValidationError({"password": error.messages}) from error
            person.set_password(password)
        person.is_active = True
        person.save()
        _put_in(person, Role.ADMIN, groups)
    _note("admin made", person, None)
    return person, is_new


def name_of(person: Person) -> str:
    """The name that people call somebody by."""
    return person.get_full_name() or person.get_username()


def _lock_groups() -> dict[str, Group]:
    """Lock the groups, the lowest number first: two admins at once cannot take the right from each other."""
    for name in GROUPS.values():
        Group.objects.get_or_create(name=name)
    rows: Iterable[Group] = Group.objects.select_for_update(no_key=True).filter(name__in=GROUPS.values()).order_by("pk")
    return {group.name: group for group in rows}


def _locked(person_id: int) -> Person:
    return get_user_model()._default_manager.select_for_update(of=("self",)).get(pk=person_id)


def _put_in(person: Person, role: Role, groups: dict[str, Group]) -> None:
    """Make the group of the role the only one of ours; admins may open the Django admin."""
    if role not in ROLES:
        raise ValidationError({"role": _("Choose a group.")})
    person.groups.remove(*(group for name, group in groups.items() if name != GROUPS[role]))
    person.groups.add(groups[GROUPS[role]])
    person.is_staff = role is Role.ADMIN
    person.is_superuser = person.is_superuser and role is Role.ADMIN
    person.save(update_fields=["is_staff", "is_superuser"])


def _require_another_admin(person: Person) -> None:
    if person.is_active and group_role(person) is Role.ADMIN and not admins().exclude(pk=person.pk).exists():
        words = _("%(name)s is the only admin. Make somebody else an admin first.")
        raise Refused(Blocker("LAST_ADMIN", words % {"name": name_of(person)}))


def _require_active(person: Person) -> None:
    if not person.is_active:
        words = _("%(name)s is deactivated. Reactivate them first; then they can set a password.")
        raise Refused(Blocker("WRONG_STATE", words % {"name": name_of(person)}))


def _checked(person: Person) -> Person:
    """Tidy and judge what was typed about a person."""
    person.username = get_user_model().normalize_username(person.username.strip())
    person.first_name = " ".join(person.first_name.replace("\x00", "").split())
    person.last_name = " ".join(person.last_name.replace("\x00", "").split())
    person.email = get_user_model()._default_manager.normalize_email(person.email.strip())
    person.clean_fields(exclude={"password", "last_login", "date_joined"})
    namesakes = get_user_model()._default_manager.filter(username__iexact=person.username).exclude(pk=person.pk)
    if namesakes.exists():
        raise ValidationError({"username": _("Somebody else has this username. Choose another.")})
    return person


def _set_phone(person: Person, phone: str | None) -> None:
    """Keep a person's phone; empty takes it away, None leaves it."""
    if phone is None:
        return
    row = PersonPhone(user=person, phone=" ".join(phone.replace("\x00", "").split()))
    if not row.phone:
        PersonPhone.objects.filter(user=person).delete()
        return
    row.clean_fields()
    PersonPhone.objects.update_or_create(user=person, defaults={"phone": row.phone})


def _note(what: str, person: Person, actor: Person | None, **more: Any) -> None:
    log.info(what, extra={"person": person.pk, "by": actor.pk if actor else None, **more})
