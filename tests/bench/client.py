"""A person at a browser, as far as the server can tell: cookies, CSRF, keep-alive, and next to no cost of its own."""

import re
import socket
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

END = b"\r\n\r\n"


class Unexpected(Exception):
    """The server answered something else than the benchmark asked for."""


@dataclass
class Answer:
    """A response, and how long it took from the first byte sent to the last one read."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def text(self) -> str:
        """The body in words."""
        return self.body.decode()


@dataclass
class Client:
    """One connection of one person."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    connection: socket.socket | None = None

    def at(self, port: int) -> "Client":
        """Return the same person at another server."""
        return Client(port, dict(self.cookies))

    def get(self, path: str, **headers: str) -> Answer:
        """Ask for a page."""
        return self.send("GET", path, b"", headers)

    def post(self, path: str, values: dict[str, object], **headers: str) -> Answer:
        """Send a form, with the token that the page has."""
        values = {"csrfmiddlewaretoken": self.cookies["csrftoken"], **values}
        body = urlencode({name: "" if value is None else str(value) for name, value in values.items()}).encode()
        return self.send("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded", **headers})

    def htmx(self, page: str) -> dict[str, str]:
        """The headers that htmx sends along from a page."""
        return {
            "HX-Request": "true",
            "HX-Current-URL": f"http://127.0.0.1:{self.port}{page}",
            "X-CSRFToken": self.cookies["csrftoken"],
        }

    def send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Send one request and read its whole answer."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", f"Content-Length: {len(body)}"]
        lines += [f"Origin: http://127.0.0.1:{self.port}"] if method == "POST" else []
        lines += [f"Cookie: {'; '.join(f'{name}={value}' for name, value in self.cookies.items())}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        request = "\r\n".join(lines).encode() + END + body
        if self.connection is None:
            self.connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        started = time.perf_counter()
        self.connection.sendall(request)
        head, rest = self._head()
        status, given = self._parsed(head)
        length = int(given.get("content-length", "0"))
        parts, size = [rest], len(rest)
        while size < length:
            part = self.connection.recv(1 << 18)
            if not part:
                raise Unexpected(f"{path}: the answer broke off")
            parts.append(part)
            size += len(part)
        answer = Answer(status, given, b"".join(parts), time.perf_counter() - started)
        if given.get("connection") == "close":
            self.close()
        return answer

    def _head(self) -> tuple[bytes, bytes]:
        assert self.connection is not None
        got = b""
        while END not in got:
            part = self.connection.recv(1 << 18)
            if not part:
                raise Unexpected("the server closed the connection")
            got += part
        head, _end, rest = got.partition(END)
        return head, rest

    def _parsed(self, head: bytes) -> tuple[int, dict[str, str]]:
        first, *lines = head.decode("latin-1").split("\r\n")
        headers: dict[str, str] = {}
        for line in lines:
            name, _colon, value = line.partition(": ")
            if name.lower() == "set-cookie":
                cookie, _equals, rest = value.partition("=")
                self.cookies[cookie] = rest.partition(";")[0]
            else:
                headers[name.lower()] = value
        return int(first.split(" ")[1]), headers

    def close(self) -> None:
        """Hang up."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def log_in(port: int, username: str, password: str) -> Client:
    """Log in through the form, as a person does."""
    client = Client(port)
    page = client.get("/accounts/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    if page.status != 200 or token is None:
        raise Unexpected(f"the login page answered {page.status}")
    client.cookies.setdefault("csrftoken", token[1])
    answer = client.post("/accounts/login/", {"username": username, "password": password, "next": "/"})
    if answer.status != 302 or "sessionid" not in client.cookies:
        raise Unexpected(f"the login of {username} answered {answer.status}")
    client.close()
    return client
