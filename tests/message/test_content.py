"""Content."""

from __future__ import annotations

import pickle
import tracemalloc

import attrs
import pytest

from vetmail_core.errors import MessageError
from vetmail_core.message import Attachment, Content


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("Hi\r\nBcc: eve@example.com", "the subject holds a line break (carriage return) at character 3"),
        ("Hi\n", "the subject holds a line break at character 3"),
        ("\0", "the subject holds a NUL character at character 1"),
        (None, "the subject needs text, got NoneType"),
        (b"Hi", "the subject needs text, got bytes"),
    ],
)
def test_a_subject_is_one_line_of_text(subject: str, said: str) -> None:
    """A line break would open another header; the error says where it is, and not what followed."""
    with pytest.raises(MessageError) as caught:
        Content(subject)
    assert said in str(caught.value)
    assert "eve" not in str(caught.value)


@pytest.mark.parametrize("place", ["text", "html"])
def test_a_lone_surrogate_in_a_body_is_refused(place: str) -> None:
    """No charset can write it; the error names its place."""
    with pytest.raises(
        MessageError, match=f"the {place} holds half of a surrogate pair .U.D83D. at character 4"
    ):
        Content("s", text="abc\ud83d") if place == "text" else Content("s", html="abc\ud83d")


@pytest.mark.parametrize("place", ["text", "html"])
def test_a_body_is_text(place: str) -> None:
    """Bytes have no letters."""
    with pytest.raises(MessageError, match=f"the {place} needs text, got bytes"):
        Content("s", **{place: b"x"})  # type: ignore[arg-type]  # the mistake under test


def test_attachments_are_attachments() -> None:
    """A path is not read behind the caller's back."""
    with pytest.raises(MessageError, match=r"needs a list of attachments, got str; use Attachment.from_path"):
        Content("s", attachments=["a.pdf"])  # type: ignore[list-item]  # the mistake under test


@pytest.mark.parametrize("given", [Attachment("a.pdf", b"x"), None])
def test_one_attachment_alone_stands_in_brackets(given: object) -> None:
    """The sentence shows how."""
    with pytest.raises(MessageError, match=r"put a single one in brackets: attachments=\[attachment\]"):
        Content("s", attachments=given)  # type: ignore[arg-type]  # the mistake under test


def test_a_content_is_a_value() -> None:
    """Frozen, compared by what is read, changed by attrs.evolve, kept by pickle; attachments are a tuple."""
    paper = Attachment("a.pdf", b"x")
    content = Content("s", "t", html="h", attachments=iter([paper]))
    assert content.attachments == (paper,)
    same = Content("s", "t", html="h", attachments=[paper])
    same.mime_parts()
    assert content == same
    assert hash(content) == hash(same)
    assert pickle.loads(pickle.dumps(same)) == content  # noqa: S301 - our own bytes
    assert attrs.evolve(content, text="u") == Content("s", "u", html="h", attachments=[paper])
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        content.text = "u"  # type: ignore[misc]  # the mistake under test


def test_an_evolved_merged_content_can_be_merged() -> None:
    """Only what a merge made is finished; new text is new."""
    merged = Content("Hi ${name}").merge({"name": "Sam"})
    assert attrs.evolve(merged, subject="Bye ${name}").merge({"name": "Pat"}).subject == "Bye Pat"


def test_the_repr_shows_the_subject_and_no_body() -> None:
    """A body may be private, and is long."""
    assert repr(Content("Results", "private", html="<p>", attachments=())) == (
        "Content(subject='Results', text=<7 characters>, html=<3 characters>, attachments=())"
    )


def test_what_everybody_gets_is_rendered_once() -> None:
    """A content that is sent as it is keeps its wire form; a merged one leaves it to its constant texts."""
    paper = Attachment("a.pdf", b"x" * 100)
    content = Content("s", "text", html="<p>", attachments=[paper])
    assert content.mime_parts() is content.mime_parts()
    template = Content("Hi ${name}", "The same for all", attachments=[paper])
    first, second = (template.merge({"name": name}).mime_parts() for name in ("Sam", "Pat"))
    assert first == second
    assert first[-2] is second[-2] is paper.mime_part()
    html = Content("Hi ${name}", html="<p>The same</p>")
    assert html.merge({"name": "Sam"}).mime_parts()[0] is html.merge({"name": "Pat"}).mime_parts()[0]


def test_everybody_gets_their_own_text() -> None:
    """However many have been written from the same template before."""
    template = Content(
        "Hi ${name}", "Dear ${name}", html="<p>${name}</p>", attachments=[Attachment("a.pdf", b"x")]
    )
    for name in ("Sam", "Pat", "Kim"):
        written = b"".join(template.merge({"name": name}).mime_parts())
        assert f"\r\nDear {name}\r\n".encode() in written
        assert f"\r\n<p>{name}</p>\r\n".encode() in written


def test_a_template_that_is_written_itself_changes_nobodys_text() -> None:
    """It shows its own marks, and each person still gets what they stand for."""
    template = Content("Hi ${name}", "It costs $${amount}.", html="<p>$${amount}</p>")
    before, after = template.merge({"name": "Sam"}), template.merge({"name": "Pat"})
    personal = b"".join(before.mime_parts())
    assert b"It costs $${amount}." in b"".join(template.mime_parts())
    assert b"".join(after.mime_parts()) == personal
    for wanted in (b"It costs ${amount}.", b"<p>${amount}</p>"):
        assert wanted in personal


def test_a_template_of_which_nobody_got_a_copy_yet_is_written_as_it_is() -> None:
    """Its marks do not reach the text that everybody shares."""
    template = Content("Hi ${name}", "It costs $${amount}.")
    merged = template.merge({"name": "Sam"})
    assert b"It costs $${amount}." in b"".join(template.mime_parts())
    assert b"It costs ${amount}." in b"".join(merged.mime_parts())


def test_a_merged_content_keeps_no_wire_form() -> None:
    """It is sent to one person, so keeping it would only take memory."""
    merged = Content("s", "Dear ${name}").merge({"name": "Sam"})
    assert merged.mime_parts() == merged.mime_parts()
    assert merged.mime_parts() is not merged.mime_parts()


@pytest.mark.parametrize(
    ("content", "shape"),
    [
        (Content("s"), ["text/plain"]),
        (Content("s", "t"), ["text/plain"]),
        (Content("s", html="h"), ["text/html"]),
        (Content("s", "t", html="h"), ["multipart/alternative", "text/plain", "text/html"]),
        (
            Content("s", "t", attachments=[Attachment("a.pdf", b"x")]),
            ["multipart/mixed", "text/plain", "application/pdf"],
        ),
        (
            Content("s", "t", html="h", attachments=[Attachment("a.pdf", b"x"), Attachment("b.zip", b"y")]),
            [
                "multipart/mixed",
                "multipart/alternative",
                "text/plain",
                "text/html",
                "application/pdf",
                "application/zip",
            ],
        ),
    ],
)
def test_the_structure_is_as_flat_as_it_can_be(content: Content, shape: list[str]) -> None:
    """One part where one will do; both forms as alternatives; files beside them."""
    whole = b"".join(content.mime_parts()).decode()
    lines = [line for line in whole.split("\r\n") if line.startswith("Content-Type: ")]
    assert [line.removeprefix("Content-Type: ").split(";")[0] for line in lines] == shape


def test_boundaries_come_from_the_text_and_never_stand_in_it() -> None:
    """The same content gives the same bytes in any process, even one that quotes its own wire form."""
    content = Content("s", "text", html="<p>")
    whole = b"".join(content.mime_parts())
    assert whole == b"".join(Content("s", "text", html="<p>").mime_parts())
    assert b'boundary="=_alternative_' in whole
    # The HTML was chosen so that the digest of both parts is the one that the text already holds.
    quoting = Content("s", "--=_alternative_00c0ffee", html="aaaaabbbabbabbbbaabbbbbbaabbaaabaaaaaaaa")
    assert b'boundary="=_alternative_00c0ffee_"' in b"".join(quoting.mime_parts())


@pytest.mark.parametrize("count", [10, 100])
def test_a_shared_attachment_stands_in_memory_once(count: int) -> None:
    """However many emails carry it, there is one copy of its octets and one of their encoded form."""
    paper = Attachment("a.bin", bytes(1_000_000))
    template = Content("Hi ${name}", "Dear ${name}", attachments=[paper])
    tracemalloc.start()
    try:
        merged = [template.merge({"name": f"Person {n}"}) for n in range(count)]
        parts = [content.mime_parts() for content in merged]
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(parts) == count
    assert held < 1_500_000 + count * 5_000
