"""The deployment: settings, URLs, servers, log lines. It knows the apps; the apps never import it."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
