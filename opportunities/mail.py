"""The words of mails to customers: placeholders in double braces, filled in by plain substitution (section 7, D37).

Nothing that a business types runs through a template engine: a name in double braces either stands in the list of its
template and is replaced by a value, or the text is refused.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.html import escape
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from opportunities import access
from opportunities.access import Person
from opportunities.models import BusinessSettings, EmailTemplate
from opportunities.outbox import in_one_line

CANCELED = "opportunity_canceled"
QUOTE_SUBMITTED = "quote_submitted"
AGREEMENT_SUBMITTED = "agreement_submitted"

LONGEST_SUBJECT = 200
LONGEST_BODY = 20_000

_OF_ALL = (
    "customer_name",
    "opportunity_title",
    "opportunity_number",
    "salesperson_name",
    "salesperson_email",
    "salesperson_phone",
    "business_name",
    "business_phone",
    "business_email",
)
_OF_DOCUMENTS = (
    *_OF_ALL,
    "recipient_name",
    "document_kind",
    "document_number",
    "document_title",
    "total",
    "valid_until",
    "link",
)
PLACEHOLDERS: dict[str, tuple[str, ...]] = {
    CANCELED: (*_OF_ALL, "cancel_reason", "canceled_on"),
    QUOTE_SUBMITTED: _OF_DOCUMENTS,
    AGREEMENT_SUBMITTED: _OF_DOCUMENTS,
}
"""What each template may name; nothing else is ever replaced."""

MEANINGS: dict[str, Any] = {
    "customer_name": gettext_lazy("the customers of the opportunity, with commas between them"),
    "opportunity_title": gettext_lazy("the internal title of the opportunity"),
    "opportunity_number": gettext_lazy("the number of the opportunity"),
    "salesperson_name": gettext_lazy("whose opportunity it is"),
    "salesperson_email": gettext_lazy("the salesperson's e-mail address"),
    "salesperson_phone": gettext_lazy("the phone by which the salesperson is reached"),
    "business_name": gettext_lazy("your business, as in its settings"),
    "business_phone": gettext_lazy("the phone of your business"),
    "business_email": gettext_lazy("the e-mail address of your business"),
    "cancel_reason": gettext_lazy("the reason that was chosen"),
    "canceled_on": gettext_lazy("the day of the cancellation"),
    "recipient_name": gettext_lazy("who the mail is written to"),
    "document_kind": gettext_lazy("quote, agreement or proposal"),
    "document_number": gettext_lazy("the number of the document"),
    "document_title": gettext_lazy("the title of the document"),
    "total": gettext_lazy("the sum of the document, with taxes"),
    "valid_until": gettext_lazy("the last day on which it can be answered"),
    "link": gettext_lazy("the private link at which it is read and answered"),
}
"""What each placeholder stands for, for the page on which templates are edited."""

_NAMED = re.compile(r"(?<!\{)\{\{[ \t]*([a-z_]+)[ \t]*\}\}(?!\})")
_BRACED = re.compile(r"\{\{(.{0,60}?)\}\}|\{\{|\}\}", re.DOTALL)
_LINK = re.compile(r"https?://[^\s<>\"']+")


class UnknownPlaceholder(ValueError):
    """A text names something that its template does not know. `names` are the texts between the braces."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        super().__init__(", ".join(self.names))


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail in words: subject in one line, the plain text, the same as HTML, and the placeholders that were empty."""

    subject: str
    text: str
    html: str
    empty: tuple[str, ...]


def unknown(text: str, key: str) -> list[str]:
    """List what stands in double braces and is no placeholder of this template, braces without their other half too."""
    allowed = PLACEHOLDERS[key]
    rest = _NAMED.sub(lambda found: "" if found[1] in allowed else found[0], text)
    return list(dict.fromkeys((found[1] or found[0]).strip() for found in _BRACED.finditer(rest)))


def check(subject: str, body: str, key: str) -> None:
    """Let a subject and text pass as those of this template.

    :raises ValidationError: at subject or body: blank, too long, or with a placeholder that the template does not know.
    """
    errors: dict[str, str] = {}
    for field, text, longest in (("subject", subject, LONGEST_SUBJECT), ("body", body, LONGEST_BODY)):
        if not text.strip():
            errors[field] = _("Write something: a mail has a subject and a text.")
        elif len(text) > longest:
            errors[field] = _("That is too long: %(limit)s characters at most.") % {"limit": longest}
        elif names := unknown(text, key):
            errors[field] = unknown_words(names, key)
    if errors:
        raise ValidationError(errors)


def unknown_words(names: Iterable[str], key: str) -> str:
    """Say which names in braces nobody knows, and which are known."""
    said = {
        "names": ", ".join(f"“{name}”" for name in names),
        "known": ", ".join(f"{{{{ {name} }}}}" for name in PLACEHOLDERS[key]),
    }
    return _("There is no placeholder %(names)s. Those that can be used are: %(known)s.") % said


def render(subject: str, body: str, values: Mapping[str, str], key: str) -> Rendered:
    """Fill in a subject and a text. A placeholder without a value becomes nothing, and is named in `empty` (D37).

    :raises UnknownPlaceholder: something else stands in braces; then there is no mail at all.
    """
    if names := [*unknown(subject, key), *unknown(body, key)]:
        raise UnknownPlaceholder(dict.fromkeys(names))
    values = {name: _without_braces(value) for name, value in values.items()}
    used = dict.fromkeys(found[1] for found in _NAMED.finditer(f"{subject}\n{body}"))

    def filled(found: re.Match[str]) -> str:
        return values.get(found[1], "")

    return Rendered(
        subject=in_one_line(_NAMED.sub(filled, subject)) or _("A message for you"),
        text=_NAMED.sub(filled, body).replace("\r\n", "\n").strip() + "\n",
        html=_as_html(body, values),
        empty=tuple(name for name in used if not values.get(name, "").strip()),
    )


def _without_braces(value: str) -> str:
    """Take double braces out of a value, so that none ever reaches a customer."""
    while "{{" in value or "}}" in value:
        value = value.replace("{{", "{").replace("}}", "}")
    return value


def _as_html(body: str, values: Mapping[str, str]) -> str:
    """Write the text as HTML: everything escaped, an empty line parts paragraphs, the private link can be followed."""
    escaped = escape(body.replace("\r\n", "\n").strip())

    def filled(found: re.Match[str]) -> str:
        value = values.get(found[1], "")
        if found[1] == "link" and _LINK.fullmatch(value):
            return f'<a href="{escape(value)}">{escape(value)}</a>'
        return str(escape(value))

    paragraphs = re.split(r"\n[ \t]*\n+", _NAMED.sub(filled, escaped))
    return "".join(f"<p>{each.replace('\n', '<br>')}</p>" for each in paragraphs)


def template(key: str) -> EmailTemplate:
    """Return a template of the product; one that is missing is made again (C2.2)."""
    found = EmailTemplate.objects.filter(key=key).first()
    if found is not None:
        return found
    subject, body = default(key)
    made, _fresh = EmailTemplate.objects.get_or_create(
        key=key, defaults={"subject": subject, "body": body, "is_system": True}
    )
    return made


def begins_with(key: str) -> tuple[str, str]:
    """Return the subject and text that a mail begins with. Writes nothing, so pages may ask."""
    found = EmailTemplate.objects.filter(key=key).first()
    return default(key) if found is None else (found.subject, found.body)


def default(key: str) -> tuple[str, str]:
    """Return the subject and text that a template of the product begins with, and is reset to."""
    foot = "{{ salesperson_name }}\n{{ business_name }}\n{{ business_phone }}\n{{ business_email }}"
    texts = {
        CANCELED: (
            _("Our offer to you is closed"),
            _(
                "Dear {{ customer_name }},\n\nwe have closed our offer to you, and the links that we sent you for it"
                " no longer work.\n\nIf that surprises you, or if you would like to talk about it again, simply reply"
                " to this mail.\n\nThank you for having considered us."
            ),
        ),
        QUOTE_SUBMITTED: (
            _("Your quote {{ document_number }} from {{ business_name }}"),
            _(
                "Dear {{ recipient_name }},\n\nhere is our quote {{ document_number }} over {{ total }}. You can read,"
                " print and answer it here:\n\n{{ link }}\n\nThe link is yours alone; please do not pass it on. If you"
                " have a question, simply reply to this mail."
            ),
        ),
        AGREEMENT_SUBMITTED: (
            _("For you to sign: {{ document_kind }} {{ document_number }} from {{ business_name }}"),
            _(
                "Dear {{ recipient_name }},\n\nhere is our {{ document_kind }} {{ document_number }}. You can read,"
                " print and answer it here:\n\n{{ link }}\n\nThe link is yours alone; please do not pass it on. If you"
                " have a question, simply reply to this mail."
            ),
        ),
    }
    subject, body = texts[key]
    return subject, f"{body}\n\n{foot}"


NAMES: dict[str, Any] = {
    CANCELED: gettext_lazy("Opportunity canceled"),
    QUOTE_SUBMITTED: gettext_lazy("Quote submitted"),
    AGREEMENT_SUBMITTED: gettext_lazy("Agreement or proposal submitted"),
}
"""What the templates are called."""

EXAMPLES: dict[str, Any] = {
    "customer_name": gettext_lazy("Lowell Dental"),
    "opportunity_title": gettext_lazy("New boiler"),
    "opportunity_number": "OPP-1042",
    "salesperson_name": gettext_lazy("Ann Example"),
    "salesperson_email": "ann@example.com",
    "salesperson_phone": "+1 555 0142",
    "cancel_reason": gettext_lazy("Postponed"),
    "canceled_on": "12 Dec 2026",
    "recipient_name": gettext_lazy("Dr. A. Lowell"),
    "document_kind": gettext_lazy("agreement"),
    "document_number": "A-1031",
    "document_title": gettext_lazy("New boiler"),
    "total": "1,240.00",
    "valid_until": "31 Dec 2026",
    "link": "https://board.example.com/l/…",
}
"""Values to look at a template with; the business's own are its own."""


def example(key: str, subject: str, body: str, *, business: BusinessSettings) -> Rendered:
    """Write a mail as a customer might get it. :raises UnknownPlaceholder: as `render`."""
    own = {"business_name": business.name, "business_phone": business.phone, "business_email": business.email}
    return render(subject, body, {**{name: str(value) for name, value in EXAMPLES.items()}, **own}, key)


@transaction.atomic
def edit_template(*, key: str, subject: str, body: str, actor: Person | None, now: datetime) -> EmailTemplate:
    """Change the words that mails of a kind begin with; mails in the outbox keep theirs.

    :raises ValidationError: as `check`. :raises NotAllowed: the actor is no admin.
    """
    access.require(actor, "settings")
    check(subject, body, key)
    kept = template(key)
    kept.subject, kept.body = in_one_line(subject), body.replace("\r\n", "\n").strip()
    kept.save(update_fields=["subject", "body"])
    return kept


def reset_template(*, key: str, actor: Person | None, now: datetime) -> EmailTemplate:
    """Give a template the words back that it was shipped with. :raises NotAllowed: the actor is no admin."""
    subject, body = default(key)
    return edit_template(key=key, subject=subject, body=body, actor=actor, now=now)
