"""The routes of boards. The board page's own stand here; editing boards and the list bring theirs."""

from django.urls import URLPattern, URLResolver, include, path

from boards import builder_urls, calendar_urls, list_urls, live_views, views

app_name = "boards"

# /boards/3/…
board_urls: list[URLPattern | URLResolver] = [
    path("", views.board, name="board"),
    path("heads/", views.heads, name="heads"),
    path("events/", live_views.events, name="events"),
    path("changes/", live_views.changes, name="changes"),
    path("tray/", views.tray, name="tray"),
    path("tray/fold/", views.fold_tray, name="fold_tray"),
    path("columns/<int:column_id>/cards/", views.column_cards, name="column_cards"),
    path("columns/<int:column_id>/add/", views.add, name="add"),
    path("columns/<int:column_id>/fold/", views.fold, name="fold"),
    path("cards/<int:card_id>/", views.card, name="card"),
    path("cards/<int:card_id>/targets/", views.targets, name="targets"),
    path("cards/<int:card_id>/move/", views.move, name="move"),
    path("cards/<int:card_id>/outcome/", views.outcome, name="outcome"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.home, name="home"),
    path(
        "boards/<int:board_id>/",
        include([*board_urls, *builder_urls.board_urls, *list_urls.board_urls, *calendar_urls.board_urls]),
    ),
    *builder_urls.urlpatterns,
    *list_urls.urlpatterns,
    *calendar_urls.urlpatterns,
]
