"""The web server's entry: `uvicorn config.asgi:application`."""

import os

from django.core.asgi import get_asgi_application
from django.utils.module_loading import import_string

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# Django first: what streams open boards reads models.
django = get_asgi_application()
application = import_string("boards.feed.with_streams")(django)
