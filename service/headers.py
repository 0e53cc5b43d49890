"""Security headers of every response, and the Content-Security-Policy of each kind of page."""

import base64
import hashlib

from starlette.datastructures import MutableHeaders

# Scripts come from the service's own files. Plotly sets style attributes and inserts two <style>
# elements: an empty one, which it fills through the DOM, and a style sheet for maps. The hashes are
# those of their texts.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "style-src 'self'; style-src-attr 'unsafe-inline'; "
    "style-src-elem 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' "
    "'sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o='; "
    "img-src 'self' data: blob:; base-uri 'none'; frame-ancestors 'none'"
)
# For a self-contained page with inline scripts: an opaque origin and no network access.
SANDBOX_POLICY = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "private, no-cache",
}


def add_security_headers(headers: MutableHeaders, https: bool) -> None:
    """Add every security header that the route has not set itself."""
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    if https:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")


def policy_with_inline_style(style: str) -> str:
    """`CONTENT_SECURITY_POLICY` that also allows a <style> element with this text, by its hash."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return CONTENT_SECURITY_POLICY.replace("style-src-elem", f"style-src-elem 'sha256-{digest}'")
