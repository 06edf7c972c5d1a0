"""The acts of colleagues on one recipient of an agreement or quote, and the pages that hand out links and papers."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from opportunities import agreements, document_mail, papers, quotes, recipients
from opportunities.attached import AnyDocument
from opportunities.document_act_forms import ActForm, MailForm
from opportunities.document_views import acted_on, follow_forecast, look
from opportunities.documents import Desk
from opportunities.errors import Refused
from opportunities.forms import refuse
from opportunities.http import LARGEST_ID, Request, person
from opportunities.link_keys import AnyRecipient
from opportunities.models import Agreement, QuoteRecipient, Recipient
from opportunities.offers import Offer
from opportunities.once import once
from opportunities.recipient_forms import AcceptedForm, ReaddressForm, RejectedForm

type Given = dict[str, Any]


def _of_agreement(request: Request, pk: int) -> tuple[Agreement, list[Recipient], Recipient, Any]:
    """Read a recipient with their agreement. :raises DoesNotExist: there is none, or it is not theirs to see."""
    if pk > LARGEST_ID:
        raise Recipient.DoesNotExist
    agreement_id = Recipient.objects.values_list("agreement_id", flat=True).get(pk=pk)
    agreement, desk = look(request, "agreement", agreement_id)
    people = list(Recipient.objects.filter(agreement=agreement_id))
    recipient = next((each for each in people if each.pk == pk), None)
    if recipient is None:
        raise Recipient.DoesNotExist
    return agreement, people, recipient, desk  # type: ignore[return-value]  # asked for an agreement


@require_http_methods(["GET", "POST"])
def respond(request: Request, pk: int) -> HttpResponse:
    """Note an answer that a colleague heard from a signer; the last yes contracts the deal."""
    agreement, people, recipient, desk = _of_agreement(request, pk)
    accepted = request.GET.get("answer", "yes") != "no"
    offer = recipients.respond_offer(recipient, people, agreement, desk, person(request), accepted=accepted)
    about: Any = {"document": agreement, "desk": desk, "reader": person(request), "initial": {"name": recipient.name}}
    others = [each for each in people if each.pk != pk and each.role == Recipient.Role.SIGNER]
    last = all(str(each.state) == "accepted" for each in others)
    data = request.POST if request.method == "POST" else None
    form: ActForm = AcceptedForm(data, contracts=last, **about) if accepted else RejectedForm(data, **about)

    def run(given: Given) -> AnyDocument:
        words = {"name": given["name"], "note": given.get("note", "")}
        return agreements.respond(recipient_id=pk, accepted=accepted, **words, actor=person(request), now=request.now)

    words = _("%(name)s accepted %(number)s.") if accepted else _("%(name)s rejected %(number)s.")
    return _act(request, agreement, offer, form, run, words % {"name": recipient.name, "number": agreement.number})


@require_http_methods(["GET", "POST"])
def cancel(request: Request, pk: int) -> HttpResponse:
    """Ask a recipient no more; says beforehand that without a signer the agreement is lost."""
    agreement, _people, recipient, desk = _of_agreement(request, pk)
    offer = recipients.cancel_offer(recipient, agreement, desk, person(request))
    form = _plain(request, agreement, desk)

    def run(_given: Given) -> AnyDocument:
        return agreements.cancel_recipient(recipient_id=pk, actor=person(request), now=request.now)

    words = _("%(name)s is not asked any more.") % {"name": recipient.name}
    return _act(request, agreement, offer, form, run, words)


@require_http_methods(["GET", "POST"])
def readdress(request: Request, pk: int) -> HttpResponse:
    """Correct a recipient's name or address; they get a new link."""
    agreement, _people, recipient, desk = _of_agreement(request, pk)
    offer = recipients.readdress_offer(recipient, agreement, desk, person(request))
    held = {"name": recipient.name, "email": recipient.email}
    about: Any = {"document": agreement, "desk": desk, "reader": person(request), "initial": held}
    mailed = agreement.status == "submitted" and recipient.mails.exists()
    form = ReaddressForm(request.POST if request.method == "POST" else None, mailed=mailed, **about)

    def run(given: Given) -> AnyDocument:
        return agreements.readdress(
            recipient_id=pk, name=given["name"], email=given["email"], actor=person(request), now=request.now
        )

    words = _("%(name)s has a new link. The old one ended.") % {"name": recipient.name}
    if mailed and request.POST.get("email", "").strip():
        words = _("%(name)s is mailed a new link. The old one ended.") % {"name": recipient.name}
    return _act(request, agreement, offer, form, run, words)


@require_http_methods(["GET", "POST"])
def renew(request: Request, pk: int) -> HttpResponse:
    """Give a recipient of an agreement a new link; the old one ends."""
    agreement, _people, recipient, desk = _of_agreement(request, pk)
    offer = recipients.renew_offer(recipient, agreement, desk, person(request))
    form = _plain(request, agreement, desk)

    def run(_given: Given) -> AnyDocument:
        return agreements.renew_link(recipient_id=pk, actor=person(request), now=request.now)

    words = _("%(name)s has a new link. The old one ended.") % {"name": recipient.name}
    return _act(request, agreement, offer, form, run, words)


@require_http_methods(["GET", "POST"])
def renew_of_quote(request: Request, pk: int) -> HttpResponse:
    """Give a recipient of a quote a new link; the old one ends."""
    if pk > LARGEST_ID:
        raise QuoteRecipient.DoesNotExist
    recipient = QuoteRecipient.objects.get(pk=pk)
    quote, desk = look(request, "quote", recipient.quote_id)
    offer = recipients.renew_offer(recipient, quote, desk, person(request))  # type: ignore[arg-type]  # it is a quote
    form = _plain(request, quote, desk)

    def run(_given: Given) -> AnyDocument:
        return quotes.renew_link(recipient_id=pk, actor=person(request), now=request.now)

    words = _("%(name)s has a new link. The old one ended.") % {"name": recipient.name}
    return _act(request, quote, offer, form, run, words)


@require_http_methods(["GET", "POST"])
def mail(request: Request, pk: int) -> HttpResponse:
    """Mail an agreement that is out to one recipient, for the first time or again."""
    agreement, _people, recipient, desk = _of_agreement(request, pk)
    return _mail(request, agreement, recipient, desk, recipient_id=pk)


@require_http_methods(["GET", "POST"])
def mail_of_quote(request: Request, pk: int) -> HttpResponse:
    """Mail a quote that is out to one recipient, for the first time or again."""
    if pk > LARGEST_ID:
        raise QuoteRecipient.DoesNotExist
    recipient = QuoteRecipient.objects.get(pk=pk)
    quote, desk = look(request, "quote", recipient.quote_id)
    return _mail(request, quote, recipient, desk, quote_recipient_id=pk)


def _mail(request: Request, document: Any, recipient: AnyRecipient, desk: Desk, **named: int) -> HttpResponse:
    """Show the words of the mail and how it will look; then queue it, once for each form."""
    offer = recipients.mail_offer(recipient, document, desk, person(request), again=recipient.mails.exists())
    about: Any = {"document": document, "desk": desk, "reader": person(request), "recipient": recipient}
    form = MailForm(request.POST if request.method == "POST" else None, **about)

    def run(given: Given) -> AnyDocument:
        facts: Any = {**named, "subject": given["subject"], "body": given["body"]}
        once(
            given["act"],
            document=document,
            actor=person(request),
            do=lambda: document_mail.send(**facts, actor=person(request), now=request.now),
        )
        return document  # type: ignore[no-any-return]  # as it was given

    words = _("%(number)s is mailed to %(name)s.") % {"number": document.number, "name": recipient.name}
    return _act(request, document, offer, form, run, words)


def _plain(request: Request, document: AnyDocument, desk: Desk) -> ActForm:
    """Make the form of an act that asks nothing."""
    data = request.POST if request.method == "POST" else None
    return ActForm(data, document=document, desk=desk, reader=person(request))


def _act(
    request: Request,
    document: AnyDocument,
    offer: Offer,
    form: ActForm,
    run: Callable[[Given], AnyDocument],
    sentence: str,
) -> HttpResponse:
    """Ask what an act on a recipient needs and say what it makes of the card; then do it."""
    if not form.is_bound or ("preview" in request.POST and form.is_valid()):
        return _sheet(request, document, offer, form)
    if not form.is_valid():
        return _sheet(request, document, offer, form, status=422)
    try:
        with transaction.atomic():
            done = run(form.cleaned_data)
            follow_forecast(request, done, form)
    except ValidationError as error:
        refuse(form, ValidationError(error.messages))
        return _sheet(request, document, offer, form, status=422)
    except Refused as refused:
        for blocker in refused.blockers:
            form.add_error(None, blocker.message)
        return _sheet(request, document, offer, form, status=409)
    return acted_on(request, done, sentence, before=document)


def _sheet(request: Request, document: AnyDocument, offer: Offer, form: ActForm, *, status: int = 200) -> HttpResponse:
    context = {"document": document, "card": document.opportunity, "offer": offer, "form": form}
    fragment = "#sheet" if request.htmx else ""
    return render(request, f"documents/act.html{fragment}", context, status=status)


@require_GET
def links_of(request: Request, ref: str, pk: int) -> HttpResponse:
    """Show the private links of a quote or agreement, to copy: where one lands after submitting it by link."""
    document, desk = look(request, ref, pk)
    rows = recipients.of(document, desk=desk, reader=person(request))
    context = {"document": document, "recipients": rows, "links_say": recipients.links_in_words(document, desk=desk)}
    return render(request, "documents/links.html", context)


@require_GET
def paper(request: Request, ref: str, pk: int) -> HttpResponse:
    """Show a quote or agreement as a paper to print."""
    document, _desk = look(request, ref, pk)
    made = papers.of(document, business=request.business, lines=document.lines.all())  # type: ignore[arg-type]
    return render(request, "documents/print.html", {"paper": made, "back": document.get_absolute_url()})
