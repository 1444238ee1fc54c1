"""The portal's suite under `manage.py test`."""

from __future__ import annotations

from django.core.mail import EmailMultiAlternatives, send_mail, send_mass_mail
from django.test import SimpleTestCase

from vetmail_core import DeliveryError
from vetmail_core.testing import capture, contains


class PortalTest(SimpleTestCase):
    def setUp(self):
        self.outbox = self.enterContext(capture())
        # Each use opens and closes a transport of its own, as in production.
        self.enterContext(
            self.settings(VETMAIL_TRANSPORT=self.outbox.line, EMAIL_BACKEND="portal.backend.EmailBackend")
        )

    def test_a_moved_class_tells_every_student(self):
        form = {"room": "Room 7", "student": ["Sam=sam@example.com", "Pat=pat@example.com"]}
        self.assertEqual(self.client.post("/moved/", form).json()["accepted"], 2)
        self.outbox.assert_sent(to="sam@example.com", text=contains("Room 7"), times=1)
        self.outbox.assert_sent(to="pat@example.com", times=1)

    def test_a_trainer_takes_the_email_home_as_a_draft(self):
        form = {"student": ["Sam=sam@example.com", "Pat=pat@example.com"]}
        answer = self.client.post("/moved/draft.eml", form)
        self.assertEqual(answer["Content-Type"], "message/rfc822")
        self.assertTrue(answer.content.startswith(b"From:\r\nX-Unsent: 1\r\n"))
        self.assertIn(b"\r\nBcc: sam@example.com,\r\n pat@example.com\r\n", answer.content)
        self.outbox.assert_none()

    def test_djangos_own_mail_goes_the_same_way(self):
        message = EmailMultiAlternatives(
            "Reset", "Text", None, ["Sam <sam@example.com>"], bcc=["log@example.org"]
        )
        message.attach_alternative("<p>Text</p>", "text/html")
        message.attach("map.txt", "Room 7", "text/plain")
        self.assertEqual(message.send(), 1)
        self.outbox.assert_sent(
            to="sam@example.com", bcc="log@example.org", html=contains("Text"), attachment="map.txt"
        )
        self.outbox.assert_bcc_hidden()

    def test_a_refusal_is_an_error_unless_silenced(self):
        self.outbox.faults.refuse("old@example.com")
        with self.assertRaises(DeliveryError):
            send_mail("Reset", "Text", None, ["old@example.com"])
        self.assertEqual(send_mail("Reset", "Text", None, ["old@example.com"], fail_silently=True), 0)
        self.outbox.assert_sent(refused="old@example.com", times=2)

    def test_a_refusal_does_not_keep_the_others_back(self):
        self.outbox.faults.refuse("old@example.com")
        letters = [("Reset", "Text", None, [to]) for to in ("old@example.com", "sam@example.com")]
        with self.assertRaisesMessage(DeliveryError, "1 of 2 emails were not accepted."):
            send_mass_mail(letters)
        self.outbox.assert_sent(refused="old@example.com")
        self.outbox.assert_sent(to="sam@example.com", times=1)
