"""Boards, their columns, and which stages each column stands for."""

from typing import Self, override

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from opportunities.access import Person, Role, is_at_least
from opportunities.models import Colour, OpportunityStage

DAYS_AT_MOST = 3650
"""The longest time, in days, that a board keeps what has ended."""


class BoardQuerySet(models.QuerySet["Board"]):
    """The vocabulary for boards."""

    def visible_to(self, user: Person) -> Self:
        """Shared boards and the person's own."""
        return self.filter(Q(owner=None) | Q(owner=user))

    def in_order(self) -> Self:
        """The default first, then by name."""
        return self.order_by("-is_default", "name", "pk")


class Board(models.Model):
    """The cards that a saved filter selects, in columns; shared, or one person's own (owner)."""

    class Sort(models.TextChoices):
        """How a column is ordered. Only by hand can cards be put in their places."""

        RANK = "rank", _("as people put them")
        FORECAST_DATE = "forecast_date", _("by forecast date")
        AMOUNT = "amount", _("by amount, largest first")
        STAGE_AGE = "stage_age", _("by age in the stage, oldest first")
        NEXT_ACTION = "next_action", _("by next action")

    name = models.CharField(_("name"), max_length=60)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="boards",
        verbose_name=_("owner"),
        help_text=_("Empty: everybody sees the board."),
    )
    is_default = models.BooleanField(_("default"), default=False)
    filter = models.CharField(
        _("saved filter"), max_length=1000, blank=True, help_text=_("The query string of the filter.")
    )
    sort = models.CharField(_("order of the cards"), max_length=15, choices=Sort, default=Sort.RANK)
    wip_binding = models.BooleanField(
        _("maximum is binding"), default=False, help_text=_("A full column takes no more cards on this board.")
    )
    completed_days = models.PositiveSmallIntegerField(
        _("days until a completed card leaves"),
        null=True,
        blank=True,
        default=14,
        validators=[MaxValueValidator(DAYS_AT_MOST)],
        help_text=_("So many days after completion; empty: never. A filter that asks for such cards shows them."),
    )
    lost_days = models.PositiveSmallIntegerField(
        _("days until a lost card leaves"),
        null=True,
        blank=True,
        default=30,
        validators=[MaxValueValidator(DAYS_AT_MOST)],
        help_text=_("So many days after the decision, unless an offer is still open; empty: never."),
    )

    objects = BoardQuerySet.as_manager()

    class Meta:
        verbose_name = _("board")
        verbose_name_plural = _("boards")
        constraints = (
            models.CheckConstraint(condition=~Q(name=""), name="board_name_not_blank"),
            models.UniqueConstraint(
                fields=("is_default",),
                condition=Q(is_default=True),
                name="board_one_default",
                violation_error_message=_("Another board is the default already."),
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(owner__isnull=True),
                name="board_default_is_shared",
                violation_error_message=_("The default board is a shared one."),
            ),
            models.CheckConstraint(
                condition=Q(sort__in=("rank", "forecast_date", "amount", "stage_age", "next_action")),
                name="board_sort_known",
            ),
        )

    @override
    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("boards:board", args=[self.pk])

    def may_be_edited_by(self, user: Person) -> bool:
        """Owners edit their own boards, Admins the shared ones."""
        return self.owner_id == user.pk if self.owner_id is not None else is_at_least(user, Role.ADMIN)


class Column(models.Model):
    """One column of a board; the cards of its stages."""

    board = models.ForeignKey(Board, on_delete=models.CASCADE, related_name="columns", verbose_name=_("board"))
    name = models.CharField(_("name"), max_length=50)
    colour = models.CharField(_("colour"), max_length=10, choices=Colour, blank=True)
    sequence = models.PositiveIntegerField(_("order"), default=0)
    wip_min = models.PositiveSmallIntegerField(_("at least (cards)"), null=True, blank=True)
    wip_max = models.PositiveSmallIntegerField(_("at most (cards)"), null=True, blank=True)
    stages = models.ManyToManyField(OpportunityStage, through="ColumnStage", related_name="columns")

    class Meta:
        verbose_name = _("column")
        verbose_name_plural = _("columns")
        ordering = ("sequence", "pk")
        constraints = (
            models.CheckConstraint(condition=~Q(name=""), name="column_name_not_blank"),
            models.CheckConstraint(
                condition=Q(wip_max__isnull=True) | Q(wip_max__gte=1), name="column_wip_max_positive"
            ),
            models.CheckConstraint(
                condition=Q(wip_max__isnull=True) | Q(wip_min__isnull=True) | Q(wip_max__gte=models.F("wip_min")),
                name="column_wip_in_order",
                violation_error_message=_("The maximum cannot be smaller than the minimum."),
            ),
        )

    @override
    def __str__(self) -> str:
        return self.name


class ColumnStage(models.Model):
    """A column stands for a stage. `board` repeats the column's, so that the database keeps a stage once a board."""

    column = models.ForeignKey(Column, on_delete=models.CASCADE, related_name="mapped", verbose_name=_("column"))
    board = models.ForeignKey(Board, on_delete=models.CASCADE, related_name="+", editable=False)
    stage = models.ForeignKey(
        OpportunityStage, on_delete=models.CASCADE, related_name="mapped", verbose_name=_("stage")
    )
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = _("stage of a column")
        verbose_name_plural = _("stages of a column")
        ordering = ("position", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=("board", "stage"),
                name="column_stage_once_a_board",
                violation_error_message=_("This stage is in another column of the board already."),
            ),
        )

    @override
    def __str__(self) -> str:
        return f"{self.column_id}: {self.stage_id}"


class Fold(models.Model):
    """A column that one person keeps folded; without a column, the tray of the board."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    board = models.ForeignKey(Board, on_delete=models.CASCADE, related_name="+")
    column = models.ForeignKey(Column, on_delete=models.CASCADE, null=True, related_name="+")

    class Meta:
        verbose_name = _("folded column")
        verbose_name_plural = _("folded columns")
        constraints = (
            models.UniqueConstraint(fields=("user", "column"), name="fold_once_a_person"),
            models.UniqueConstraint(
                fields=("user", "board"), condition=Q(column__isnull=True), name="fold_tray_once_a_person"
            ),
        )

    @override
    def __str__(self) -> str:
        return f"{self.user_id}: {self.board_id}/{self.column_id}"
