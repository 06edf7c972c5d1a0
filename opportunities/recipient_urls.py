"""The routes of recipients, of the links to copy, and of papers to print. They stand before those of the acts."""

from django.urls import URLPattern, path

from opportunities import recipient_views as views

urlpatterns: list[URLPattern] = [
    path("recipients/<int:pk>/respond/", views.respond, name="recipient-respond"),
    path("recipients/<int:pk>/cancel/", views.cancel, name="recipient-cancel"),
    path("recipients/<int:pk>/readdress/", views.readdress, name="recipient-readdress"),
    path("recipients/<int:pk>/link/", views.renew, name="recipient-renew"),
    path("quote-recipients/<int:pk>/link/", views.renew_of_quote, name="quote-recipient-renew"),
    path("recipients/<int:pk>/mail/", views.mail, name="recipient-mail"),
    path("quote-recipients/<int:pk>/mail/", views.mail_of_quote, name="quote-recipient-mail"),
    path("quotes/<int:pk>/links/", views.links_of, {"ref": "quote"}, name="quote-links"),
    path("agreements/<int:pk>/links/", views.links_of, {"ref": "agreement"}, name="agreement-links"),
    path("quotes/<int:pk>/print/", views.paper, {"ref": "quote"}, name="quote-print"),
    path("agreements/<int:pk>/print/", views.paper, {"ref": "agreement"}, name="agreement-print"),
]
