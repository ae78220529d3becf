"""What a person sees whose browser has sent a plain HTML form straight to intake, where no redirect leads on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

BROWSER_FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}
_THANKS = ("Thank you", "We have your message.")
_SAID = {
    200: _THANKS,
    202: _THANKS,
    401: ("That did not work", "This form is not set up as it should be. Please tell the people whose form it is."),
    408: ("Please try again", "Your message did not arrive whole. Please go back and send it again."),
    413: ("That is too much", "Your message is larger than this form takes. Please go back and shorten it."),
    422: ("Thank you", "We have your message. A person will look at it, as it could not be read by itself."),
    429: (
        "Please try again",
        "Your message could not be taken just now. Please go back and send it again in a moment.",
    ),
}
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ font: 1.05rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 18vh auto; padding: 0 1.2rem }}
</style>
<h1>{title}</h1>
<p>{text}</p>
</html>
"""
_REPLACED = {b"content-type", b"content-length"}


def is_browser_form(content_type: str, headers: Mapping[str, str]) -> bool:
    """Tell whether a browser has sent a form and will show what it is answered; a script asks for no page."""
    return content_type in BROWSER_FORMS and "text/html" in headers.get("accept", "")


def as_page(send: Send) -> Send:
    """Return a ``send`` that says the same, status and headers too, in words for whoever has filled in the form."""
    is_said = False

    async def say(message: Message) -> None:
        nonlocal is_said
        if message["type"] == "http.response.start" and message["status"] in _SAID:
            is_said = True
            title, text = _SAID[message["status"]]
            body = _PAGE.format(title=title, text=text).encode()
            kept = [(name, value) for name, value in message["headers"] if name not in _REPLACED]
            own = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(body)).encode())]
            await send({**message, "headers": [*kept, *own]})
            await send({"type": "http.response.body", "body": body})
        elif not is_said:
            await send(message)

    return say
