"""Settings of a portal without a database."""

SECRET_KEY = "only-for-the-example"
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "portal.views"
INSTALLED_APPS = []
DATABASES = {}
USE_TZ = True
DEFAULT_FROM_EMAIL = "Student Office <office@example.com>"
EMAIL_BACKEND = "portal.backend.EmailBackend"
# A dotted name of a function that gives a transport; a test sets another one.
VETMAIL_TRANSPORT = "portal.mail.transport_of_the_organisation"
