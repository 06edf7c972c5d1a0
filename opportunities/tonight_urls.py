"""The routes of those who look after the clock: tonight's run, and the integrity check."""

from django.urls import URLPattern, path

from opportunities import integrity_views, tonight_views

urlpatterns: list[URLPattern] = [
    path("tonight/", tonight_views.show, name="tonight"),
    path("integrity/", integrity_views.show, name="integrity"),
]
