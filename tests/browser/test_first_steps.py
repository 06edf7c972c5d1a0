"""Stories of a new installation: the first admin, the three questions, the first colleague; and of logging in."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import LOOKS, violations
from tests.browser.conftest import PHONE, login
from tests.servers import Login, Server

SECRET = "seven tall ships"


def accessible(page: Page) -> None:
    """Find nothing that keeps people out, and nothing that sticks out."""
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def first_admin(server: Server) -> str:
    """Make the first admin as whoever runs the server does, and return the path of the printed link."""
    printed = server.database.manage("make_admin", "--username", "ada", "--email", "ada@example.test")
    return str(urlsplit(re.findall(r"http://\S+", printed)[0]).path)


def set_password(page: Page, path: str) -> None:
    """Open a password link and set a password."""
    page.goto(path)
    page.get_by_label("New password", exact=True).fill(SECRET)
    page.get_by_label("New password confirmation").fill(SECRET)
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("heading", name="Your password is set")).to_be_visible()


@pytest.mark.sqlite
@pytest.mark.parametrize("scripts", [True, False], ids=["with script", "without script"])
def test_from_an_empty_installation_to_a_colleague_at_work(open_page: Callable[..., Page], empty_server, scripts):
    options = {"on": empty_server, "scripts": scripts, "timezone_id": "Europe/Warsaw", "locale": "pl-PL"}
    page = open_page("/", **options)
    expect(page.get_by_text("Nobody can log in yet.")).to_be_visible()

    set_password(page, first_admin(empty_server))
    login(page, "ada", SECRET)
    expect(page.get_by_role("heading", name="Welcome. Three questions first")).to_be_visible()
    page.get_by_label("Business name").fill("Harbor Heating")
    if scripts:
        expect(page.get_by_label("Time zone")).to_have_value("Europe/Warsaw")
    else:
        page.get_by_label("Time zone").fill("warsaw")
    expect(page.get_by_label("Currency")).to_have_value("PLN")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#toasts").get_by_text("Your business is set up.")).to_be_visible()
    expect(page.get_by_role("heading", name="Qualified lead")).to_be_visible()

    page.goto("/people/new/")
    page.get_by_label("First name").fill("Bea")
    page.get_by_label("Username").fill("bea")
    page.get_by_label("Manager").check()
    page.get_by_role("button", name="Add colleague").click()
    link = page.get_by_label("Link to pass on").input_value()
    if scripts:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == link

    colleague = open_page(None, **options)
    set_password(colleague, urlsplit(link).path)
    login(colleague, "bea", SECRET)
    expect(colleague.get_by_role("heading", name="Qualified lead")).to_be_visible()


def test_a_colleague_who_comes_before_the_setup_is_told_whom_to_ask(open_page: Callable[..., Page], empty_server):
    set_password(open_page(None, on=empty_server), first_admin(empty_server))
    admin = open_page("/people/new/", on=empty_server, user=Login("ada", SECRET))
    expect(admin.get_by_role("heading", name="Welcome. Three questions first")).to_be_visible()
    empty_server.database.sql(
        "UPDATE auth_user_groups SET group_id = (SELECT id FROM auth_group WHERE name = 'Manager')"
    )

    admin.goto("/")

    expect(admin.get_by_role("heading", name="Almost there")).to_be_visible()
    accessible(admin)


def test_too_many_wrong_passwords_end_in_words_and_the_way_out(open_page: Callable[..., Page], fresh_server):
    page = open_page("/accounts/login/", on=fresh_server, viewport=PHONE)

    for _each in range(5):
        page.get_by_label("Username").fill("sam")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Log in").click()

    expect(page.get_by_text("Try again in 15 minutes.")).to_be_visible()
    accessible(page)
    page.get_by_role("link", name="Set a new password").click()
    page.get_by_label("E-mail").fill("sam@harborheating.example")
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_text("a link is printed in the terminal of the server")).to_be_visible()
    printed = re.findall(r"/accounts/reset/\S+", fresh_server.text())[0]
    set_password(page, printed)
    login(page, "sam", SECRET)
    expect(page.get_by_role("button", name="Your menu, Sam")).to_be_visible()


def test_a_session_that_ended_leads_to_the_login_and_back(open_page: Callable[..., Page], fresh_server):
    page = open_page("/boards/1/", on=fresh_server, user="Manager")
    page.context.clear_cookies()

    page.get_by_role("link", name="New opportunity").click()

    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page.get_by_label("Username").fill("mark")
    page.get_by_label("Password").fill("stageboard")
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(re.compile(r"/boards/1/$"))


def test_the_only_admin_is_told_why_they_stay(open_page: Callable[..., Page], fresh_server):
    page = open_page("/people/", on=fresh_server, user="Admin")
    page.get_by_role("link", name="Ann Kowalski").click()
    page.get_by_role("link", name="Deactivate").click()

    page.get_by_role("button", name="Deactivate").click()

    expect(page.get_by_text("Ann Kowalski is the only admin. Make somebody else an admin first.")).to_be_visible()
    accessible(page)
    page.get_by_role("link", name="Go back").click()
    expect(page.get_by_role("heading", name="Deactivate Ann Kowalski?")).to_be_visible()


def test_a_leaver_hands_the_cards_over(open_page: Callable[..., Page], fresh_server):
    page = open_page("/people/", on=fresh_server, user="Admin")
    page.get_by_role("link", name="Sam Ortiz").click()
    page.get_by_role("link", name="Hand them over").click()
    page.get_by_label("To", exact=True).select_option(label="Jo Sanders")
    page.get_by_role("button", name="Hand over").click()
    expect(page.get_by_role("heading", name=re.compile(r"Give \d+ cards to Jo Sanders"))).to_be_visible()

    page.goto("/people/")

    expect(page.get_by_role("row", name=re.compile("Sam Ortiz")).get_by_role("cell").nth(1)).to_have_text("0")


SCREENS = (
    "/people/",
    "/people/new/",
    "/people/2/",
    "/people/2/link/",
    "/people/2/deactivate/",
    "/people/2/hand-over/",
    "/accounts/profile/",
    "/accounts/password/",
    "/setup/",
)


@pytest.mark.parametrize(("viewport", "color_scheme"), LOOKS)
def test_pages_of_people_and_accounts_keep_nobody_out(open_page: Callable[..., Page], viewport, color_scheme):
    page = open_page(None, user="Admin", viewport=viewport, color_scheme=color_scheme)

    for path in SCREENS:
        page.goto(path)
        accessible(page)
