"""Routes of the page "People", of one's own profile, and of the first setup."""

from django.urls import path

from opportunities import accounts_views, people_views, setup_views

urlpatterns = [
    path("setup/", setup_views.setup, name="setup"),
    path("accounts/profile/", accounts_views.profile, name="profile"),
    path("people/", people_views.people_list, name="people"),
    path("people/new/", people_views.new, name="person-new"),
    path("people/<int:pk>/", people_views.edit, name="person-edit"),
    path("people/<int:pk>/link/", people_views.link, name="person-link"),
    path("people/<int:pk>/deactivate/", people_views.deactivate, name="person-deactivate"),
    path("people/<int:pk>/reactivate/", people_views.reactivate, name="person-reactivate"),
    path("people/<int:pk>/hand-over/", people_views.hand_over, name="person-hand-over"),
]
