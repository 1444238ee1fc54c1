"""The portal's suite under pytest."""

from __future__ import annotations

import os

import django
import pytest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from django.test import Client, override_settings  # noqa: E402 - Django wants its settings first


@pytest.fixture
def client(vetmail_outbox):
    with override_settings(VETMAIL_TRANSPORT=vetmail_outbox.line):
        yield Client()


def test_a_student_without_an_address_is_told_to_the_trainer(client, vetmail_outbox):
    answer = client.post("/moved/", {"room": "Room 7", "student": ["Sam=sam@example.com", "Lee="]})
    assert answer.json()["left_out"] == ["Lee has no e-mail address on record"]
    vetmail_outbox.assert_sent(to="sam@example.com", times=1)


def test_a_refused_student_spoils_nothing(client, vetmail_outbox):
    vetmail_outbox.faults.refuse("old@example.com")
    form = {"room": "Room 7", "student": ["Old=old@example.com", "Sam=sam@example.com"]}
    assert client.post("/moved/", form).json() == {"accepted": 1, "refused": 1, "left_out": []}
    vetmail_outbox.assert_sent(to="sam@example.com")
    vetmail_outbox.assert_sent(refused="old@example.com")
