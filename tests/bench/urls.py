"""The product's routes and the two floors."""

from django.urls import include, path

from tests.bench import floors

urlpatterns = [
    path("floor/boards/<int:board_id>/", floors.board, name="floor-board"),
    path("floor/move/<int:card_id>/", floors.move, name="floor-move"),
    path("", include("config.urls")),
]
