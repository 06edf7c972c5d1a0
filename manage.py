#!/usr/bin/env python
"""Runs a command of Stageboard: `python manage.py help` lists them."""

import os
import sys


def main() -> None:
    """Run the command line; what is set up wrongly is said in one sentence, without a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"Stageboard is not set up rightly: {error}")


if __name__ == "__main__":
    main()
