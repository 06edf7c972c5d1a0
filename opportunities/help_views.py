"""The help pages in the product."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from opportunities.access import Role, role_of
from opportunities.http import Request
from opportunities.models import OpportunityStage, OpportunityStatus
from opportunities.models.opportunity import WORKFLOW_CHOICES


@require_GET
def stages(request: Request) -> HttpResponse:
    """Explain stages, workflow statuses and sales statuses, with the business's own rows as the example (K7a)."""
    meanings = {
        "prospect": _("Nothing is attached yet: no quote, no job, no agreement. Every card begins here."),
        "negotiation": _("A quote is attached and was submitted to the customer; you talk about it."),
        "agreement": _("A proposal or an agreement was sent to the customer and waits for signatures."),
        "contracted": _("It is settled: everyone has signed, a quote became a job, or a job is attached."),
        "completed": _("All the work is done. If a job is opened again, the card goes back to Contracted."),
        "expired": _(
            "The forecast date has passed. Nothing is lost: give the card a new date and it goes on where it was."
        ),
        "void": _("The card was made by mistake. A person decides this, and it is final."),
        "canceled": _("The customer does not want to go on. A person decides this, and it is final."),
    }
    context = {
        "workflow": [(value, label, meanings[value]) for value, label in WORKFLOW_CHOICES],
        "stages": OpportunityStage.objects.active().in_order(),
        "statuses": OpportunityStatus.objects.active().in_order(),
        "is_admin": role_of(request.user) is Role.ADMIN,
    }
    return render(request, "opportunities/help_stages.html", context)
