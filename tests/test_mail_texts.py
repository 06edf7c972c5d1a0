"""The words of mails: which placeholders are filled in, and what no text and no value can do (section 7, D37)."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from opportunities import mail
from opportunities.mail import CANCELED, QUOTE_SUBMITTED, UnknownPlaceholder

VALUES = {"customer_name": "Lowell Dental", "cancel_reason": "Price", "business_name": "Harbor Heating"}


def rendered(body, subject="About us", **values):
    return mail.render(subject, body, {**VALUES, **values}, CANCELED)


def test_known_names_are_filled_in_however_they_are_spaced():
    done = rendered("Dear {{customer_name}}, {{ cancel_reason }} it was.", "From {{  business_name  }}")

    assert done.subject == "From Harbor Heating"
    assert done.text == "Dear Lowell Dental, Price it was.\n"
    assert done.html == "<p>Dear Lowell Dental, Price it was.</p>"


def test_a_name_without_a_value_becomes_nothing_and_is_named():
    done = rendered("Call {{ salesperson_phone }}!")

    assert done.text == "Call !\n"
    assert done.empty == ("salesperson_phone",)


@pytest.mark.parametrize(
    "attack",
    [
        "{{ customer_name.__class__ }}",
        "{{ customer_name|safe }}",
        "{{ settings.SECRET_KEY }}",
        "{{ opportunity }}",
        "{{ CUSTOMER_NAME }}",
        "{{}}",
        "{{ }}",
        "{{{ customer_name }}}",
        "{{ {{ customer_name }} }}",
        "{{ customer_name",
        "customer_name }}",
        "{{ customer_\nname }}",
        "{{ link }}",
    ],
)
def test_anything_else_in_double_braces_is_refused(attack):
    with pytest.raises(UnknownPlaceholder):
        rendered(f"Dear {attack}")
    with pytest.raises(UnknownPlaceholder):
        rendered("Dear customer", attack)
    with pytest.raises(ValidationError) as refusal:
        mail.check("About us", f"Dear {attack}", CANCELED)
    assert "{{ customer_name }}" in refusal.value.message_dict["body"][0]


@pytest.mark.parametrize(
    "text", ["{% load secrets %}", "{% debug %}", "{ customer_name }", "%(name)s {0} ${name} `ls`"]
)
def test_what_other_engines_would_run_is_plain_text(text):
    assert rendered(text).text == f"{text}\n"


def test_a_value_is_never_read_for_placeholders_and_brings_no_braces_along():
    done = rendered("Dear {{ customer_name }}", customer_name="{{ cancel_reason }} & {{{{x}}}}")

    assert done.text == "Dear { cancel_reason } & {x}\n"


def test_markup_in_texts_and_values_is_shown_as_it_was_typed_ac173():
    done = rendered("1 < 2 {{ customer_name }}\n<script>x</script>", customer_name="<b>Bob & Co</b>")

    assert done.html == ("<p>1 &lt; 2 &lt;b&gt;Bob &amp; Co&lt;/b&gt;<br>&lt;script&gt;x&lt;/script&gt;</p>")
    assert "<b>Bob & Co</b>" in done.text


def test_no_line_break_gets_into_the_subject():
    done = rendered("Hello", "For {{ customer_name }}", customer_name="Bob\r\nBcc: eve@x.test\u2028\x00x")

    assert done.subject == "For Bob Bcc: eve@x.test x"


def test_a_private_link_can_be_followed_and_nothing_else():
    values = {"link": "https://board.example.com/l/abc/", "document_title": "javascript:alert(1)"}

    done = mail.render("Quote", "{{ link }} {{ document_title }}", values, QUOTE_SUBMITTED)

    assert '<a href="https://board.example.com/l/abc/">' in done.html
    assert done.html.count("<a ") == 1
    assert "<a " not in mail.render("Quote", "{{ link }}", {"link": 'x" onclick="y'}, QUOTE_SUBMITTED).html


def test_a_blank_or_endless_text_is_refused():
    with pytest.raises(ValidationError) as refusal:
        mail.check("  ", "x" * (mail.LONGEST_BODY + 1), CANCELED)
    assert set(refusal.value.message_dict) == {"subject", "body"}


@pytest.mark.parametrize("key", list(mail.PLACEHOLDERS))
def test_the_default_words_use_only_what_their_template_knows(key):
    subject, body = mail.default(key)

    mail.check(subject, body, key)
    assert set(mail.PLACEHOLDERS[key]) <= set(mail.MEANINGS)


def test_the_default_words_of_a_cancellation_keep_the_inside_of_the_business_to_themselves():
    subject, body = mail.default(CANCELED)

    for inside in ("cancel_reason", "opportunity_title", "note", "opportunity"):
        assert inside not in f"{subject} {body}".lower()


PIECES = st.sampled_from(["{{", "}}", "{", "}", " ", "customer_name", "cancel_reason", ".x", "|f", "\n", "a"])


@given(st.lists(PIECES, max_size=12).map("".join), st.text(max_size=20))
def test_no_text_ever_leaves_with_double_braces(body, name):
    try:
        done = rendered(body, customer_name=name)
    except UnknownPlaceholder:
        return
    assert "{{" not in done.text + done.html
    assert "}}" not in done.text + done.html
