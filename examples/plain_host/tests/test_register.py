"""The register's e-mail, tested with pytest."""

from __future__ import annotations

import pytest
from plain_host.register import notify_moved, send_password

from vetmail_core import DeliveryError, Mailer, TlsMethod
from vetmail_core.testing import a_student, contains

CLASS = [a_student("Sam Lee", key="C1"), a_student("Pat Roy", key="C2")]


def test_a_moved_class_tells_every_student(vetmail_outbox):
    notify_moved(vetmail_outbox.mailer(), CLASS, class_name="BSB30120", room="Room 7")
    sent = vetmail_outbox.assert_sent(to="sam@example.com", subject="Your class moved to Room 7")
    assert sent.receipt.ok
    vetmail_outbox.assert_sent(to="pat@example.com", text=contains("Hello Pat,"), times=1)


def test_one_bad_address_spoils_nothing(vetmail_outbox):
    vetmail_outbox.faults.refuse("sam@example.com", code=550, enhanced="5.1.1")
    report = notify_moved(vetmail_outbox.mailer(), CLASS, class_name="BSB30120", room="Room 7")
    assert (report.accepted, report.refused) == (1, 1)
    vetmail_outbox.assert_sent(refused="sam@example.com")
    vetmail_outbox.assert_sent(to="pat@example.com")


def test_a_student_without_an_address_is_reported(vetmail_outbox):
    people = [*CLASS, a_student("Lee Ng", None, key="C3")]
    report = notify_moved(vetmail_outbox.mailer(), people, class_name="BSB30120", room="Room 7")
    assert [exclusion.person.key for exclusion in report.exclusions] == ["C3"]
    vetmail_outbox.assert_sent(times=2, subject=contains("moved"))


def test_a_line_that_dies_sends_no_second_copy(vetmail_outbox):
    vetmail_outbox.faults.drop(address="sam@example.com")
    report = notify_moved(vetmail_outbox.mailer(), CLASS, class_name="BSB30120", room="Room 7")
    assert report.unknown == 1
    vetmail_outbox.assert_sent(unknown="sam@example.com", times=1)
    vetmail_outbox.assert_sent(to="pat@example.com")


def test_a_password_goes_to_nobody_else(vetmail_outbox):
    assert send_password(vetmail_outbox.mailer(), CLASS[0], "blue-42")
    record = vetmail_outbox.one(subject="Your new password")
    assert [str(mailbox) for mailbox in record.email.recipients.all] == ['"Sam Lee" <sam@example.com>']


def test_a_refused_login_is_an_error(vetmail_outbox):
    vetmail_outbox.faults.office365.basic_retired()
    with pytest.raises(DeliveryError) as error:
        send_password(vetmail_outbox.mailer(), CLASS[0], "blue-42")
    assert error.value.receipt.not_attempted


@pytest.mark.vetmail_smtpd(tls=TlsMethod.NONE)
def test_the_whole_way_over_a_socket(vetmail_smtpd):
    with Mailer(vetmail_smtpd.server_preferences()) as mailer:
        notify_moved(mailer, CLASS, class_name="BSB30120", room="Room 7")
    assert [email.recipients for email in vetmail_smtpd.emails] == [
        ("sam@example.com",),
        ("pat@example.com",),
    ]
