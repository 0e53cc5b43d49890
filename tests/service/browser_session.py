"""A browser session for tests of the service's pages."""

from typing import Any

LAPTOP = {"width": 1280, "height": 800}


class BrowserSession:
    """One page in a new browser context, with lists of the page's requests and errors."""

    def __init__(self, browser: Any, address: str, viewport: dict[str, int]) -> None:
        self.context = browser.new_context(viewport=viewport, base_url=address)
        self.page = self.context.new_page()
        self.page.set_default_timeout(90_000)
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._on_console)

    def sign_in(self, token: str) -> None:
        """Sign in and wait for the list of sweeps."""
        self.page.goto("/")
        self.page.fill("input[name=token]", token)
        self.page.click("text=Sign in >> nth=-1")
        self.page.wait_for_selector("#compare")
        self.errors.clear()  # The browser reports the sign-in page as an error: its status is 401.

    def _on_console(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)
