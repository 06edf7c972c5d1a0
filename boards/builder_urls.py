"""The routes of making and changing boards."""

from django.urls import URLPattern, URLResolver, path

from boards import builder_views

# /boards/3/…
board_urls: list[URLPattern | URLResolver] = [
    path("edit/", builder_views.edit, name="edit"),
    path("columns/", builder_views.columns, name="columns"),
    path("stages/", builder_views.stages, name="stages"),
    path("delete/", builder_views.delete, name="delete"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("boards/", builder_views.all_boards, name="all"),
    path("boards/new/", builder_views.new, name="new"),
    path("boards/stages/<uuid:bulk_act_id>/undo/", builder_views.undo_stages, name="undo-stages"),
]
