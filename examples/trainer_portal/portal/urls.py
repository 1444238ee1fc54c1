"""Where each page is."""

from django.urls import path

from . import letters, preferences

urlpatterns = [
    path("", letters.home, name="home"),
    path("preferences/", preferences.screen, name="preferences"),
    path("preferences/test/", preferences.test, name="test"),
    path("preferences/test/draft.eml", preferences.draft, name="draft"),
    path("classes/<int:course>/write/", letters.write, name="write"),
    path("letters/<int:letter>/edit/", letters.write, name="edit"),
    path("letters/<int:letter>/preview/", letters.preview, name="preview"),
    path("letters/<int:letter>/send/", letters.send, name="send"),
    path("letters/<int:letter>/", letters.progress, name="progress"),
    path("letters/<int:letter>/result/", letters.result, name="result"),
    path("letters/<int:letter>/result.csv", letters.table, name="table"),
    path("people/<str:key>/", letters.person, name="person"),
    path("sent/<int:sent>/message.eml", letters.message, name="message"),
]
