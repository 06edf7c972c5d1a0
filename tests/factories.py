"""Rows for tests. Each factory makes a row that passes every constraint; a test names only what it depends on."""

from datetime import UTC, datetime
from typing import Any

import factory
from django.contrib.auth.models import Group, User
from factory.django import DjangoModelFactory

from boards.models import Board, Column, ColumnStage
from opportunities import pipeline
from opportunities.access import GROUPS, Role
from opportunities.models import (
    BusinessSettings,
    Contact,
    Customer,
    Opportunity,
    OpportunityStage,
    OpportunityStatus,
    OpportunityType,
    Reason,
)

NOW = datetime(2025, 6, 10, 9, 0, tzinfo=UTC)
"""Tue 10 Jun 2025, the day of the acceptance scenarios."""

PASSWORD = "correct horse battery"


class UserFactory(DjangoModelFactory[User]):
    """A colleague with a role ("salesperson", "manager", "admin", or "" for nobody yet)."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"person-{n}")
    first_name = "Ann"
    last_name = factory.Sequence(lambda n: f"Kowalski {n}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.test")
    password = factory.django.Password(PASSWORD)

    @factory.post_generation
    def role(self, create: bool, extracted: str | None, **_: Any) -> None:
        """Put the person in the group of the role."""
        role = Role("salesperson" if extracted is None else extracted)
        if role is not Role.NONE:
            group, _made = Group.objects.get_or_create(name=GROUPS[role])
            self.groups.add(group)  # type: ignore[attr-defined]
        if role is Role.ADMIN:
            self.is_staff = True
            self.save()  # type: ignore[attr-defined]


class StageFactory(DjangoModelFactory[OpportunityStage]):
    """A stage of the business."""

    class Meta:
        model = OpportunityStage

    name = factory.Sequence(lambda n: f"Stage {n}")
    sequence = factory.Sequence(lambda n: n)
    colour = "blue"
    probability = 50


class TypeFactory(DjangoModelFactory[OpportunityType]):
    """A kind of deal."""

    class Meta:
        model = OpportunityType

    name = factory.Sequence(lambda n: f"Type {n}")


class ReasonFactory(DjangoModelFactory[Reason]):
    """A reason of the cancel list; `void=True` puts it on the other one."""

    class Meta:
        model = Reason

    class Params:
        void = factory.Trait(list=Reason.List.VOID)

    list = Reason.List.CANCEL
    label = factory.Sequence(lambda n: f"Reason {n}")


class CustomerFactory(DjangoModelFactory[Customer]):
    """A firm."""

    class Meta:
        model = Customer

    name = factory.Sequence(lambda n: f"Customer {n}")
    created_at = NOW


class ContactFactory(DjangoModelFactory[Contact]):
    """A person at a firm."""

    class Meta:
        model = Contact

    customer = factory.SubFactory(CustomerFactory)
    name = factory.Sequence(lambda n: f"Contact {n}")


class BoardFactory(DjangoModelFactory[Board]):
    """A shared board; `stages=[...]` gives it a column for each."""

    class Meta:
        model = Board
        skip_postgeneration_save = True

    name = factory.Sequence(lambda n: f"Board {n}")

    @factory.post_generation
    def stages(self, create: bool, extracted: list[OpportunityStage] | None, **_: Any) -> None:
        """Make a column for each stage, in this order."""
        for place, stage in enumerate(extracted or ()):
            column = Column.objects.create(board=self, name=stage.name, sequence=place)
            ColumnStage.objects.create(board=self, column=column, stage=stage)


def starter_rows() -> dict[str, OpportunityStatus]:
    """Make the five status rows of a new installation and a business in UTC; answers the rows by name."""
    if not BusinessSettings.objects.filter(pk=1).update(name="Harbor Heating", time_zone="UTC"):
        BusinessSettings.objects.create(pk=1, name="Harbor Heating", time_zone="UTC")
    flags: dict[str, dict[str, bool]] = {
        "Default": {"is_default": True},
        "Inactive": {"inactive": True, "closed": True},
        "Closed": {"closed": True},
        "Won": {"closed": True, "won": True},
        "Lost": {"closed": True, "lost": True},
    }
    found = {row.name: row for row in OpportunityStatus.objects.filter(name__in=flags)}
    # Without a transaction of its own for each: most tests begin with these rows.
    for place, (name, given) in enumerate(flags.items()):
        if name not in found:
            found[name] = OpportunityStatus.objects.create(name=name, sequence=place, **given)
    return {name: found[name] for name in flags}


def make_card(*, now: datetime = NOW, actor: User | None = None, **fields: Any) -> Opportunity:
    """Make a card by the verb, with a title of its own; the status rows are made where they are missing."""
    if not OpportunityStatus.objects.filter(is_default=True).exists():
        starter_rows()
    fields.setdefault("title", f"Card {Opportunity.objects.count() + 1}")
    fields.setdefault("salesperson_id", actor.pk if actor else None)
    return pipeline.create(actor=actor, now=now, **fields)
