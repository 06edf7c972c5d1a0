"""The business's logo, as a picture."""

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_GET

from opportunities.http import Request


@require_GET
def logo(request: Request) -> HttpResponse:
    """Serve the logo as the kind of picture that it was found to be, and as nothing else."""
    business = request.business
    if not business.logo_type:
        raise Http404
    response = HttpResponse(bytes(business.logo), content_type=business.logo_type)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Disposition"] = "inline"
    response.headers["Cache-Control"] = "private, max-age=300"
    return response
