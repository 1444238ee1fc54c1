"""Settings of the portal: one folder holds its database, its ledger and the e-mail preferences."""

import os
from pathlib import Path

import django

FOLDER = Path(os.environ.get("PORTAL_FOLDER", Path(__file__).resolve().parent.parent / "data"))
FOLDER.mkdir(parents=True, exist_ok=True)
PREFERENCES = FOLDER / "email-preferences.json"
LEDGER = FOLDER / "sent.sqlite3"

SECRET_KEY = "only-for-the-example"
DEBUG = True
ALLOWED_HOSTS = ["*"]
USE_TZ = True
LANGUAGE_CODE = "en-au"
TIME_ZONE = "Australia/Brisbane"
ROOT_URLCONF = "portal.urls"
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.messages", "django.contrib.staticfiles", "django_tasks_db", "portal"]
if django.VERSION < (6, 0):
    INSTALLED_APPS.insert(0, "django_tasks")
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "portal.preferences.PreferencesThatCannotBeUsed",
]
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
# The portal has no migrations of its own: `migrate --run-syncdb` makes its tables.
MIGRATION_MODULES = {"portal": None}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("PORTAL_DATABASE", FOLDER / "portal.sqlite3"),
        "TEST": {"NAME": FOLDER / "test.sqlite3"},  # a file, which a worker of its own process can open
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL",
        },
    }
}
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default"]}}

# Django's own mail goes the same way, under the same preferences.
DEFAULT_FROM_EMAIL = "Student Office <office@example.com>"
VETMAIL = {"preferences": PREFERENCES}
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "vetmail_core.django.EmailBackend"}}
else:
    EMAIL_BACKEND = "vetmail_core.django.EmailBackend"
