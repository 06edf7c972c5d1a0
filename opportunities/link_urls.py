"""The routes of private links: the only pages of the product that need no login."""

from django.urls import URLPattern, path

from opportunities import link_views as views

urlpatterns: list[URLPattern] = [
    path("l/<str:token>/", views.page, name="link"),
    path("l/<str:token>/accept/", views.accept, name="link-accept"),
    path("l/<str:token>/decline/", views.decline, name="link-decline"),
    path("l/<str:token>/viewed/", views.viewed, name="link-viewed"),
    path("l/<str:token>/print/", views.paper, name="link-print"),
    path("l/<str:token>/logo/", views.logo, name="link-logo"),
]
