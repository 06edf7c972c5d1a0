"""The routes of the calendar."""

from django.urls import URLPattern, URLResolver, path

from boards import calendar_views

# /boards/3/…
board_urls: list[URLPattern | URLResolver] = [path("calendar/", calendar_views.board_calendar, name="calendar")]

urlpatterns: list[URLPattern | URLResolver] = [path("calendar/", calendar_views.all_calendar, name="all-calendar")]
