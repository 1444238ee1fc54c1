"""Two views: a trainer says that a class moved, or takes the email home as a draft."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from vetmail_core import Content, Person, draft_bytes

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


@csrf_exempt
def moved_draft(request: HttpRequest) -> HttpResponse:
    """POST any number of student=Name=address: a draft to all of them, to download and open."""
    people = [Person(entry.partition("=")[2]) for entry in request.POST.getlist("student")]
    with mailer() as line:
        plan = line.plan_bulk(Content("Your class moved", "It is in another room now.\n"), people)
    # The mail program of whoever downloads it puts its own account into From, and sends to those in BCC.
    return HttpResponse(
        draft_bytes(plan.as_one_email()),
        content_type="message/rfc822",
        headers={"Content-Disposition": 'attachment; filename="class-moved.eml"'},
    )


urlpatterns = [path("moved/", moved), path("moved/draft.eml", moved_draft)]
