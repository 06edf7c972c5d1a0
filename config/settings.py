"""Settings of every deployment. What differs between two of them is an environment variable with a safe default.

Two forms: the embedded one (`make run`: SQLite, no other service) and the production form (DATABASE_URL is set).
"""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
import django_stubs_ext
from django.utils.csp import CSP

from config import env

# Lets classes of Django carry type arguments at run time: ModelAdmin[Opportunity].
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("STAGEBOARD_DATA", str(BASE_DIR / "data"))).expanduser().resolve()

DATABASE_URL = env.text("DATABASE_URL")
REDIS_URL = env.text("REDIS_URL")
PRODUCTION_FORM = bool(DATABASE_URL)
DEBUG = env.flag("DEBUG")

# The address that people type. It decides on hosts, on links in mails and on secure cookies.
PORT = env.number("PORT", 8000)
SITE = env.web_address("STAGEBOARD_URL", f"http://127.0.0.1:{PORT}")
STAGEBOARD_URL = SITE.geturl()
HTTPS = SITE.scheme == "https"

SECRET_KEY = env.secret_key(DATA_DIR, required=PRODUCTION_FORM)
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = [SITE.hostname, *env.words("ALLOWED_HOSTS")]
if not PRODUCTION_FORM:
    ALLOWED_HOSTS += ["127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = [STAGEBOARD_URL, *env.words("CSRF_TRUSTED_ORIGINS")]

INSTALLED_APPS = [
    "opportunities",
    "boards",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "axes",
]

MIDDLEWARE = [
    "config.probes.probes",
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    # From here on everything runs in one thread per request: the innermost two are synchronous,
    # so Django does not hop between the event loop and a thread for each of them.
    "config.middleware.RequestLogMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.middleware.SessionEndedMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "opportunities.http.ClockMiddleware",
    "opportunities.http.SetupRequiredMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.csp",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "opportunities.http.alarm",
            ],
        },
    },
]

# Data

if PRODUCTION_FORM:
    DATABASES: dict[str, dict[str, Any]] = {"default": {**dj_database_url.parse(DATABASE_URL, conn_max_age=0)}}
    if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
        # Under ASGI each request may come on another thread: connections are kept by the pool, not by CONN_MAX_AGE.
        pool_size = env.number("DATABASE_POOL", 10)
        pool = {"min_size": 1, "max_size": pool_size, "timeout": 10} if pool_size else False
        DATABASES["default"].setdefault("OPTIONS", {})["pool"] = pool
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA_DIR / "stageboard.sqlite3",
            "OPTIONS": {
                # Taking the write lock at BEGIN is what makes concurrent writers wait instead of fail.
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL",
            },
        }
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Static files: hashed names, so a browser may keep them for ever. `manage.py serve` collects them when they changed.
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.text("STAGEBOARD_STATIC", str(DATA_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},  # no uploads on disk
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "config.storage.HashedStaticFilesStorage"
    },
}
SERVESTATIC_ALLOW_ALL_ORIGINS = False

# People

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "opportunities.access.RoleBackend"]
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"
PASSWORD_RESET_TIMEOUT = timedelta(days=3) // timedelta(seconds=1)
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
SESSION_ENGINE = "django.contrib.sessions.backends.db"

# Five wrong passwords for one name from one address, then a quarter of an hour of rest.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "registration/locked.html"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False

# Protection in the browser

SECURE_CSP = {
    "default-src": [CSP.SELF],
    "script-src": [CSP.SELF, CSP.NONCE],
    "style-src": [CSP.SELF, CSP.NONCE],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CSRF_FAILURE_VIEW = "opportunities.http.csrf_failure"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = env.number("HSTS_SECONDS", 365 * 24 * 3600) if HTTPS else 0
SILENCED_SYSTEM_CHECKS = [
    # Sub-domains and the preload list concern other sites of the same domain, whose owner we are not.
    "security.W005",
    "security.W021",
    # Indexes carry extra columns on PostgreSQL; SQLite leaves these out, and the index still serves.
    "models.W040",
    # Printed mails are a way to work without EMAIL_URL, which our own check tells (stageboard.W001).
    "mail.E001",
]

# Mail: without EMAIL_URL the outbox keeps its mails to be read here, and password mails are printed in the terminal.
MAILERS = {"default": env.mailer("EMAIL_URL")}
MAIL_KEPT_HERE = not env.text("EMAIL_URL")
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("EMAIL_FROM", f"Stageboard <stageboard@{SITE.hostname}>")

# What all web processes share for a minute or two: how often private links are asked for. Without Redis, each process
# counts for itself.
if REDIS_URL:
    CACHES: dict[str, dict[str, Any]] = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": "stageboard",
            "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
        }
    }

# Background jobs. Without Redis nothing is queued: the job loop reads what is due from the database.
CELERY_BROKER_URL = REDIS_URL or None
CELERY_TASK_ALWAYS_EAGER = not REDIS_URL
CELERY_TASK_EAGER_PROPAGATES = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TIME_LIMIT = 600
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "celerybeat-schedule")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 1, "socket_timeout": 5}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# Language and time: the business's own zone is a setting of the product.
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en-us"

# Figures for Prometheus at /metrics; empty: there is no such page.
METRICS_TOKEN = env.text("METRICS_TOKEN")

# Log lines
LOG_FORMAT = env.text("STAGEBOARD_LOG", "json" if PRODUCTION_FORM else "terminal")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"without_path": {"()": "config.logs.WithoutPath"}},
    "formatters": {
        "terminal": {
            "()": "config.logs.TerminalFormatter",
            "format": "%(asctime)s %(levelname)s %(message)s",
            "datefmt": "%H:%M:%S",
        },
        "json": {"()": "config.logs.JsonFormatter"},
    },
    "handlers": {
        "lines": {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": LOG_FORMAT},
    },
    "root": {"handlers": ["lines"], "level": "WARNING"},
    "loggers": {
        "stageboard": {"level": env.text("LOG_LEVEL", "INFO")},
        "opportunities": {"level": env.text("LOG_LEVEL", "INFO")},
        "boards": {"level": env.text("LOG_LEVEL", "INFO")},
        "celery": {"level": env.text("LOG_LEVEL", "INFO")},
        # Django's own handlers are replaced by ours, and paths taken out: private links carry their secret there.
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.request": {"filters": ["without_path"]},
        "django.security.csrf": {"filters": ["without_path"]},
        "django.channels.server": {"level": "WARNING"},
    },
}
