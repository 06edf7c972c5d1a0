"""The routes of opportunities, customers, people and the pages around them; each module brings its own list."""

from django.urls import URLPattern, URLResolver

app_name = "opportunities"

urlpatterns: list[URLPattern | URLResolver] = []
