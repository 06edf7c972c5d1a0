"""The routes of the help pages: `/help/…`."""

from django.urls import URLPattern, path

from opportunities import help_views as views

urlpatterns: list[URLPattern] = [
    path("help/stages-and-statuses/", views.stages, name="help-stages"),
]
