"""The routes of opportunities: `/opportunities/…`, `/actions/…`, `/events/…`."""

from django.urls import URLPattern, path

from opportunities import attach_views, closing_views
from opportunities import opportunity_act_views as acts
from opportunities import opportunity_views as views

urlpatterns: list[URLPattern] = [
    path("opportunities/new/", views.new, name="new"),
    path("opportunities/<int:pk>/", views.detail, name="detail"),
    path("opportunities/<int:pk>/edit/", views.edit, name="edit"),
    path("opportunities/<int:pk>/duplicate/", views.duplicate, name="duplicate"),
    path("opportunities/<int:pk>/archive/", acts.archive, name="archive"),
    path("opportunities/<int:pk>/unarchive/", acts.unarchive, name="unarchive"),
    path("opportunities/<int:pk>/take/", acts.take, name="take"),
    path("opportunities/<int:pk>/forecast/", acts.forecast, name="forecast"),
    path("opportunities/<int:pk>/attach/", attach_views.attach, name="attach"),
    path("opportunities/<int:pk>/follow-amount/", acts.follow_amount, name="follow-amount"),
    path("opportunities/<int:pk>/move/", acts.move, name="move"),
    path("opportunities/<int:pk>/status/", acts.status, name="status"),
    path("opportunities/<int:pk>/void/", closing_views.void, name="void"),
    path("opportunities/<int:pk>/void/why/", closing_views.why_not, name="void-why"),
    path("opportunities/<int:pk>/cancel/", closing_views.cancel, name="cancel"),
    path("opportunities/<int:pk>/note/", acts.note, name="note"),
    path("opportunities/<int:pk>/action/", acts.action, name="action"),
    path("actions/<int:pk>/done/", acts.action_done, name="action-done"),
    path("actions/<int:pk>/reopen/", acts.action_reopen, name="action-reopen"),
    path("actions/<int:pk>/edit/", acts.action_edit, name="action-edit"),
    path("events/<int:event_id>/undo/", acts.undo, name="undo"),
]
