"""The routes of customers and contacts: `/customers/…`, `/contacts/…`."""

from django.urls import URLPattern, path

from opportunities import customer_views as views

urlpatterns: list[URLPattern] = [
    path("customers/", views.customer_list, name="customers"),
    path("customers/suggest/", views.suggest, name="customer-suggest"),
    path("customers/new/", views.customer_new, name="customer-new"),
    path("customers/<int:pk>/", views.customer, name="customer"),
    path("customers/<int:pk>/edit/", views.customer_edit, name="customer-edit"),
    path("customers/<int:customer_id>/contacts/new/", views.contact_new, name="contact-new"),
    path("contacts/<int:pk>/", views.contact, name="contact"),
    path("contacts/<int:pk>/edit/", views.contact_edit, name="contact-edit"),
    path("contacts/<int:pk>/active/", views.contact_active, name="contact-active"),
]
