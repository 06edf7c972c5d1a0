"""What an act on many cards will do and what it did, in sentences: for buttons beforehand and for the answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from boards.list_forms import name_of
from opportunities import bulk
from opportunities.filter_keys import NONE
from opportunities.models import BulkAct, OpportunityStage, OpportunityStatus, Reason


@dataclass(frozen=True, slots=True)
class Refusal:
    """A card that was refused, and why: `why` follows the number. Without a url it stands for cards nobody names."""

    number: str
    url: str
    why: str


@dataclass(frozen=True, slots=True)
class Answer:
    """How an act went. `promise` is what its button said."""

    act: BulkAct
    promise: str
    sentence: str
    refusals: tuple[Refusal, ...]
    more_refused: int
    may_undo: bool
    is_final: bool


def counted(n: int) -> str:
    """Say how many cards: 1 card, 1,240 cards."""
    return ngettext("%(n)s card", "%(n)s cards", n) % {"n": formats.number_format(n, force_grouping=True)}


def move(n: int, stage: str) -> str:
    """Move 18 cards to Decision pending."""
    return _("Move %(cards)s to %(stage)s") % {"cards": counted(n), "stage": stage}


def unstage(n: int) -> str:
    """Take the stage off 18 cards."""
    return _("Take the stage off %(cards)s") % {"cards": counted(n)}


def give(n: int, person: str) -> str:
    """Give 18 cards to Maria Reyes."""
    return _("Give %(cards)s to %(person)s") % {"cards": counted(n), "person": person}


def ungive(n: int) -> str:
    """Leave 18 cards to nobody."""
    return _("Leave %(cards)s to nobody") % {"cards": counted(n)}


def date_to(n: int, day: date | None) -> str:
    """Set the forecast date of 18 cards to 12 Dec 2026; without a day, to the day that is chosen."""
    if day is None:
        return _("Set the forecast date of %(cards)s") % {"cards": counted(n)}
    # Translators: a date with its year, in the letters of Django's date format (12 Dec 2027).
    written = formats.date_format(day, _("j M Y"))
    return _("Set the forecast date of %(cards)s to %(day)s") % {"cards": counted(n), "day": written}


def undate(n: int) -> str:
    """Take the forecast date off 18 cards."""
    return _("Take the forecast date off %(cards)s") % {"cards": counted(n)}


def week_on(n: int) -> str:
    """Move the forecast date of 18 cards on by a week."""
    return _("Move the forecast date of %(cards)s on by a week") % {"cards": counted(n)}


def month_on(n: int) -> str:
    """Move the forecast date of 18 cards on by a month."""
    return _("Move the forecast date of %(cards)s on by a month") % {"cards": counted(n)}


def mark(n: int, status: str) -> str:
    """Mark 18 cards as Won."""
    return _("Mark %(cards)s as %(status)s") % {"cards": counted(n), "status": status}


def archive(n: int) -> str:
    """Archive 18 cards."""
    return _("Archive %(cards)s") % {"cards": counted(n)}


def unarchive(n: int) -> str:
    """Take 18 cards back from the archive."""
    return _("Take %(cards)s back from the archive") % {"cards": counted(n)}


def void(n: int) -> str:
    """Void 18 cards."""
    return _("Void %(cards)s") % {"cards": counted(n)}


def cancel(n: int) -> str:
    """Cancel 18 cards."""
    return _("Cancel %(cards)s") % {"cards": counted(n)}


def promise(verb: str, arguments: dict[str, Any], n: int) -> str:
    """Say what an act does to so many cards."""
    if verb == "stage":
        stage = OpportunityStage.objects.filter(pk=arguments["stage_id"]).first()
        return move(n, stage.name) if stage else unstage(n)
    if verb == "salesperson":
        person = get_user_model()._default_manager.filter(pk=arguments["salesperson_id"]).first()
        return give(n, name_of(person)) if person else ungive(n)
    if verb == "status":
        status = OpportunityStatus.objects.filter(pk=arguments["status_id"]).first()
        reason = Reason.objects.filter(pk=arguments.get("reason_id") or 0).first()
        said = mark(n, status.name if status else _("a status that is gone"))
        return f"{said}: {reason.label}" if reason else said
    if verb == "forecast_date":
        day = arguments["forecast_date"]
        return date_to(n, date.fromisoformat(day)) if day else undate(n)
    if verb in bulk.FINAL:
        reason = Reason.objects.filter(pk=arguments.get("reason_id") or 0).first()
        said = void(n) if verb == "void" else cancel(n)
        return f"{said}: {reason.label}" if reason else said
    plain = {"archive": archive, "unarchive": unarchive, bulk.UNDO: undo, bulk.LOST_RULE: judge_again}
    if verb in plain:
        return plain[verb](n)
    return week_on(n) if arguments.get("weeks") else month_on(n)


def undo(n: int) -> str:
    """Put 18 cards back as they were."""
    return _("Put %(cards)s back as they were") % {"cards": counted(n)}


def judge_again(n: int) -> str:
    """Judge 18 cards by the new setting."""
    return _("Judge %(cards)s by the new setting") % {"cards": counted(n)}


_DONE: dict[str, Callable[[int], str]] = {
    "stage": lambda n: ngettext("%(n)s card moved", "%(n)s cards moved", n),
    "stages_from_statuses": lambda n: ngettext("%(n)s card given a stage", "%(n)s cards given a stage", n),
    "salesperson": lambda n: ngettext("%(n)s card handed over", "%(n)s cards handed over", n),
    "forecast_date": lambda n: ngettext("%(n)s forecast date changed", "%(n)s forecast dates changed", n),
    "postpone": lambda n: ngettext("%(n)s forecast date moved on", "%(n)s forecast dates moved on", n),
    "status": lambda n: ngettext("%(n)s card marked", "%(n)s cards marked", n),
    "archive": lambda n: ngettext("%(n)s card archived", "%(n)s cards archived", n),
    "unarchive": lambda n: ngettext("%(n)s card taken back", "%(n)s cards taken back", n),
    "void": lambda n: ngettext("%(n)s card voided", "%(n)s cards voided", n),
    "cancel": lambda n: ngettext("%(n)s card canceled", "%(n)s cards canceled", n),
    bulk.LOST_RULE: lambda n: ngettext(
        "%(n)s card turned by the new setting", "%(n)s cards turned by the new setting", n
    ),
    bulk.UNDO: lambda n: ngettext("%(n)s card is as it was", "%(n)s cards are as they were", n),
}


def sentence(act: BulkAct) -> str:
    """Say how far an act has come: 18 cards moved, 2 refused, 3 were so already."""
    parts = [_DONE[act.verb](act.changed) % {"n": formats.number_format(act.changed, force_grouping=True)}]
    refused = formats.number_format(act.refused_count, force_grouping=True)
    if act.refused_count:
        parts.append(_("%(n)s refused") % {"n": refused})
    if act.unchanged:
        words = ngettext("%(n)s was so already", "%(n)s were so already", act.unchanged)
        parts.append(words % {"n": formats.number_format(act.unchanged, force_grouping=True)})
    if act.is_done and act.not_reached:
        words = ngettext("stopped before %(n)s card", "stopped before %(n)s cards", act.not_reached)
        parts.append(words % {"n": formats.number_format(act.not_reached, force_grouping=True)})
    return ", ".join(parts) + "."


def answer(act: BulkAct, now: datetime) -> Answer:
    """Lay out how an act went, with every refused card that is listed."""
    refusals = tuple(_refusal(entry) for entry in act.refused)
    listed = sum(entry.get("count", 1) for entry in act.refused)
    return Answer(
        act=act,
        promise=promise(act.verb, act.arguments, act.total),
        sentence=sentence(act),
        refusals=refusals,
        more_refused=act.refused_count - listed,
        may_undo=bulk.may_be_undone(act, now),
        is_final=act.verb in bulk.FINAL,
    )


def _refusal(entry: dict[str, Any]) -> Refusal:
    why = " ".join(str(each) for each in entry["why"])
    if entry["id"] is None:
        return Refusal(counted(entry["count"]), "", f": {why}")
    number = f"OPP-{entry['id']}"
    said = why.removeprefix(number) if why.startswith(f"{number} ") else f": {why}"
    return Refusal(number, reverse("opportunities:detail", args=[entry["id"]]), said)


# What the sheet offers


@dataclass(frozen=True, slots=True)
class Button:
    """One thing that can be done: the value that says what, and the sentence that promises it."""

    do: str
    words: str
    colour: str = ""
    needs: str = ""


def stage_buttons(n: int, stages: Sequence[OpportunityStage]) -> list[Button]:
    """A button for each stage, and one for none."""
    buttons = [Button(f"stage:{stage.pk}", move(n, stage.name), stage.colour) for stage in stages]
    return [*buttons, Button(f"stage:{NONE}", unstage(n))]


def people_buttons(n: int, people: Sequence[Any], *, me: Any, may_reassign: bool) -> list[Button]:
    """A button for each colleague; who may not hand cards over can take those of nobody."""
    if not may_reassign:
        words = ngettext("Take %(cards)s if nobody has it", "Take those of %(cards)s that nobody has", n)
        return [Button(f"salesperson:{me.pk}", words % {"cards": counted(n)})]
    buttons = [Button(f"salesperson:{each.pk}", give(n, name_of(each))) for each in people]
    return [*buttons, Button(f"salesperson:{NONE}", ungive(n))]


def date_buttons(n: int) -> list[Button]:
    """A week, a month, a day, no day."""
    return [
        Button("postpone:week", week_on(n)),
        Button("postpone:month", month_on(n)),
        Button("forecast_date:day", date_to(n, None), needs="day"),
        Button(f"forecast_date:{NONE}", undate(n)),
    ]


def status_buttons(n: int, statuses: Sequence[OpportunityStatus]) -> list[Button]:
    """A button for each status row; a lost one asks for the reason."""
    return [Button(f"status:{row.pk}", mark(n, row.name), needs="reason" if row.lost else "") for row in statuses]
