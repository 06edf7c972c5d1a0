"""Celery's beat with the product's own jobs in a hurry."""

from config.celery import app
from tests.faults.hurried import hurry

hurry()

__all__ = ["app"]
