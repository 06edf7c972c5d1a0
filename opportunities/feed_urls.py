"""The routes of the calendar feed."""

from django.urls import URLPattern, path

from opportunities import feed_views as views

urlpatterns: list[URLPattern] = [
    path("feed/<str:token>.ics", views.feed, name="feed"),
    path("accounts/profile/feed/", views.switch_on, name="feed-on"),
    path("accounts/profile/feed/renew/", views.renew, name="feed-renew"),
    path("accounts/profile/feed/off/", views.switch_off, name="feed-off"),
]
