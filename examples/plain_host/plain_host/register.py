"""The feature: notices to the students of a class."""

from __future__ import annotations

from vetmail_core import Content, Mailer, Person, Report

MOVED = Content(
    "Your class moved to ${room}",
    "Hello ${first_name},\n\n${class_name} is in ${room} from now on.\n",
)


def notify_moved(mailer: Mailer, students: list[Person], *, class_name: str, room: str) -> Report:
    """Tell every student, one email each."""
    places = [_with_fields(student, class_name=class_name, room=room) for student in students]
    return mailer.send_bulk(mailer.plan_bulk(MOVED, places, batch=f"{class_name}/{room}"))


def send_password(mailer: Mailer, student: Person, password: str) -> bool:
    """Send a new password to the student alone; says whether the server took it."""
    content = Content("Your new password", f"It is {password}\n")
    return mailer.send(content, to=[student.mailbox()]).ok


def _with_fields(student: Person, **fields: str) -> Person:
    return Person(
        student.address,
        key=student.key,
        name=student.name,
        active=student.active,
        fields={**student.fields, **fields},
    )
