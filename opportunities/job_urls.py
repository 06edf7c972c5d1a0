"""The routes of what is done to the lines, payments and refunds of a job."""

from django.urls import URLPattern, path

from opportunities import job_views as views

urlpatterns: list[URLPattern] = [
    path("jobs/lines/<int:pk>/fulfil/", views.act, {"verb": "fulfil"}, name="line-fulfil"),
    path("jobs/lines/<int:pk>/return/", views.act, {"verb": "return"}, name="line-return"),
    path("payments/<int:pk>/settle/", views.act, {"verb": "settle"}, name="payment-settle"),
    path("payments/<int:pk>/void/", views.act, {"verb": "void"}, name="payment-void"),
    path("payments/<int:pk>/refund/", views.act, {"verb": "refund"}, name="payment-refund"),
    path("refunds/<int:pk>/settle/", views.act, {"verb": "settle-refund"}, name="refund-settle"),
]
