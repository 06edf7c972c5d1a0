"""The routes of what people are told: `/my-day/`, `/notices/…`, and putting an action item off."""

from django.urls import URLPattern, path

from opportunities import my_day_views, notice_views

urlpatterns: list[URLPattern] = [
    path("my-day/", my_day_views.page, name="my-day"),
    path("actions/<int:pk>/snooze/", my_day_views.snooze, name="action-snooze"),
    path("notices/", notice_views.listing, name="notices"),
    path("notices/read/", notice_views.read_all, name="notices-read"),
    path("notices/<int:pk>/read/", notice_views.read, name="notice-read"),
    path("notices/choices/", notice_views.choices, name="notice-choices"),
]
