"""The routes of opportunities, customers, people and the pages around them; each module brings its own list."""

from django.urls import URLPattern, URLResolver

from opportunities import (
    customer_urls,
    document_urls,
    feed_urls,
    help_urls,
    job_urls,
    link_urls,
    logo_urls,
    mail_urls,
    opportunity_urls,
    people_urls,
    recipient_urls,
    telling_urls,
    tonight_urls,
)

app_name = "opportunities"

urlpatterns: list[URLPattern | URLResolver] = [
    *opportunity_urls.urlpatterns,
    *customer_urls.urlpatterns,
    *recipient_urls.urlpatterns,
    *job_urls.urlpatterns,
    *document_urls.urlpatterns,
    *link_urls.urlpatterns,
    *feed_urls.urlpatterns,
    *help_urls.urlpatterns,
    *people_urls.urlpatterns,
    *logo_urls.urlpatterns,
    *tonight_urls.urlpatterns,
    *telling_urls.urlpatterns,
    *mail_urls.urlpatterns,
]
