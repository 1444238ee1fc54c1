"""A class to try the portal with."""

from __future__ import annotations

from .models import Course, Student

STUDENTS = (
    ("C001", "Ada", "Nguyen", "ada@example.com", True, True),
    ("C002", "Zoë", "Fischer", "zoe@example.com", True, True),
    ("C003", "Sam", "O'Brien", "sam@example.com", False, True),
    ("C004", "Lee", "Park", "", True, True),
    ("C005", "Kim", "Walker", "kim@@example.com", True, True),
    ("C006", "Max", "Old", "moved-away@example.com", True, True),
    ("C007", "Eve", "Archived", "eve@example.com", True, False),
)


def fill() -> Course:
    """Make the class, if it is not there yet."""
    course, made = Course.objects.get_or_create(
        name="Baking, Tuesday", defaults={"trainer": "Tina Trainer", "trainer_address": "tina@example.com"}
    )
    if made:
        Course.objects.create(name="First Aid", trainer="Tina Trainer", trainer_address="tina@example.com")
        for key, first, last, address, marketing, active in STUDENTS:
            Student.objects.create(
                course=course,
                key=key,
                first_name=first,
                last_name=last,
                address=address,
                marketing=marketing,
                active=active,
            )
    return course
