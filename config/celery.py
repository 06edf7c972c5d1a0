"""The Celery app. Its beat schedule comes from the one registry in `opportunities.background`."""

import os
from typing import Any

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("stageboard", task_cls="opportunities.background:JobTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_configure.connect
def schedule_the_periodic_jobs(sender: Celery, **_: Any) -> None:
    """Fill the beat schedule late: at import time the apps are not loaded yet."""
    from opportunities.background import beat_schedule

    sender.conf.beat_schedule = beat_schedule()
