"""The routes of opportunities, customers, people and the pages around them; each module brings its own list."""

from django.urls import URLPattern, URLResolver

from opportunities import people_urls

app_name = "opportunities"

urlpatterns: list[URLPattern | URLResolver] = [
    *people_urls.urlpatterns,
]
