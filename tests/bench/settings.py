"""The product's settings, plus the two floors and a counter of statements for requests that ask for it."""

from config.settings import *  # noqa: F403
from config.settings import MIDDLEWARE as _MIDDLEWARE

ROOT_URLCONF = "tests.bench.urls"

# Inside of the two asynchronous ones, so that it adds no hop between threads.
MIDDLEWARE = list(_MIDDLEWARE)
MIDDLEWARE.insert(MIDDLEWARE.index("config.middleware.RequestLogMiddleware"), "tests.bench.counter.CountMiddleware")
