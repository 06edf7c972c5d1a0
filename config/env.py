"""Typed readers of environment variables. A value that cannot be read stops the start with a sentence."""

import os
import secrets
from pathlib import Path
from pkgutil import iter_modules
from urllib.parse import SplitResult, parse_qs, parse_qsl, unquote, urlsplit

import anymail.backends
from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"", "0", "false", "no", "off"}
NO_PROVIDERS = {"base", "base_requests", "console", "test"}


def text(name: str, default: str = "") -> str:
    """Return the variable without outer spaces; an empty one counts as not set."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool = False) -> bool:
    """Return a yes or no.

    :raises ImproperlyConfigured: for any other word
    """
    value = os.environ.get(name)
    if value is None:
        return default
    word = value.strip().lower()
    if word not in TRUE | FALSE:
        raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}.")
    return word in TRUE


def number(name: str, default: int, *, least: int = 0) -> int:
    """Return a whole number.

    :raises ImproperlyConfigured: for anything else, or a number below `least`
    """
    value = text(name, str(default))
    if not value.isdecimal() or int(value) < least:
        raise ImproperlyConfigured(f"{name} must be a whole number from {least} up, not {value!r}.")
    return int(value)


def words(name: str) -> list[str]:
    """Return a comma-separated list."""
    return [word.strip() for word in text(name).split(",") if word.strip()]


def web_address(name: str, default: str) -> SplitResult:
    """Return the address under which people reach the board.

    :raises ImproperlyConfigured: unless it is http(s)://host[:port] with no path
    """
    value = text(name, default).rstrip("/")
    address = urlsplit(value)
    if address.scheme not in {"http", "https"} or not address.hostname or address.path or address.query:
        raise ImproperlyConfigured(f"{name} must look like https://board.example.com, not {value!r}.")
    return address


def mailer(name: str) -> dict[str, object]:
    """Return Django's description of the mail server; without one, mails are printed in the terminal.

    `smtp://user:password@host:587?tls=1` starts TLS after connecting, `smtps://...` at once.
    `anymail+postmark://?server_token=...` sends by a provider's API: the name of a backend of django-anymail, and its
    options as django-anymail calls them, in lower case and without the provider's name.

    :raises ImproperlyConfigured: for an address of any other form
    """
    value = text(name)
    if not value:
        return {"BACKEND": "django.core.mail.backends.console.EmailBackend"}
    # The address holds a password, so no message repeats it.
    try:
        address = urlsplit(value)
        port = address.port
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is not an address ({error}).") from error
    if address.scheme.startswith("anymail+"):
        return _provider(name, address)
    if address.scheme not in {"smtp", "smtps"} or not address.hostname:
        raise ImproperlyConfigured(
            f"{name} must look like smtp://user:password@mail.example.com:587?tls=1 "
            "or, for a provider, anymail+postmark://?server_token=..."
        )
    implicit_tls = address.scheme == "smtps"
    asked = parse_qs(address.query)
    wait = asked.get("timeout", ["20"])[0]
    if not wait.isdecimal() or not 1 <= int(wait) <= 60:
        raise ImproperlyConfigured(f"{name}: the timeout must be a number of seconds from 1 to 60, not {wait!r}.")
    return {
        "BACKEND": "opportunities.delivery.SteppedEmailBackend",
        "OPTIONS": {
            "host": address.hostname,
            "port": port or (465 if implicit_tls else 25),
            "username": unquote(address.username or ""),
            "password": unquote(address.password or ""),
            "use_tls": not implicit_tls and asked.get("tls", ["0"])[0].lower() in TRUE,
            "use_ssl": implicit_tls,
            "timeout": int(wait),
        },
    }


def _provider(name: str, address: SplitResult) -> dict[str, object]:
    """Return the description of a provider that django-anymail knows."""
    provider = address.scheme.removeprefix("anymail+").replace("-", "_")
    known = sorted({module.name for module in iter_modules(anymail.backends.__path__)} - NO_PROVIDERS)
    if provider not in known:
        raise ImproperlyConfigured(f"{name}: no provider is called {provider!r}. Known are: {', '.join(known)}.")
    path = f"anymail.backends.{provider}.EmailBackend"
    options: dict[str, object] = {"ignore_unsupported_features": True}
    if address.netloc or address.path.strip("/"):
        raise ImproperlyConfigured(f"{name} must look like anymail+{provider}://?option=value&option=value.")
    for option, given in parse_qsl(address.query, keep_blank_values=True):
        options[option] = int(given) if option == "timeout" and given.isdecimal() else given
    return {"BACKEND": path, "OPTIONS": options}


def secret_key(data: Path, *, required: bool) -> str:
    """Return SECRET_KEY; where it may be missing, make one once and keep it in the data folder.

    :raises ImproperlyConfigured: where it is required and missing, or the data folder cannot be written
    """
    if given := text("SECRET_KEY"):
        return given
    if required:
        raise ImproperlyConfigured(
            "DATABASE_URL is set, so SECRET_KEY must be set too, the same for every process. Make one with: "
            'python -c "import secrets; print(secrets.token_urlsafe(50))"'
        )
    kept = data / "secret_key"
    try:
        if not kept.exists():
            data.mkdir(mode=0o700, parents=True, exist_ok=True)  # customers are in there
            fresh = data / f".secret_key.{os.getpid()}"
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_urlsafe(50))
            # A link appears whole or not at all, so two processes that start together read the same key.
            try:
                kept.hardlink_to(fresh)
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        return kept.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"the data folder {data} cannot be used ({error.strerror}). "
            "Make it writable, or name another: STAGEBOARD_DATA=/path/to/folder"
        ) from error
