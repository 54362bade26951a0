"""A real browser with a virtual authenticator, for the tests of the portal: tests/peers/browser.mjs, driven from here."""

import json
import shutil
import subprocess

import pytest

from harness import ROOT, wait_until


class Browser:
    """goto(), text(), click(), wait_for(); authenticator() adds a device that says yes to everything."""

    def __init__(self, node, folder):
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        if not program:
            pytest.skip("chromium is not installed: tools/deps.sh test")
        self.process = subprocess.Popen([node, ROOT / "tests/peers/browser.mjs", program, folder],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the browser has ended"
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def authenticator(self, **options):
        return self.ask(authenticator=options)["authenticatorId"]

    def goto(self, url):
        return self.ask(goto=url)

    def eval(self, expression):
        return self.ask(eval=expression)

    def cdp(self, method, **params):
        return self.ask(cdp=method, params=params)

    @property
    def path(self):
        return self.eval("location.pathname")

    @property
    def text(self):
        return self.eval("document.body.innerText")

    def has(self, selector):
        return self.eval(f"!!document.querySelector({json.dumps(selector)})")

    def content(self, selector):
        return self.eval(f"document.querySelector({json.dumps(selector)})?.textContent")

    def click(self, selector):
        self.eval(f"document.querySelector({json.dumps(selector)}).click()")

    def wait_for(self, expression, what=None):
        def look():
            try:
                return self.eval(expression)
            except RuntimeError:  # between two pages
                return None

        try:
            return wait_until(look, what or expression, 15, 0.05)
        except AssertionError as e:
            raise AssertionError(f"{e}\non {self.path}: {self.text}") from None

    def wait_path(self, path):
        return self.wait_for(f"document.readyState === 'complete' && location.pathname === {json.dumps(path)}",
                             f"the page {path}")

    def close(self):
        try:
            self.process.communicate(json.dumps({"close": True}) + "\n", timeout=5)
        except (subprocess.TimeoutExpired, OSError, ValueError):
            self.process.kill()
            self.process.wait()
