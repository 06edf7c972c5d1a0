"""The route of "Tonight's run"."""

from django.urls import URLPattern, path

from opportunities import tonight_views

urlpatterns: list[URLPattern] = [path("tonight/", tonight_views.show, name="tonight")]
