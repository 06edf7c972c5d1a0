"""The routes of the outbox: `/mails/…`."""

from django.urls import URLPattern, path

from opportunities import mail_views as views

urlpatterns: list[URLPattern] = [
    path("mails/", views.listing, name="mails"),
    path("mails/<int:pk>/", views.detail, name="mail"),
    path("mails/<int:pk>/again/", views.again, name="mail-again"),
]
