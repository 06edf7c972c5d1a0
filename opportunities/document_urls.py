"""The routes of quotes, jobs and agreements: `/quotes/…`, `/jobs/…`, `/agreements/…`."""

from django.urls import URLPattern, path

from opportunities import attach_views, document_form_views, document_list_views
from opportunities import document_views as views


def _of(ref: str) -> list[URLPattern]:
    """The routes that every kind of document has."""
    given = {"ref": ref}
    return [
        path(f"{ref}s/", document_list_views.listing, given, name=f"{ref}s"),
        path(f"{ref}s/new/", document_form_views.new, given, name=f"{ref}-new-loose"),
        path(f"opportunities/<int:pk>/{ref}s/new/", document_form_views.new, given, name=f"{ref}-new"),
        path(f"{ref}s/<int:pk>/edit/", document_form_views.edit, given, name=f"{ref}-edit"),
        path(f"{ref}s/<int:pk>/", views.detail, given, name=ref),
        path(f"{ref}s/<int:pk>/attach/", attach_views.attach_to, given, name=f"{ref}-attach"),
        path(f"{ref}s/<int:pk>/detach/", attach_views.detach, given, name=f"{ref}-detach"),
        path(f"{ref}s/<int:pk>/<slug:verb>/", views.act, given, name=f"{ref}-act"),
    ]


urlpatterns: list[URLPattern] = [*_of("quote"), *_of("job"), *_of("agreement")]
