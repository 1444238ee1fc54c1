"""The name of the server as it is typed and as it is looked up, and the name that this computer gives."""

from __future__ import annotations

import pytest

from vetmail_core.errors import PreferencesError
from vetmail_core.preferences import MailServer

LONGEST_LABEL = "a" * 63

SPELLINGS = [
    ("", ""),
    ("localhost", "localhost"),
    ("smtp.college.example", "smtp.college.example"),
    ("Smtp.College.EXAMPLE", "smtp.college.example"),
    ("smtp.college.example.", "smtp.college.example"),
    ("straße.example", "xn--strae-oqa.example"),  # a host of its own, not "strasse.example"
    ("STRASSE.example", "strasse.example"),
    ("møller.example", "xn--mller-vua.example"),
    ("MØLLER.example", "xn--mller-vua.example"),
    ("mo\u0308we.example", "xn--mwe-sna.example"),  # a letter and its dots as two characters
    ("xn--mller-vua.example", "xn--mller-vua.example"),
    ("mail。college．example｡", "mail.college.example"),
    ("ｍａｉｌ.college.example", "mail.college.example"),
    ("mail_in.college.example", "mail_in.college.example"),
    ("mail_in.møller.example", "mail_in.xn--mller-vua.example"),
    (f"{LONGEST_LABEL}.example", f"{LONGEST_LABEL}.example"),
    ("192.0.2.7", "192.0.2.7"),
    ("2001:0DB8::0007", "2001:db8::7"),
    ("fe80::1%eth0", "fe80::1%eth0"),
]


@pytest.mark.parametrize(("typed", "wire"), SPELLINGS)
def test_a_host_is_looked_up_by_one_name(typed: str, wire: str) -> None:
    """However it is typed; the preferences keep the text as it was."""
    server = MailServer(host=typed)
    assert (server.host, server.wire_host) == (typed, wire)


@pytest.mark.parametrize(
    "typed",
    [
        ".",
        "..",
        ".college.example",
        "smtp..college.example",
        "smtp.college.example..",
        "-.college.example",
        "-smtp.college.example",
        "smtp-.college.example",
        f"a{LONGEST_LABEL}.example",
        f"{LONGEST_LABEL}." * 3 + "a" * 62,
        "\N{LATIN SMALL LETTER O WITH STROKE}" * 62 + ".example",  # 62 letters, and 67 in ASCII
        "\N{LATIN SMALL LETTER O WITH STROKE}" * 300,
        f"{'a' * 54}ø." * 4 + "example",  # 231 letters, and 259 in ASCII
        "smtp\N{PILE OF POO}.example",
        "smtp\ufffe.example",
        "\u0301smtp.example",
        "smtp{1}.example",
        "[192.0.2.7]",
    ],
)
def test_a_host_that_no_name_server_knows_is_refused(typed: str) -> None:
    """While the preferences are made, not when mail is to leave."""
    with pytest.raises(PreferencesError) as caught:
        MailServer(host=typed)
    assert [problem.setting for problem in caught.value.problems] == ["mail_server.host"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", ""),
        ("mail.college.example", "mail.college.example"),
        ("Mail.College.Example.", "mail.college.example"),
        ("office", "office"),
        ("møller.example", "xn--mller-vua.example"),
        ("[192.0.2.7]", "[192.0.2.7]"),
        ("[IPv6:2001:db8::7]", "[IPv6:2001:db8::7]"),
        ("[ipv6:2001:DB8:0::7]", "[IPv6:2001:db8::7]"),
    ],
)
def test_the_ehlo_name_is_a_domain_name_or_an_address_in_brackets(typed: str, said: str) -> None:
    """Said in ASCII; the preferences keep the text as it was."""
    server = MailServer(ehlo_name=typed)
    assert (server.ehlo_name, server.wire_ehlo_name) == (typed, said)


@pytest.mark.parametrize(
    "typed",
    [
        "mail college",
        "mail\tcollege",
        "mail.college.example\r\nQUIT",
        "mail..example",
        "mail_1.example",
        "192.0.2.7",
        "2001:db8::7",
        "[300.1.2.3]",
        "[192.0.2.7",
        "192.0.2.7]",
        "[]",
        "[",
        "[mail.example]",
        "[2001:db8::7]",
        "[IPv6:192.0.2.7]",
        "[IPv6:fe80::1%eth0]",
        7,
    ],
)
def test_an_ehlo_name_that_no_server_takes_is_refused(typed: str) -> None:
    """By the name of its setting."""
    with pytest.raises(PreferencesError) as caught:
        MailServer(ehlo_name=typed)
    assert [problem.setting for problem in caught.value.problems] == ["mail_server.ehlo_name"]
