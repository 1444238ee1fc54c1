"""The portal in a real browser: Debian's chromium, two windows, a keyboard, and a worker that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import attrs
from django.conf import settings
from django.contrib.staticfiles.testing import StaticLiveServerTestCase
from django.db import connection
from portal.models import Letter, SentEmail, Student
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.portal_case import PortalCase
from vetmail_core import load_preferences

# The script alone: the package would drive another browser.
AXE = (Path(find_spec("axe_playwright_python").origin).parent / "axe.min.js").read_text("utf-8")
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
SCREENSHOTS = os.environ.get("PORTAL_SCREENSHOTS", "")  # the folder for the pictures of the docs
PICTURES = ("conflict", "errors", "preview", "result")


def browser(*, width=1100, dark=False):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    # Narrower than 500 pixels is no window size that chromium takes; the device below says the width.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    made.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    made.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    return made


class InABrowser(PortalCase, StaticLiveServerTestCase):
    def setUp(self):
        super().setUp()
        self.window = self.another()

    def another(self, **how):
        made = browser(**how)
        self.addCleanup(made.quit)
        return made

    def go(self, path, window=None):
        (window or self.window).get(self.live_server_url + path)

    def find(self, css, window=None):
        return (window or self.window).find_element(By.CSS_SELECTOR, css)

    def press(self, words, window=None):
        """Press what a person reads, a button or a link, and wait for the page that comes."""
        window = window or self.window
        old = window.find_element(By.TAG_NAME, "html")
        path = f"//main//*[self::button or self::a][starts-with(normalize-space(.), '{words}')]"
        window.find_element(By.XPATH, path).click()
        WebDriverWait(window, 20).until(lambda _: _gone(old))

    def text(self, window=None):
        return self.find("main", window).text

    def write(self):
        self.go(f"/classes/{self.course.pk}/write/")
        self.find("#id_subject").send_keys("Hi ${first_name}")
        self.find("#id_text").send_keys("See you in ${class}.")
        self.press("Preview")

    def until(self, words):
        stale = [StaleElementReferenceException]  # a page that refreshes itself
        WebDriverWait(self.window, 30, ignored_exceptions=stale).until(lambda _: words in self.text())


def _gone(element):
    try:
        element.is_enabled()
    except WebDriverException:
        return True
    return False


class TheWay(InABrowser):
    def test_two_browsers_on_one_settings_page(self):
        other = self.another()
        for window in (self.window, other):
            self.go("/preferences/?tab=server", window)
        for window, wait in ((self.window, "500"), (other, "2000")):
            field = self.find("#mail_server-wait_between_emails_ms", window)
            field.clear()
            field.send_keys(wait)
            self.press("Save", window)
        self.assertIn("Wait time between emails is now 500 ms.", self.text())
        self.assertIn("Somebody else saved these preferences", self.text(other))
        self.assertIn("Wait time between emails 500 2000", self.text(other))
        self.assertEqual(load_preferences(settings.PREFERENCES).mail_server.wait_between_emails_ms, 500)
        self.press("Enter mine again", other)
        self.assertIn("is now 2000 ms.", self.text(other))

    def test_an_error_has_the_focus_and_leads_to_its_control(self):
        self.go("/preferences/?tab=server")
        field = self.find("#mail_server-port")
        field.clear()
        field.send_keys("x")
        self.press("Save")
        self.assertEqual(self.window.switch_to.active_element.get_attribute("id"), "summary")
        self.find("#summary a").click()
        self.assertEqual(self.window.switch_to.active_element.get_attribute("id"), "mail_server-port")

    def test_a_client_that_is_switched_off_and_on_again_keeps_its_values(self):
        self.go("/preferences/?tab=server")
        self.find("#use_built_in_client").click()
        self.press("Save")
        self.assertFalse(self.find("#mail_server-host").is_enabled())
        self.find("#use_built_in_client").click()
        self.press("Save")
        self.assertEqual(self.find("#mail_server-port").get_attribute("value"), str(self.server.port))

    def test_a_double_click_on_send_is_one_mailing(self):
        self.write()
        button = self.find("main form button")
        webdriver.ActionChains(self.window).double_click(button).perform()
        self.until("4 of 4 done")
        self.assertEqual(len(self.server.emails), 4)

    def test_a_refused_student_is_told_with_what_to_do(self):
        self.server.faults.refuse("moved-away@example.com")
        self.write()
        self.press("Send 4 emails")
        self.press("Result")
        self.assertIn("Refused: 1", self.text())
        self.press("Max Old")
        self.assertIn("Refused", self.text())

    def test_the_whole_way_by_keyboard_alone(self):
        self.go("/")
        self.tab_to("Write to Baking")
        self.key(Keys.ENTER)
        self.tab_to_id("id_subject")
        self.key("Moved")
        self.tab_to_id("id_text")
        self.key("Room 7")
        self.tab_to("Preview")
        self.key(Keys.ENTER)
        self.until("Before it is sent")
        self.tab_to("Send 4 emails")
        self.key(Keys.ENTER)
        self.until("4 of 4 done")
        self.tab_to("Result")
        self.key(Keys.ENTER)
        self.until("What became of everybody")
        self.assertEqual(len(self.server.emails), 4)

    def key(self, key):
        self.window.switch_to.active_element.send_keys(key)

    def tab_to(self, words):
        self._tab(lambda element: element.text.startswith(words), words)

    def tab_to_id(self, name):
        self._tab(lambda element: element.get_attribute("id") == name, name)

    def _tab(self, found, what):
        for _ in range(60):
            webdriver.ActionChains(self.window).send_keys(Keys.TAB).perform()
            if found(self.window.switch_to.active_element):
                return
        self.fail(f"no Tab leads to {what}")


PAGES = {
    "classes": "/",
    "mail-server": "/preferences/?tab=server",
    "settings": "/preferences/?tab=settings",
    "contexts": "/preferences/?tab=contexts&edit=occurrence_class",
    "test-email": "/preferences/test/",
    "write": "/classes/{course}/write/",
    "preview": "/letters/{written}/preview/",
    "progress": "/letters/{sent}/",
    "result": "/letters/{sent}/result/",
    "person": "/people/C001/",
}


class EveryPage(InABrowser):
    def setUp(self):
        super().setUp()
        self.server.faults.refuse("moved-away@example.com").drop(address="zoe@example.com")
        text = "Dear ${first_name},\n\n${class} is in Room 7."
        letter = {"subject": "Hi ${first_name}, we moved", "text": text}
        sent, written = (Letter.objects.create(course=self.course, **letter) for _ in range(2))
        preview = self.client.get(f"/letters/{sent.pk}/preview/")
        self.client.post(f"/letters/{sent.pk}/send/", {"fingerprint": preview.context["fingerprint"]})
        self.pages = {
            name: path.format(course=self.course.pk, sent=sent.pk, written=written.pk)
            for name, path in PAGES.items()
        }

    def findings(self, window, name):
        window.execute_script(AXE)
        run = f"const done = arguments[0]; axe.run({json.dumps(RULES)}).then(r => done(r.violations), done)"
        return [f"{name}: {one['id']} {one['nodes'][0]['html']}" for one in window.execute_async_script(run)]

    def test_no_page_has_a_finding_of_the_accessibility_check(self):
        found = []
        for dark in (False, True):
            window = self.another(dark=dark)
            for name, path in self.pages.items():
                self.go(path, window)
                found += self.findings(window, f"{name}{' dark' if dark else ''}")
                self.keep_picture(window, name, dark=dark)
            self.go("/preferences/?tab=server", window)
            self.find("#mail_server-port", window).clear()
            self.find("#mail_server-port", window).send_keys("587x")
            self.press("Save", window)
            found += self.findings(window, "errors")
            self.keep_picture(window, "errors", dark=dark)
            found += self.findings_in_other_states(window, dark=dark)
        self.assertEqual(found, [])

    def findings_in_other_states(self, window, *, dark):
        """Pages that come of what somebody did: a conflict, a wrong letter, a test, a client that is off."""
        found = []
        self.go("/preferences/?tab=server", window)
        wait = self.find("#mail_server-wait_between_emails_ms", window)
        wait.clear()
        wait.send_keys("2000")
        now = load_preferences(settings.PREFERENCES)
        server = attrs.evolve(now.mail_server, wait_between_emails_ms=500 + dark)
        self.save(attrs.evolve(now, mail_server=server))
        self.press("Save", window)
        self.assertIn("Somebody else saved", self.text(window))
        found += self.findings(window, "conflict")
        self.keep_picture(window, "conflict", dark=dark)
        self.go(self.pages["write"], window)
        self.find("#id_subject", window).send_keys("Hi")
        self.find("#id_text", window).send_keys("${frist_name}")
        self.press("Preview", window)
        found += self.findings(window, "wrong letter")
        self.go("/preferences/test/", window)
        self.press("Send test email", window)
        self.assertIn("Accepted.", self.text(window))
        found += self.findings(window, "test email")
        self.save(attrs.evolve(now, use_built_in_client=False))
        for path in ("/preferences/?tab=server", "/preferences/test/", self.pages["preview"]):
            self.go(path, window)
            found += self.findings(window, f"client off {path}")
        self.save(now)
        return found

    def test_every_page_fits_320_pixels(self):
        window = self.another(width=320)
        for name, path in self.pages.items():
            self.go(path, window)
            width = window.execute_script("return document.documentElement.scrollWidth")
            self.assertLessEqual(width, 320, name)

    def test_every_page_has_a_title_of_its_own_and_one_main_heading(self):
        titles = set()
        for path in self.pages.values():
            self.go(path)
            titles.add(self.window.title)
            (heading,) = self.window.find_elements(By.TAG_NAME, "h1")
            self.assertNotEqual(self.window.title.partition(" \N{EN DASH} ")[0], heading.text)
        self.assertGreaterEqual(len(titles), len(self.pages) - 2)  # the three tabs are one page

    def keep_picture(self, window, name, *, dark):
        if SCREENSHOTS and name in PICTURES:
            window.save_screenshot(str(Path(SCREENSHOTS) / f"{name}{'-dark' if dark else ''}.png"))


class AWorkerThatIsKilled(InABrowser):
    tasks = "django_tasks_db.DatabaseBackend"

    def test_nobody_is_forgotten_and_nobody_gets_two(self):
        Student.objects.all().delete()
        for number in range(12):
            Student.objects.create(
                course=self.course,
                key=f"S{number:02}",
                first_name=f"Student{number}",
                last_name="X",
                address=f"s{number}@example.com",
            )
        revision = load_preferences(settings.PREFERENCES).revision
        wait = {"revision": revision, "mail_server.wait_between_emails_ms": "400"}
        self.client.post("/preferences/", wait)
        self.write()
        self.press("Send 12 emails")
        with self.worker() as first:
            self.server.wait_for(3, seconds=30)
            first.send_signal(signal.SIGKILL)
            first.wait()
        reached = len(self.server.emails)
        self.assertLess(reached, 12)
        letter = Letter.objects.get()
        SentEmail.objects.update(at="2026-01-01T00:00:00Z")  # as if two minutes had passed
        self.go(f"/letters/{letter.pk}/")
        self.assertIn("No news for 2 minutes", self.text())
        self.press("Resume")
        with self.worker():
            WebDriverWait(self.window, 60).until(lambda _: self.is_over(letter))
        self.go(f"/letters/{letter.pk}/result/")
        buttons = self.window.find_elements(By.CSS_SELECTOR, "button[name=arrived]")
        doubts = {button.get_attribute("value").replace(f"{letter.batch}/S", "") for button in buttons}
        to = [one.message["To"].addresses[0].username for one in self.server.emails]
        self.assertEqual(len(to), len(set(to)))  # nobody twice
        reached = {f"{int(name.removeprefix('s')):02}" for name in to}
        self.assertEqual(reached | doubts, {f"{number:02}" for number in range(12)})  # nobody forgotten
        self.assertLessEqual(len(doubts), 1)

    def is_over(self, letter):
        self.go(f"/letters/{letter.pk}/")
        return "The mailing is over" in self.text()

    @contextmanager
    def worker(self):
        """A worker in a process of its own, on this test's database, ledger and preferences."""
        env = {
            **os.environ,
            "PORTAL_DATABASE": str(connection.settings_dict["NAME"]),
            "PORTAL_FOLDER": str(self.folder),
        }
        command = [
            sys.executable,
            "manage.py",
            "db_worker",
            "--interval",
            "0.2",
            "--no-startup-delay",
            "--no-reload",
        ]
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()
