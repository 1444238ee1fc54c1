"""Classes, students, what a trainer writes, and what has left."""

from __future__ import annotations

from django.db import models

from vetmail_core import Attachment, Content, Person


class Course(models.Model):
    name = models.CharField(max_length=80)
    trainer = models.CharField(max_length=80)
    trainer_address = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.name

    def people(self) -> list[Person]:
        """The class, as the library is told of it."""
        return [student.person(self) for student in self.students.order_by("id")]

    def staff(self) -> Person:
        return Person(self.trainer_address, key=f"staff-{self.pk}", name=self.trainer)


class Student(models.Model):
    course = models.ForeignKey(Course, models.CASCADE, related_name="students")
    key = models.CharField(max_length=20, unique=True)
    first_name = models.CharField(max_length=40)
    last_name = models.CharField(max_length=40)
    address = models.CharField(max_length=200, blank=True)
    marketing = models.BooleanField(default=True)
    active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}"

    def person(self, course: Course) -> Person:
        return Person(
            self.address,
            key=self.key,
            name=str(self),
            active=self.active,
            marketing=self.marketing,
            fields={"first_name": self.first_name, "class": course.name},
        )


class Letter(models.Model):
    """What a trainer wrote to a class; its batch is the mailing."""

    course = models.ForeignKey(Course, models.CASCADE)
    context = models.CharField(max_length=40, default="occurrence_class")
    subject = models.CharField(max_length=200)
    text = models.TextField()
    html = models.TextField(blank=True)
    marketing = models.BooleanField(default=False)
    unsubscribe = models.CharField(max_length=400, blank=True)
    file_name = models.CharField(max_length=200, blank=True)
    file = models.BinaryField(default=b"")
    sent = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.subject

    @property
    def batch(self) -> str:
        return f"letter-{self.pk}"

    def content(self) -> Content:
        files = [Attachment(self.file_name, bytes(self.file))] if self.file_name else []
        return Content(self.subject, self.text, html=self.html, attachments=files)


class SentEmail(models.Model):
    """One line of the sent log: what left, for whom, and what the server said."""

    person = models.CharField(max_length=40, db_index=True)
    at = models.DateTimeField(auto_now_add=True)
    letter = models.ForeignKey(Letter, models.SET_NULL, null=True)
    subject = models.CharField(max_length=998)
    address = models.CharField(max_length=320)
    said = models.TextField()
    receipt = models.JSONField()
    octets = models.BinaryField()

    def __str__(self) -> str:
        return self.said
