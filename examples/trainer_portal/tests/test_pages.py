"""What each page says and does, with Django's own client."""

from __future__ import annotations

import attrs
from django.conf import settings
from django.core import mail as django_mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import TestCase
from django.urls import reverse
from portal import preferences
from portal.models import Letter, SentEmail, Student

import django
from tests.portal_case import AT_ONCE, PortalCase
from vetmail_core import AuthenticationType, EmailPreferences, PlainSecret, load_preferences
from vetmail_core.preferences import form_values
from vetmail_core.testing import capture

# The test runner puts Django's own locmem in the place of what the settings say.
BACKEND = "vetmail_core.django.EmailBackend"
OURS = (
    {"MAILERS": {"default": {"BACKEND": BACKEND}}} if django.VERSION >= (6, 1) else {"EMAIL_BACKEND": BACKEND}
)
AT_NO_TIME = AT_ONCE.replace("immediate.Immediate", "dummy.Dummy")


class PreferencesPage(PortalCase, TestCase):
    def page(self, query=""):
        return self.client.get(reverse("preferences") + query)

    def post(self, **values):
        revision = load_preferences(settings.PREFERENCES).revision
        named = {name.replace("__", "."): value for name, value in values.items()}
        return self.client.post(reverse("preferences"), {"revision": revision, **named}, follow=True)

    def test_it_has_the_three_tabs_and_every_control_once(self):
        seen = ""
        for tab, heading in preferences.TABS.items():
            page = self.page(f"?tab={tab}")
            self.assertContains(page, f"<h2>{heading}</h2>", html=True)
            seen += page.content.decode()
        for name in form_values(EmailPreferences()):
            if not name.startswith("contexts."):
                self.assertIn(f'name="{name}"', seen)

    def test_what_is_saved_is_said(self):
        page = self.post(mail_server__wait_between_emails_ms="2000", tab="server")
        self.assertContains(page, "Saved. Wait time between emails is now 2000 ms.")
        self.assertEqual(load_preferences(settings.PREFERENCES).mail_server.wait_between_emails_ms, 2000)

    def test_every_mistake_is_told_at_the_top_and_beside_its_control(self):
        page = self.post(mail_server__port="x", mail_server__wait_between_emails_ms="-1", tab="server")
        self.assertEqual(page.status_code, 400)
        self.assertContains(page, "Nothing was saved: 2 to correct", status_code=400)
        self.assertContains(page, 'href="#mail_server-port"', status_code=400)
        self.assertContains(page, 'aria-invalid="true"', count=2, status_code=400)
        self.assertContains(page, 'value="x"', status_code=400)

    def test_a_stored_password_is_never_shown_and_can_be_removed(self):
        current = load_preferences(settings.PREFERENCES)
        server = attrs.evolve(
            current.mail_server,
            authentication=AuthenticationType.PASSWORD,
            username="office",
            password=PlainSecret("hunter2"),
        )
        self.save(attrs.evolve(current, mail_server=server))
        page = self.page()
        self.assertContains(page, "A password is stored")
        self.assertNotContains(page, "hunter2")
        self.post(mail_server__password="")
        self.assertIsNotNone(load_preferences(settings.PREFERENCES).mail_server.password)
        values = {"mail_server.password.remove": "on", "mail_server.authentication": "none"}
        page = self.post(**values)
        self.assertContains(page, "The stored password is gone.")

    def test_a_client_that_is_off_disables_all_but_the_switch_and_the_separator(self):
        page = self.post(use_built_in_client="off", tab="settings")
        self.assertContains(page, 'name="settings.address_separator" aria-describedby')
        sender = 'name="settings.default_from" type="text" value="office@example.com"'
        self.assertContains(page, f'{sender} autocomplete="off" disabled')
        self.post(use_built_in_client="on")
        self.assertEqual(load_preferences(settings.PREFERENCES).mail_server.port, self.server.port)

    def test_somebody_elses_change_is_shown_and_nothing_is_saved_until_a_button(self):
        old = load_preferences(settings.PREFERENCES)
        self.post(mail_server__wait_between_emails_ms="500")
        values = {"revision": old.revision, "mail_server.wait_between_emails_ms": "2000", "tab": "server"}
        page = self.client.post(reverse("preferences"), values)
        self.assertContains(page, "<td>500</td><td>2000</td>", status_code=409, html=False)
        self.assertEqual(load_preferences(settings.PREFERENCES).mail_server.wait_between_emails_ms, 500)
        values["revision"] = page.context["revision"]
        self.client.post(reverse("preferences"), values)
        self.assertEqual(load_preferences(settings.PREFERENCES).mail_server.wait_between_emails_ms, 2000)

    def test_a_context_is_edited_by_radio_groups(self):
        page = self.page("?tab=contexts&edit=occurrence_class")
        self.assertContains(page, "<legend>Class Staff</legend>", html=True)
        self.assertContains(page, "never copied")
        page = self.post(contexts__occurrence_class__class_staff="bcc", tab="contexts")
        self.assertContains(page, "Occurrence Class, Class Staff is now BCC.")
        self.assertContains(page, '<span class="mark">changed</span>', html=True)

    def test_a_damaged_file_is_told_and_nothing_can_be_edited(self):
        settings.PREFERENCES.write_text('{"mail_server": ')
        page = self.page()
        self.assertContains(page, "is damaged", status_code=500)
        self.assertNotContains(page, "<form", status_code=500)
        self.assertContains(self.client.get(reverse("test")), "is damaged", status_code=500)

    def test_without_a_file_the_page_says_so_and_save_makes_it(self):
        settings.PREFERENCES.unlink()
        self.assertContains(self.page(), "No preferences are saved on this server yet")
        self.client.post(reverse("preferences"), {"revision": "", "settings.address_separator": ","})
        self.assertTrue(settings.PREFERENCES.exists())

    def test_a_provider_fills_in_its_server(self):
        page = self.page("?tab=server&provider=microsoft365")
        self.assertContains(page, "smtp.office365.com")
        self.assertContains(page, "Nothing is saved yet")

    def test_a_test_email_tells_what_the_server_said(self):
        page = self.client.post(reverse("test"), {"address": "me@example.com"})
        self.assertContains(page, "Accepted.")
        self.server.faults.refuse("gone@example.com")
        page = self.client.post(reverse("test"), {"address": "gone@example.com"})
        self.assertContains(page, "Not sent.")
        page = self.client.post(reverse("test"), {"address": "me@@example.com"})
        self.assertContains(page, "Please correct this")
        self.assertEqual(len(self.server.emails), 1)

    def test_with_the_client_off_a_draft_can_be_downloaded(self):
        self.post(use_built_in_client="off")
        self.assertContains(self.client.get(reverse("test")), "Download and open the draft")
        draft = self.client.get(reverse("draft"), {"address": "me@example.com"})
        self.assertIn(b"X-Unsent: 1", draft.content)
        self.assertIn(b"me@example.com", draft.content)


class Letters(PortalCase, TestCase):
    def write(self, **more):
        text = "See you in ${class}.\n"
        values = {"context": "occurrence_class", "subject": "Hi ${first_name}", "text": text, **more}
        page = self.client.post(reverse("write", args=[self.course.pk]), values, follow=True)
        return Letter.objects.order_by("pk").last(), page

    def send(self, letter, preview):
        fingerprint = {"fingerprint": preview.context["fingerprint"]}
        return self.client.post(reverse("send", args=[letter.pk]), fingerprint, follow=True)

    def test_the_preview_is_what_is_sent(self):
        letter, page = self.write()
        self.assertContains(page, "Hi Ada")
        self.assertContains(page, "Bad address: 1")
        self.assertContains(page, "No address: 1")
        self.assertContains(page, "Inactive: 1")
        self.assertContains(page, "tina@example.com gets 1")
        second = self.client.get(reverse("preview", args=[letter.pk]), {"person": "2"})
        self.assertContains(second, "Hi Zoë")
        page = self.send(letter, page)
        self.assertContains(page, "4 of 4 done")
        subjects = {one.subject for one in self.server.emails}
        self.assertEqual(subjects, {"Hi Ada", "Hi Zoë", "Hi Sam", "Hi Max"})

    def test_an_unknown_field_is_told_with_the_nearest(self):
        letter, page = self.write(text="Hi,\n${frist_name}\n")
        self.assertIsNone(letter)
        self.assertContains(page, "line 2", status_code=400)
        self.assertContains(page, "first_name", status_code=400)

    def test_marketing_leaves_out_and_can_be_left(self):
        _, page = self.write(marketing="on", unsubscribe="https://rto.example/u?a=${address}")
        self.assertContains(page, "Marketing opt out: 1")
        self.assertContains(page, "List-Unsubscribe")
        self.assertContains(self.write(unsubscribe="http://rto.example/u")[1], "Error:", status_code=400)

    def test_nobody_left_means_no_send_button(self):
        Student.objects.update(active=False)
        _, page = self.write()
        self.assertContains(page, "Nobody is left to write to")
        self.assertNotContains(page, "<button")

    def test_a_class_that_changed_since_is_previewed_again(self):
        letter, page = self.write()
        Student.objects.filter(key="C001").update(address="new@example.com")
        page = self.send(letter, page)
        self.assertContains(page, "Look at the preview again")
        self.assertEqual(self.server.emails, ())

    def test_with_the_client_off_nothing_is_written_down(self):
        letter, page = self.write()
        current = load_preferences(settings.PREFERENCES)
        self.save(attrs.evolve(current, use_built_in_client=False))
        page = self.send(letter, page)
        self.assertContains(page, "the portal cannot send")
        self.assertFalse(Letter.objects.get().sent)

    def test_a_second_press_is_the_same_mailing(self):
        letter, page = self.write()
        self.send(letter, page)
        self.send(letter, page)
        self.assertEqual(len(self.server.emails), 4)

    def test_a_refused_student_and_a_doubt_are_in_the_result(self):
        self.server.faults.refuse("moved-away@example.com")
        self.server.faults.drop(address="zoe@example.com")
        letter, page = self.write()
        self.send(letter, page)
        result = reverse("result", args=[letter.pk])
        page = self.client.get(result)
        self.assertContains(page, "Refused: 1")
        self.assertContains(page, "moved-away@example.com")
        self.assertContains(page, "It arrived")
        doubt = page.context["doubts"][0]["key"]
        page = self.client.post(result, {"not_sent": doubt}, follow=True)
        self.assertContains(page, "Resume sends it again")
        self.client.post(reverse("progress", args=[letter.pk]), {"resume": "1"})
        self.assertNotContains(self.client.get(result), "In doubt: 1")
        self.assertIn(b"moved-away@example.com", self.client.get(reverse("table", args=[letter.pk])).content)

    def test_the_sent_log_of_a_person_opens_the_very_message(self):
        self.assertContains(self.client.get(reverse("person", args=["C001"])), "None yet")
        letter, page = self.write()
        self.send(letter, page)
        self.assertContains(self.client.get(reverse("person", args=["C001"])), "Accepted by the mail server")
        kept = SentEmail.objects.get(person="C001")
        octets = self.client.get(reverse("message", args=[kept.pk])).content
        self.assertIn(octets, {one.data for one in self.server.emails})

    def test_a_stopped_mailing_says_so_and_goes_on(self):
        with self.settings(TASKS={"default": {"BACKEND": AT_NO_TIME, "QUEUES": ["default"]}}):
            letter, page = self.write()
            self.send(letter, page)
            progress = reverse("progress", args=[letter.pk])
            self.assertContains(self.client.get(progress), 'http-equiv="refresh"')
            page = self.client.post(progress, {"stop": "1"}, follow=True)
            self.assertContains(page, "The mailing is stopped")
        page = self.client.post(progress, {"resume": "1"}, follow=True)
        self.assertContains(page, "4 of 4 done")

    def test_an_attachment_and_html_go_with_it(self):
        upload = SimpleUploadedFile("map.txt", b"Room 7")
        letter, page = self.write(html="<p>Hi ${first_name}</p>", upload=upload)
        self.assertContains(page, "map.txt")
        self.send(letter, page)
        kinds = {part.get_content_type() for part in self.server.emails[0].message.walk()}
        self.assertEqual(kinds, {"multipart/mixed", "multipart/alternative", "text/plain", "text/html"})


class DjangosOwnMail(PortalCase, TestCase):
    def test_it_goes_the_same_way(self):
        with capture() as outbox, self.settings(VETMAIL={"transport": outbox.line}, **OURS):
            django_mail.send_mail("Reset", "Text", None, ["sam@example.com"])
            outbox.assert_sent(to="sam@example.com", subject="Reset", times=1)
