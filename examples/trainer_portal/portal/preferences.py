"""The e-mail preferences as a page: three tabs, a conflict, a test email."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from django import forms
from vetmail_core import (
    PROVIDERS,
    STANDARD_CONTEXTS,
    AddressError,
    Content,
    DeliveryError,
    Email,
    Mailer,
    PreferencesError,
    Recipients,
    RecipientType,
    StalePreferencesError,
    VetmailError,
    check_preferences,
    describe_preferences,
    draft_bytes,
    form_values,
    parse_mailbox,
    preferences_from_form,
    save_preferences,
)

from . import mail

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

    from vetmail_core import EmailPreferences, Problem, SettingDescription

TABS = {"server": "Mail server", "settings": "Settings", "contexts": "Email Context"}
PASSWORD = "mail_server.password"


class PreferencesThatCannotBeUsed:
    """Middleware: any page that needs them says what is wrong with them, and where."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, PreferencesError):
            return render(request, "damaged.html", {"error": error}, status=500)
        return None


def screen(request: HttpRequest) -> HttpResponse:
    """GET shows a tab; POST saves what it holds."""
    current = mail.preferences()
    if request.method != "POST":
        return _page(request, current)
    try:
        entered = preferences_from_form(request.POST, current=current)
        saved = save_preferences(entered, settings.PREFERENCES, include_secrets=True)
    except StalePreferencesError:
        return _conflict(request, mail.preferences())
    except PreferencesError as error:
        return _page(request, current, problems=error.problems)
    messages.success(request, _what_was_saved(current, saved))
    query = f"?tab={_tab(request)}"
    return redirect(reverse("preferences") + query)


def _tab(request: HttpRequest) -> str:
    asked = request.POST.get("tab") or request.GET.get("tab", "server")
    return asked if asked in TABS else "server"


def _page(
    request: HttpRequest, current: EmailPreferences, *, problems: tuple[Problem, ...] = ()
) -> HttpResponse:
    texts = dict(form_values(current))
    filled_in = None
    if request.method == "POST":
        texts.update({name: values[-1] for name, values in request.POST.lists() if name in texts})
        texts[PASSWORD] = ""
    elif provider := PROVIDERS.get(request.GET.get("provider", "")):
        filled_in = provider.name
        texts["mail_server.host"], texts["mail_server.port"] = provider.host, str(provider.ports[0])
        texts["mail_server.tls"] = provider.tls.value
        texts["mail_server.authentication"] = provider.authentications[-1].value
    tab, edited = _tab(request), request.GET.get("edit") or request.POST.get("edit", "")
    findings = check_preferences(current)
    controls = [
        _control(setting, texts[setting.name], current, findings, problems)
        for setting in describe_preferences(current=current)
    ]
    names = {control["name"] for control in controls}
    context = {
        "revision": texts["revision"],
        "switch": controls[0],
        "tab": tab,
        "tabs": TABS,
        "controls": [one for one in controls if one["tab"] == TABS[tab] and not one["group"]],
        "advanced": [one for one in controls if one["tab"] == TABS[tab] and one["group"] == "advanced"],
        "rows": _contexts(controls, edited) if tab == "contexts" else [],
        "edited": edited,
        "edited_controls": [one for one in controls if one["name"].startswith(f"contexts.{edited}.")],
        "edited_label": STANDARD_CONTEXTS[edited].label if edited in STANDARD_CONTEXTS else "",
        "problems": problems,
        "linked": [
            {"id": one["id"], "label": one["label"], "said": f"{problem.message} {problem.advice}"}
            for one in controls
            if (problem := one["problem"]) is not None
        ],
        "elsewhere": [problem for problem in problems if problem.setting not in names],
        "providers": {key: provider.name for key, provider in PROVIDERS.items()},
        "filled_in": filled_in,
        "off": not current.use_built_in_client,
        "new": not settings.PREFERENCES.exists(),
    }
    return render(request, "preferences.html", context, status=400 if problems else 200)


def _control(
    setting: SettingDescription,
    text: str,
    current: EmailPreferences,
    findings: tuple[Problem, ...],
    problems: tuple[Problem, ...],
) -> dict[str, object]:
    default = _text(setting.default)
    choices = [(_text(one.value), one.label, _text(one.value) == text) for one in setting.choices]
    return {
        "name": setting.name,
        "id": setting.name.replace(".", "-"),
        "tab": setting.tab,
        "group": setting.group,
        "label": setting.label,
        "help": setting.help,
        "kind": setting.kind.value,
        "choices": choices,
        "said": next((label for _, label, chosen in choices if chosen), ""),
        "bounds": setting.bounds,
        "text": text,
        # The switch itself always applies; a client that is off leaves all but the separator alone.
        "off": not current.applies(setting.name) and not current.use_built_in_client,
        "idle": not current.applies(setting.name),
        "applies": setting.applies,
        "findings": [one for one in findings if one.setting == setting.name],
        "problem": next((one for one in problems if one.setting == setting.name), None),
        "stored": setting.name == PASSWORD and current.mail_server.password is not None,
        "changed": setting.name.startswith("contexts.") and text != default,
        "default": default,
        "default_label": next((label for value, label, _ in choices if value == default), ""),
    }


def _text(value: object) -> str:
    if isinstance(value, enum.Enum):
        return str(value.value)
    return "" if value is None else str(value)


def _contexts(controls: list[dict[str, object]], edited: str) -> list[dict[str, object]]:
    rows = []
    for key, context in STANDARD_CONTEXTS.items():
        rules = [one for one in controls if str(one["name"]).startswith(f"contexts.{key}.")]
        rows.append(
            {
                "key": key,
                "label": context.label,
                "private": context.private,
                "edited": key == edited,
                "changed": any(one["changed"] for one in rules),
                "problem": any(one["problem"] for one in rules),
                **{
                    kind.value: ", ".join(str(one["label"]) for one in rules if one["text"] == kind.value)
                    for kind in (RecipientType.TO, RecipientType.CC, RecipientType.BCC)
                },
            }
        )
    return rows


def _what_was_saved(before: EmailPreferences, after: EmailPreferences) -> str:
    old, new = form_values(before), form_values(after)
    said = []
    for setting in describe_preferences(current=after):
        if old.get(setting.name) != new[setting.name]:
            choices = {_text(one.value): one.label for one in setting.choices}
            unit = " ms" if setting.name.endswith("_ms") else ""
            label = f"{setting.group}, {setting.label}" if setting.group else setting.label
            shown = choices.get(new[setting.name], new[setting.name]) or "empty"
            said.append(f"{label} is now {shown}{unit}.")
    if before.mail_server.password != after.mail_server.password:
        stored = after.mail_server.password is not None
        said.append("A new password is stored." if stored else "The stored password is gone.")
    return " ".join(["Saved.", *said]) if said else "Saved. Nothing was different."


def _conflict(request: HttpRequest, now: EmailPreferences) -> HttpResponse:
    """Somebody else saved in between: what it is now, what was entered, and a choice."""
    texts = form_values(now)
    posted = {name: values[-1] for name, values in request.POST.lists()}
    rows = []
    for setting in describe_preferences(current=now):
        entered = posted.get(setting.name)
        if entered is None or setting.name == PASSWORD or entered == texts[setting.name]:
            continue
        choices = {_text(one.value): one.label for one in setting.choices}
        label = f"{setting.group}: {setting.label}" if setting.group else setting.label
        rows.append(
            {
                "name": setting.name,
                "label": label,
                "now": choices.get(texts[setting.name], texts[setting.name]) or "empty",
                "entered": choices.get(entered, entered) or "empty",
                "text": entered,
            }
        )
    context = {
        "rows": rows,
        "revision": texts["revision"],
        "tab": _tab(request),
        "password": bool(posted.get(PASSWORD)),
    }
    return render(request, "conflict.html", context, status=409)


class TestForm(forms.Form):
    address = forms.CharField(label="Send it to", help_text="Your own address, so that you see it arrive.")

    def clean_address(self) -> str:
        try:
            return str(parse_mailbox(self.cleaned_data["address"]))
        except AddressError as error:
            raise forms.ValidationError(f"{str(error)[:1].upper()}{str(error)[1:]}") from None


TEST = Content("A test of the e-mail preferences", "If you can read this, the preferences work.\n")


def test(request: HttpRequest) -> HttpResponse:
    """Send one email and say what the server said."""
    current = mail.preferences()
    sender = current.settings.default_from
    form = TestForm(request.POST or None, initial={"address": sender.addr_spec if sender else ""})
    context: dict[str, object] = {"form": form, "off": not current.use_built_in_client}
    if request.method == "POST" and form.is_valid() and current.use_built_in_client:
        try:
            with Mailer(current) as mailer:
                receipt = mailer.send(TEST, to=form.cleaned_data["address"])
            context["receipt"], context["reply"] = receipt, receipt.reply
        except DeliveryError as error:
            context["refused"] = error.receipt.reason
        except VetmailError as error:
            context["refused"] = str(error)
    return render(request, "test.html", context)


def draft(request: HttpRequest) -> HttpResponse:
    """The same email as a draft: download it, and the mail program opens it for sending."""
    form = TestForm(request.GET)
    if not form.is_valid():
        return redirect("test")
    current = mail.preferences()
    email = Email(
        sender=current.settings.default_from or parse_mailbox(form.cleaned_data["address"]),
        recipients=Recipients(to=form.cleaned_data["address"]),
        content=TEST,
    )
    answer = HttpResponse(draft_bytes(email), content_type="message/rfc822")
    answer["Content-Disposition"] = 'attachment; filename="test.eml"'
    return answer
