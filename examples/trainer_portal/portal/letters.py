"""From a class to its result: write, preview, send, progress, result, and the sent log of a person."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from django import forms
from vetmail_core import STANDARD_CONTEXTS, Exclusion, LedgerError, LedgerState, Status, VetmailError
from vetmail_core.mailings import Mailings

from . import mail
from .models import Course, Letter, SentEmail, Student
from .tasks import deliver

if TYPE_CHECKING:
    from django.http import HttpRequest

    from vetmail_core import Outcome, Report

CONTEXTS = [
    (key, one.label) for key, one in STANDARD_CONTEXTS.items() if not one.private and "client" in one.to_roles
]
WORDS = {
    Status.ACCEPTED: "accepted by the mail server",
    Status.HANDED_OVER: "handed over",
    Status.REFUSED: "refused",
    Status.DEFERRED: "put off by the mail server",
    Status.UNKNOWN: "in doubt: it may have arrived",
    Status.NOT_ATTEMPTED: "not tried",
}
QUIET_SECONDS = 120


def home(request: HttpRequest) -> HttpResponse:
    courses = Course.objects.order_by("name").prefetch_related("students")
    return render(request, "home.html", {"courses": courses})


class LetterForm(forms.ModelForm):
    context = forms.ChoiceField(
        choices=CONTEXTS, help_text="The Email Context tab says who gets copies of such email."
    )
    upload = forms.FileField(required=False, label="Attachment", help_text="One file, 10 MB at most.")

    class Meta:
        model = Letter
        fields = ("context", "subject", "text", "html", "marketing", "unsubscribe")
        labels = {
            "text": "Text",
            "html": "HTML form of the same text",
            "marketing": "This is marketing",
            "unsubscribe": "Link to unsubscribe",
        }
        help_texts = {
            "subject": "${first_name} and ${class} become each student's own.",
            "html": "May stay empty.",
            "marketing": "Students who asked for none are left out.",
            "unsubscribe": "For marketing: an https link, such as https://rto.example/leave?a=${address}.",
        }
        widgets = {"text": forms.Textarea(attrs={"rows": 8}), "html": forms.Textarea(attrs={"rows": 4})}

    def clean(self) -> dict[str, object]:
        """The library judges: an unknown field is told with its line, and the nearest name."""
        cleaned = super().clean()
        if self.errors:
            return cleaned
        letter = self._letter()
        try:
            next(iter(mail.plan_of(letter)), None)
        except VetmailError as error:
            place = "unsubscribe" if "unsubscribe" in str(error).lower() else "text"
            if getattr(error, "field", "") and str(error.field) in letter.subject:
                place = "subject"
            said = str(error)
            raise forms.ValidationError({place: said[:1].upper() + said[1:]}) from None
        return cleaned

    def _letter(self) -> Letter:
        letter = self.instance
        for name in self.Meta.fields:
            setattr(letter, name, self.cleaned_data[name])
        upload = self.cleaned_data.get("upload")
        if upload is not None:
            letter.file_name, letter.file = upload.name, upload.read()
        letter.pk = letter.pk or None
        return letter


def write(request: HttpRequest, course: int = 0, letter: int = 0) -> HttpResponse:
    instance = get_object_or_404(Letter, pk=letter, sent=False) if letter else None
    of = instance.course if instance else get_object_or_404(Course, pk=course)
    form = LetterForm(request.POST or None, request.FILES or None, instance=instance or Letter(course=of))
    if request.method == "POST" and form.is_valid():
        return redirect("preview", form.save().pk)
    students = of.students.count()
    status = 400 if form.is_bound else 200
    return render(request, "write.html", {"form": form, "course": of, "students": students}, status=status)


def preview(request: HttpRequest, letter: int) -> HttpResponse:
    written = get_object_or_404(Letter, pk=letter)
    if written.sent:
        return redirect("progress", written.pk)
    plan = mail.plan_of(written)
    summary = plan.summary()
    number = min(max(_number(request.GET.get("person")), 1), max(summary.emails, 1))
    left_out: dict[str, list[Exclusion]] = {}
    for step in plan.steps():
        if isinstance(step, Exclusion):
            left_out.setdefault(step.reason.value.replace("_", " "), []).append(step)
    wait = mail.preferences().mail_server.wait_between_emails_ms / 1000
    return render(
        request,
        "preview.html",
        {
            "letter": written,
            "summary": summary,
            "email": next(islice(plan, number - 1, None), None),
            "number": number,
            "left_out": left_out,
            "off": not mail.preferences().use_built_in_client,
            "time": _duration(wait * max(summary.emails - 1, 0)),
            "fingerprint": mail.fingerprint(plan),
        },
    )


def send(request: HttpRequest, letter: int) -> HttpResponse:
    """Write the mailing down, then queue its slices. A second press finds the same mailing."""
    written = get_object_or_404(Letter, pk=letter)
    if request.method != "POST":
        return redirect("preview", written.pk)
    if not written.sent:
        if not mail.preferences().use_built_in_client:
            return redirect("preview", written.pk)
        if request.POST.get("fingerprint") != mail.fingerprint(mail.plan_of(written)):
            messages.warning(request, "The class or the preferences have changed. Look at the preview again.")
            return redirect("preview", written.pk)
        for number in mail.write_down(written):
            deliver.enqueue(number)
    return redirect("progress", written.pk)


def progress(request: HttpRequest, letter: int) -> HttpResponse:
    written = get_object_or_404(Letter, pk=letter)
    with mail.ledger() as ledger:
        mailings = Mailings(ledger)
        try:
            if request.method == "POST":
                return _steer(request, written, mailings)
            now = mailings.progress(written.batch)
        except LedgerError as error:
            raise Http404(str(error)) from None
    done = now.emails - now.counts.get("not_attempted", 0)
    last = SentEmail.objects.filter(letter=written).order_by("-at").first()
    since = (timezone.now() - (last.at if last else now.enqueued_at)).total_seconds()
    wait = mail.preferences().mail_server.wait_between_emails_ms / 1000
    context = {
        "letter": written,
        "now": now,
        "done": done,
        "left": _duration(wait * (now.emails - done)),
        "quiet": bool(now.open) and not now.stopped and since > QUIET_SECONDS,
        "over": not now.open,
    }
    return render(request, "progress.html", context)


def _steer(request: HttpRequest, written: Letter, mailings: Mailings) -> HttpResponse:
    if "stop" in request.POST:
        mailings.stop(written.batch)
        messages.success(request, "Stopped. Whoever was not written to yet gets nothing.")
    else:
        mailings.resume(written.batch)
        for number in mailings.open_slices(quiet_seconds=0):
            deliver.enqueue(number)
        messages.success(request, "It goes on with everybody who is still open.")
    return redirect("progress", written.pk)


def result(request: HttpRequest, letter: int) -> HttpResponse:
    written = get_object_or_404(Letter, pk=letter)
    with mail.ledger() as ledger:
        if request.method == "POST":
            arrived = "arrived" in request.POST
            state = LedgerState.ACCEPTED if arrived else LedgerState.DEFERRED
            key = request.POST["arrived" if arrived else "not_sent"]
            try:
                ledger.resolve(key, state)
                messages.success(request, "Settled." if arrived else "Settled. Resume sends it again.")
            except LedgerError as error:
                messages.warning(request, str(error))
            return redirect("result", written.pk)
        mailings = Mailings(ledger)
        report, now = mailings.report(written.batch), mailings.progress(written.batch)
    doubts, kinds = _sorted(report)
    context = {"letter": written, "report": report, "now": now, "doubts": doubts, "kinds": kinds}
    return render(request, "result.html", context)


def _sorted(report: Report) -> tuple[list[dict[str, object]], dict[str, list[dict[str, object]]]]:
    """Doubts apart from everything else that did not reach somebody; each kind by its words."""
    doubts: list[dict[str, object]] = []
    kinds: dict[str, list[dict[str, object]]] = {}
    for receipt in report.failures:
        for outcome in receipt.outcomes:
            row = _row(receipt.email.key, outcome, receipt.reason_for(outcome))
            if outcome.status is Status.UNKNOWN:
                doubts.append(row)
            elif outcome.status not in {Status.ACCEPTED, Status.HANDED_OVER}:
                kinds.setdefault(WORDS[outcome.status], []).append(row)
    return doubts, kinds


def _row(key: str, outcome: Outcome, reason: str) -> dict[str, object]:
    person = key.partition("/")[2]
    student = Student.objects.filter(key=person).first()
    return {
        "key": key,
        "student": student,
        "address": outcome.mailbox.addr_spec,
        "reason": reason,
    }


def table(request: HttpRequest, letter: int) -> HttpResponse:
    written = get_object_or_404(Letter, pk=letter)
    with mail.ledger() as ledger:
        report = Mailings(ledger).report(written.batch)
    answer = HttpResponse(report.to_csv(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{written.batch}.csv"'
    return answer


def person(request: HttpRequest, key: str) -> HttpResponse:
    student = get_object_or_404(Student, key=key)
    sent = SentEmail.objects.filter(person=key).select_related("letter").order_by("-at")
    lines = [
        {
            "sent": one,
            "status": _statuses(one.receipt),
            "context": STANDARD_CONTEXTS[one.letter.context].label if one.letter else "",
        }
        for one in sent
    ]
    return render(request, "person.html", {"student": student, "lines": lines})


def _statuses(receipt: dict[str, list[dict[str, str]]]) -> str:
    counts = Counter(WORDS[Status(one["status"])] for one in receipt["recipients"])
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{number} {words}" for words, number in counts.items())


def message(request: HttpRequest, sent: int) -> HttpResponse:
    kept = get_object_or_404(SentEmail, pk=sent)
    answer = HttpResponse(bytes(kept.octets), content_type="message/rfc822")
    answer["Content-Disposition"] = f'attachment; filename="sent-{kept.pk}.eml"'
    return answer


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() else 1


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    if not (hours or minutes):
        return "less than a minute"
    return f"at least {hours} h {minutes:02} min" if hours else f"at least {minutes} min"
