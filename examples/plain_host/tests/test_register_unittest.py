"""The register's e-mail, tested with unittest."""

from __future__ import annotations

import unittest

from plain_host.register import notify_moved, send_password

from vetmail_core.testing import a_student, capture, contains


class RegisterTest(unittest.TestCase):
    def setUp(self):
        self.outbox = self.enterContext(capture())
        self.students = [a_student("Sam Lee", key="C1"), a_student("Pat Roy", key="C2")]

    def test_a_moved_class_tells_every_student(self):
        notify_moved(self.outbox.mailer(), self.students, class_name="BSB30120", room="Room 7")
        self.outbox.assert_sent(to="sam@example.com", subject=contains("moved"), times=1)
        self.outbox.assert_sent(to="pat@example.com", subject=contains("moved"), times=1)

    def test_one_bad_address_spoils_nothing(self):
        self.outbox.faults.refuse("sam@example.com")
        report = notify_moved(self.outbox.mailer(), self.students, class_name="BSB30120", room="Room 7")
        self.assertEqual(report.refused, 1)
        self.outbox.ignore()

    def test_a_password_goes_out(self):
        self.assertTrue(send_password(self.outbox.mailer(), self.students[0], "blue-42"))
        self.outbox.assert_sent(to="sam@example.com", text=contains("blue-42"))


if __name__ == "__main__":
    unittest.main()
