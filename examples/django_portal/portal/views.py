"""One view: a trainer says that a class moved."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from vetmail_core import Content, Person

from .mail import mailer

NOTICE = Content("Your class moved", "Hello ${first_name}, it is in ${room} now.\n")


@csrf_exempt
def moved(request: HttpRequest) -> JsonResponse:
    """POST room and any number of student=Name=address."""
    room = request.POST["room"]
    people = [
        Person(address, name=name, key=address, fields={"room": room})
        for name, _, address in (entry.partition("=") for entry in request.POST.getlist("student"))
    ]
    with mailer() as line:
        report = line.send_bulk(line.plan_bulk(NOTICE, people))
    left_out = [exclusion.detail for exclusion in report.exclusions]
    return JsonResponse({"accepted": report.accepted, "refused": report.refused, "left_out": left_out})


urlpatterns = [path("moved/", moved)]
