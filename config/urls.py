"""The URL tree. Pages belong to the apps; errors use Django's handlers with our templates."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("opportunities.accounts_urls")),
    path("", include("opportunities.urls")),
    path("", include("boards.urls")),
]
