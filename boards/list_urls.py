"""The routes of the list, the search, the filter's form, and acts on many cards."""

from django.urls import URLPattern, URLResolver, path

from boards import list_views

# /boards/3/…
board_urls: list[URLPattern | URLResolver] = [
    path("list/", list_views.card_list, name="list"),
    path("filter/", list_views.board_filter, name="filter"),
    path("save-as/", list_views.save_as, name="save-as"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("archive/", list_views.archive, name="archive"),
    path("search/", list_views.search, name="search"),
    path("search/filter/", list_views.search_filter, name="search-filter"),
    path("bulk/", list_views.bulk_start, name="bulk-start"),
    path("bulk/choose/<slug:what>/", list_views.bulk_choose, name="bulk-choose"),
    path("bulk/<uuid:bulk_act_id>/", list_views.bulk_act, name="bulk-act"),
    path("bulk/<uuid:bulk_act_id>/undo/", list_views.bulk_undo, name="bulk-undo"),
]
