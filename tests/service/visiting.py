"""A person's browser."""

from typing import Any

LAPTOP = {"width": 1280, "height": 800}
# Plotly brings a style sheet for maps along, which the pages' policy does not let in.
MAPS = "style-src-elem"


class Visit:
    """A person's browser: one page, all that it asked for, and what went wrong in it."""

    def __init__(self, browser: Any, address: str, viewport: dict[str, int]) -> None:
        self.context = browser.new_context(viewport=viewport, base_url=address)
        self.page = self.context.new_page()
        self.page.set_default_timeout(90_000)
        self.asked: list[str] = []
        self.wrong: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", self._console)

    def sign_in(self, secret: str) -> None:
        self.page.goto("/")
        self.page.fill("input[name=token]", secret)
        self.page.click("text=Sign in >> nth=-1")
        self.page.wait_for_selector("#compare")
        self.wrong.clear()  # The first answer was 401, as it should be.

    def _console(self, message: Any) -> None:
        if message.type == "error" and MAPS not in message.text:
            self.wrong.append(message.text)
