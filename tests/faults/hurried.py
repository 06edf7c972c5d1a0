"""The product's own jobs every four seconds instead of every minute or five: for Celery's beat (`quick_beat`), and for

`python -m tests.faults.hurried runjobs --loop`, which is `manage.py` in that hurry.
"""

import os
import sys
from dataclasses import replace
from datetime import timedelta

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

HURRIED = {"opportunities.tasks.sweep", "opportunities.tasks.send_mails", "opportunities.tasks.fire_reminders"}


def hurry() -> None:
    """Shorten the intervals of this process's registry."""
    from opportunities import background

    background.REGISTRY = tuple(
        replace(job, when=timedelta(seconds=4)) if job.task in HURRIED else job for job in background.REGISTRY
    )


if __name__ == "__main__":
    hurry()
    execute_from_command_line(sys.argv)
