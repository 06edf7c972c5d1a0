"""The URL tree. Pages belong to the apps; errors use Django's handlers with our templates."""

from django.urls import include, path

from opportunities.admin import site as admin_site

urlpatterns = [
    path("admin/", admin_site.urls),
    path("accounts/", include("opportunities.accounts_urls")),
    path("", include("opportunities.urls")),
    path("", include("boards.urls")),
]
