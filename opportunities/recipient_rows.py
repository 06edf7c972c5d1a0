"""The recipients of a quote or agreement while somebody works on them: rows as they were typed, and what is wrong."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.http import QueryDict

from opportunities import documents
from opportunities.line_forms import keys_of, new_key, shifted
from opportunities.models import Recipient

FIELDS = ("name", "email", "role", "contact")


@dataclass(slots=True)
class RecipientRow:
    """One recipient as they were typed."""

    key: str
    name: str = ""
    email: str = ""
    role: str = Recipient.Role.SIGNER.value
    contact: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def is_blank(self) -> bool:
        """Nobody is named in it."""
        return not (self.name.strip() or self.email.strip())


class RecipientsEditor:
    """Who receives a document; those of an agreement are signers or get a copy."""

    roles = Recipient.Role.choices

    def __init__(self, rows: list[RecipientRow], *, with_roles: bool) -> None:
        self.rows, self.with_roles = rows, with_roles

    @classmethod
    def of_people(cls, people: Iterable[Mapping[str, Any]], *, with_roles: bool) -> "RecipientsEditor":
        """Begin with these people, or with an empty row."""
        editor = cls([], with_roles=with_roles)
        for each in people:
            contact = str(each.get("contact_id") or "")
            role = each.get("role") or Recipient.Role.SIGNER.value
            row = RecipientRow(editor._new_key(), each["name"], each.get("email", ""), role, contact)
            editor.rows.append(row)
        if not editor.rows:
            editor.add()
        return editor

    @classmethod
    def of_data(cls, data: QueryDict, *, with_roles: bool) -> "RecipientsEditor":
        """Go on with what the form held."""
        rows = []
        for key in keys_of(data, "who", documents.MOST_PEOPLE + 2):
            typed: dict[str, Any] = {
                name: data.get(f"who-{name}-{key}", "").replace("\x00", "")[:300] for name in FIELDS
            }
            rows.append(RecipientRow(key=key, **{**typed, "role": typed["role"] or Recipient.Role.SIGNER.value}))
        return cls(rows, with_roles=with_roles)

    @property
    def has_errors(self) -> bool:
        """Whether something has to be put right first."""
        return any(row.errors for row in self.rows)

    def blank(self) -> list[RecipientRow]:
        """An empty row that a script copies."""
        return [RecipientRow(key="blank")]

    def add(self) -> None:
        """Put an empty row at the end."""
        if len(self.rows) <= documents.MOST_PEOPLE:
            self.rows.append(RecipientRow(key=self._new_key()))

    def act(self, do: str) -> bool:
        """Do what a button asks: "who-add", "who-remove:n1". Tells whether it was one."""
        verb, _colon, value = do.partition(":")
        place = next((index for index, row in enumerate(self.rows) if row.key == value), None)
        if verb == "who-add":
            self.add()
        elif verb in {"who-up", "who-down"} and place is not None:
            shifted(self.rows, place, verb.removeprefix("who-"))
        elif verb == "who-remove" and place is not None:
            del self.rows[place]
        else:
            return False
        return True

    def people(self) -> list[dict[str, Any]]:
        """Return who is named, as the verbs ask for them; errors are put at their rows."""
        found: list[dict[str, Any]] = []
        for row in self.rows:
            if row.is_blank:
                continue
            person: dict[str, Any] = {"name": row.name, "email": row.email}
            if self.with_roles:
                person["role"] = row.role if row.role in Recipient.Role.values else Recipient.Role.SIGNER.value
            if row.contact.isascii() and row.contact.isdigit() and len(row.contact) < 19:
                person["contact_id"] = int(row.contact)
            try:
                found += documents.clean_people([person])
            except ValidationError as error:
                row.errors["email" if row.name.strip() else "name"] = " ".join(error.messages)
        return found

    def _new_key(self) -> str:
        return new_key(row.key for row in self.rows)
