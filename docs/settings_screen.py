"""Draw a settings screen from ``describe_preferences()`` as one page of HTML that needs nothing else.

Run it from anywhere: ``python docs/settings_screen.py`` writes ``docs/_static/settings-screen.html``. It
shows what a host does: labels, help, controls and choices from the description, texts from ``form_values``,
grey where a setting does not apply, and what ``check_preferences`` says, beside the setting it is about. What
the page posts is what ``preferences_from_form`` reads.
"""

from __future__ import annotations

import enum
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from vetmail_core import (
    STANDARD_CONTEXTS,
    AuthenticationType,
    BulkCopies,
    EmailPreferences,
    EnvironmentSecret,
    MailServer,
    RecipientType,
    SettingDescription,
    Settings,
    TlsMethod,
    check_preferences,
    describe_preferences,
    form_values,
    provider_for,
)
from vetmail_core.preferences import SettingKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vetmail_core import Problem

PAGE = Path(__file__).parent / "_static" / "settings-screen.html"

SAMPLE = EmailPreferences(
    use_built_in_client=True,
    mail_server=MailServer(
        host="smtp.office365.com",
        port=587,
        tls=TlsMethod.EXPLICIT,
        authentication=AuthenticationType.PASSWORD,
        username="office@riverside.example",
        password=EnvironmentSecret("VETMAIL_PASSWORD"),
        wait_between_emails_ms=500,
    ),
    settings=Settings(
        default_from='"Riverside Training" <office@riverside.example>',
        bulk_copies=BulkCopies.EVERY_RECIPIENT,
    ),
    contexts={
        "enrolment": {"guardian": RecipientType.BCC},
        "invoice": {"employer_primary_contact": RecipientType.CC},
    },
)

STYLE = """
:root { color-scheme: light dark;
  --page: light-dark(#eef1f4, #14181d); --card: light-dark(#fff, #1d232a);
  --line: light-dark(#d5dbe1, #38424d); --edge: light-dark(#84909c, #6f7d8b);
  --text: light-dark(#1b232c, #e4e9ee); --soft: light-dark(#566270, #a2aebb);
  --field: light-dark(#fff, #14181d);
  --accent: light-dark(#12609c, #6cb6f5);
  --error: light-dark(#a3171f, #ff9a9a); --error-back: light-dark(#fdecec, #3a1d1f);
  --warning: light-dark(#7a4b00, #f5c26b); --warning-back: light-dark(#fff4dd, #35290f);
  --hint: light-dark(#12528a, #9accfa); --hint-back: light-dark(#e8f2fb, #152a3d); }
* { box-sizing: border-box; }
body { margin: 0; padding: 28px; background: var(--page); color: var(--text);
  font: 15px/1.45 system-ui, "Segoe UI", "Liberation Sans", Arial, sans-serif; }
main { max-width: 1180px; margin: 0 auto; }
h1 { font-size: 22px; margin: 0 0 2px; } h2 { font-size: 17px; margin: 0 0 14px; }
.path { color: var(--soft); margin: 0 0 18px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 20px 22px; }
.tabs { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 18px; margin: 18px 0; }
@media (max-width: 860px) { .tabs { grid-template-columns: minmax(0, 1fr); } body { padding: 14px; } }
.setting { margin-bottom: 17px; } .setting:last-child { margin-bottom: 0; }
.setting > label, .name { display: block; font-weight: 600; }
.setting.switch > label { display: flex; gap: 9px; align-items: flex-start; }
.switch input { width: 17px; height: 17px; margin: 3px 0 0; flex: none; accent-color: var(--accent); }
.help { color: var(--soft); font-size: 13px; margin: 1px 0 5px; }
.switch .help { margin: 1px 0 0 26px; }
input:not([type=checkbox]), select { width: 100%; font: inherit; color: inherit; background: var(--field);
  border: 1px solid var(--edge); border-radius: 6px; padding: 6px 9px; min-height: 36px; }
input[type=number] { max-width: 150px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.off { color: var(--soft); } .off input, .off select { opacity: .55; }
.off .help::after { content: " Applies when: " attr(data-applies); font-style: italic; }
.problem { margin: 6px 0 0; padding: 7px 10px; border-left: 4px solid; border-radius: 4px;
  font-size: 13.5px; }
.problem span { color: var(--text); }
.error { color: var(--error); background: var(--error-back); }
.warning { color: var(--warning); background: var(--warning-back); }
.hint { color: var(--hint); background: var(--hint-back); }
.contexts { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 0 30px; margin: 6px 0; }
@media (max-width: 860px) { .contexts { grid-template-columns: minmax(0, 1fr); } }
.contexts div { border-top: 1px solid var(--line); padding: 7px 0; }
.contexts dt { font-weight: 600; }
.contexts dd { margin: 3px 0 0; display: grid; grid-template-columns: 1fr 92px; gap: 4px 10px; }
.contexts label { color: var(--soft); align-self: center; }
.contexts select { min-height: 0; padding: 2px 6px; }
"""


def control(setting: SettingDescription, text: str, *, enabled: bool, stored: bool = False) -> str:
    """The control for one setting, with the text that stands in it."""
    name = escape(setting.name)
    off = "" if enabled else " disabled"
    state = f'id="{name}" name="{name}"{off}'
    match setting.kind:
        case SettingKind.SWITCH:
            # An unchecked box posts nothing, as a disabled one does. The hidden "off" tells them apart.
            return (
                f'<input type="hidden" name="{name}" value="off"{off}>'
                f'<input type="checkbox" {state} value="on"{" checked" if text == "on" else ""}>'
            )
        case SettingKind.CHOICE:
            options = "".join(
                f'<option value="{escape(written(choice.value))}"'
                f"{' selected' if written(choice.value) == text else ''}>{escape(choice.label)}</option>"
                for choice in setting.choices
            )
            return f"<select {state}>{options}</select>"
        case SettingKind.SECRET:
            # The secret itself never reaches the page, only whether there is one.
            shown = "stored" if stored else "none"
            return f'<input type="password" {state} placeholder="{shown}" autocomplete="new-password">'
        case SettingKind.NUMBER:
            least, most = setting.bounds or ("", "")
            return f'<input type="number" {state} min="{least}" max="{most}" value="{escape(text)}">'
        case _:
            return f'<input type="text" {state} value="{escape(text)}">'


def written(value: enum.Enum | str) -> str:
    """A choice as a form sends it."""
    return str(value.value) if isinstance(value, enum.Enum) else value


def shown_problems(name: str, problems: Iterable[Problem]) -> str:
    """What is wrong with one setting."""
    return "".join(
        f'<p class="problem {problem.severity.value}" role="note">'
        f"<strong>{problem.severity.value.title()}.</strong> "
        f"{escape(problem.message)} <span>{escape(problem.advice)}</span></p>"
        for problem in problems
        if problem.setting == name
    )


def shown_setting(setting: SettingDescription, preferences: EmailPreferences, text: str) -> str:
    """Label, help, control and problems of one setting."""
    enabled = preferences.applies(setting.name)
    classes = f"setting {setting.kind.value}" + ("" if enabled else " off")
    label, name = escape(setting.label), escape(setting.name)
    field = control(setting, text, enabled=enabled, stored=preferences.mail_server.password is not None)
    words = f'<p class="help" data-applies="{escape(setting.applies)}">{escape(setting.help)}</p>'
    if setting.kind is SettingKind.SWITCH:
        body = f'<label for="{name}">{field}<span>{label}</span></label>{words}'
    else:
        body = f'<label for="{name}">{label}</label>{words}{field}'
    return (
        f'<div class="{classes}">{body}{shown_problems(setting.name, check_preferences(preferences))}</div>'
    )


def shown_contexts(
    described: Iterable[SettingDescription], preferences: EmailPreferences, texts: Mapping[str, str]
) -> str:
    """Each context with a choice for each of its roles; a private one says why it has none."""
    groups: dict[str, list[str]] = {}
    for rule in described:
        name, enabled = escape(rule.name), preferences.applies(rule.name)
        groups.setdefault(rule.group, []).append(
            f'<label for="{name}" title="{escape(rule.help)}">{escape(rule.label)}</label>'
            f"{control(rule, texts[rule.name], enabled=enabled)}"
        )
    for context in STANDARD_CONTEXTS.values():
        if context.private:
            groups[context.label] = ["<span>private, never copied</span>"]
    rows = "".join(
        f"<div><dt>{escape(label)}</dt><dd>{''.join(controls)}</dd></div>"
        for label, controls in groups.items()
    )
    off = "" if preferences.applies("contexts") else " off"
    words = "Who is written to and copied, for mail from each place in the product."
    return f'<div class="setting{off}"><p class="help">{words}</p><dl class="contexts">{rows}</dl></div>'


def render(preferences: EmailPreferences = SAMPLE) -> str:
    """The whole page."""
    texts = form_values(preferences)
    tabs: dict[str, list[SettingDescription]] = {}
    for setting in describe_preferences(current=preferences):
        tabs.setdefault(setting.tab, []).append(setting)
    top, *pair = (
        (tab, "".join(shown_setting(setting, preferences, texts[setting.name]) for setting in settings))
        for tab, settings in tabs.items()
        if tab != "Email Context"
    )
    contexts = shown_contexts(tabs["Email Context"], preferences, texts)
    provider = provider_for(preferences.mail_server.host)
    known = f" · {provider.name}" if provider else ""
    cards = "".join(f'<section class="card"><h2>{escape(tab)}</h2>{rows}</section>' for tab, rows in pair)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Email preferences</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>Email preferences</h1>
<p class="path">File &rsaquo; Global Preferences &rsaquo; Email preferences{escape(known)}</p>
<form method="post">
<input type="hidden" name="revision" value="{escape(texts["revision"])}">
<div class="card">{top[1]}</div>
<div class="tabs">{cards}</div>
<section class="card"><h2>Email Context</h2>{contexts}</section>
</form>
</main>
</body>
</html>
"""


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
