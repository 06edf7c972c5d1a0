"""`manage.py make_admin`: lets the first person in, or makes an Admin of somebody who has an account."""

import getpass
import os
import sys
from argparse import ArgumentParser
from typing import Any, override

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from opportunities import password_links, people


class Command(BaseCommand):
    """Asks for a name and a password; with options or variables it asks nothing."""

    help = (
        "Make the first Admin. Without options it asks. With --username it prints a link that sets the password, once. "
        "With STAGEBOARD_ADMIN_USERNAME and STAGEBOARD_ADMIN_PASSWORD (and _EMAIL) in the environment it asks nothing."
    )
    requires_system_checks = ()

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--username", default="", help="print a one-time link instead of asking for a password")
        parser.add_argument("--email", default="", help="where a forgotten password can be reset")

    @override
    def handle(self, *args: Any, username: str, email: str, **options: Any) -> None:
        try:
            if username:
                self.make(username=username, email=email)
            elif name := os.environ.get("STAGEBOARD_ADMIN_USERNAME"):
                self.make(
                    username=name, email=email or os.environ.get("STAGEBOARD_ADMIN_EMAIL", ""), password=self.password()
                )
            elif sys.stdin.isatty():
                self.ask()
            else:
                raise CommandError(
                    "Nobody is here to be asked. Give --username (a link for the password is printed), or set "
                    "STAGEBOARD_ADMIN_USERNAME and STAGEBOARD_ADMIN_PASSWORD."
                )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except DatabaseError as error:
            raise CommandError(
                "The database is not prepared, or cannot be used. Run `make run` once, or: "
                f"python manage.py migrate && python manage.py starter ({str(error).strip().splitlines()[0]})"
            ) from error

    def password(self) -> str:
        """The password given by the environment."""
        password = os.environ.get("STAGEBOARD_ADMIN_PASSWORD", "")
        if not password:
            raise CommandError("STAGEBOARD_ADMIN_PASSWORD is empty. Set it, or use --username to get a link instead.")
        return password

    def make(self, *, username: str, email: str, password: str = "", **names: str) -> None:
        """Make the Admin and say how they get in."""
        person, is_new = people.make_admin(
            username=username, email=email, password=password, now=timezone.now(), **names
        )
        who = person.get_username()
        self.stdout.write(f"{who} is {'' if is_new else 'now '}an Admin.")
        if password:
            self.stdout.write(f"Log in at {settings.STAGEBOARD_URL}/")
            return
        self.stdout.write("Set the password here; the link works once, for three days:")
        self.stdout.write(password_links.link_for(person))

    def ask(self) -> None:
        """Ask at the terminal until the answers will do."""
        self.stdout.write("The first Admin of this Stageboard. Ctrl-C ends without a change.\n")
        try:
            while True:
                username = input("Username: ").strip()
                email = input("E-mail (to reset a forgotten password; may stay empty): ").strip()
                try:
                    return self.make(username=username, email=email, password=self.typed_twice())
                except ValidationError as error:
                    self.stderr.write("\n".join(["", *error.messages, ""]))
        except (KeyboardInterrupt, EOFError):
            raise CommandError("Nothing was changed.") from None

    def typed_twice(self) -> str:
        """A password that was typed the same twice."""
        while True:
            password = getpass.getpass("Password (at least 8 characters): ")
            if not password:
                self.stderr.write("The password cannot be empty.")
            elif getpass.getpass("The same again: ") == password:
                return password
            else:
                self.stderr.write("The two were not the same. Once more:")
