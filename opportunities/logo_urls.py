"""The route of the logo."""

from django.urls import path

from opportunities import logo_views

urlpatterns = [path("logo/", logo_views.logo, name="logo")]
