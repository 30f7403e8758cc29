"""The sign-in pages as text: no script at all, so that nothing a service or a link says can become one.

Every value goes through :func:`html.escape`; the one style sheet is allowed by its hash. What scripts did in kiro-rs's
pages (polling, countdown) is done by reloading (operations §7.7, §7.8).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape

from kiro_rs_py.serve.reply import Header
from kiro_rs_py.upstream.login import DeviceCode

BASE = "/v0/oauth/kiro"
RELOAD_SECONDS = 3

_STYLE = """
:root{color-scheme:light dark;--b:#8886}
body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.05rem;margin-top:2rem}
form{display:grid;gap:.5rem;margin:.5rem 0}
input,textarea,button,.button{font:inherit;padding:.5rem .7rem;border:1px solid var(--b);border-radius:.4rem}
button,.button{cursor:pointer;background:#2563eb;color:#fff;border-color:#2563eb;text-decoration:none;
text-align:center;justify-self:start;display:inline-block}
button.quiet{background:none;color:inherit;border-color:var(--b)}
:focus-visible{outline:3px solid #f59e0b;outline-offset:2px}
.code{font:2rem ui-monospace,monospace;letter-spacing:.15em;margin:.5rem 0}
.note{border-left:.25rem solid var(--b);padding:.25rem .75rem}
.good{border-color:#16a34a}.bad{border-color:#dc2626}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HTML = b"text/html; charset=utf-8"
PAGE_HEADERS: tuple[Header, ...] = (
    (
        b"content-security-policy",
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'".encode(),
    ),
    (b"x-frame-options", b"DENY"),
    # Not "no-referrer": with that, browsers send "Origin: null" with our own forms. To others it hands nothing, either.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


def sign_in_page(*, administrator: bool, problem: str | None = None) -> bytes:
    """Asks for the key. ``administrator``: for the admin key, else for the API key."""
    name = "adminApiKey" if administrator else "apiKey"
    return _page(
        "Sign in",
        f"""{_note(problem, "bad")}
<form method="post" action="{BASE}/login">
<label for="key">{name} of this proxy</label>
<input id="key" name="key" type="password" autocomplete="current-password" required autofocus>
<button>Sign in</button></form>""",
    )


def selection_page(csrf_token: str) -> bytes:
    """Ways to add an account, and the refresh of all."""
    token = _hidden("csrf", csrf_token)
    return _page(
        "Kiro accounts",
        f"""
<h2>AWS Builder ID (recommended)</h2>
<form method="post" action="{BASE}/start">{token}{_hidden("method", "builder-id")}
<button>Sign in with Builder ID</button></form>
<h2>AWS IAM Identity Center</h2>
<form method="post" action="{BASE}/start">{token}{_hidden("method", "idc")}
<label for="startUrl">Start URL</label>
<input id="startUrl" name="startUrl" type="url" placeholder="https://d-1234567890.awsapps.com/start" required>
<label for="region">Region</label>
<input id="region" name="region" value="us-east-1" pattern="[a-z]+(-[a-z]+)+-[0-9]+" required>
<button>Sign in with Identity Center</button></form>
<h2>Refresh token of Kiro IDE</h2>
<form method="post" action="{BASE}/import">{token}
<label for="refreshToken">The IDE keeps it in ~/.aws/sso/cache/kiro-auth-token.json</label>
<textarea id="refreshToken" name="refreshToken" rows="4" autocomplete="off" spellcheck="false" required></textarea>
<button>Import</button></form>
<h2>All accounts</h2>
<form method="post" action="{BASE}/refresh">{token}<button class="quiet">Refresh all tokens</button></form>
<form method="post" action="{BASE}/logout">{token}<button class="quiet">Sign out</button></form>""",
    )


def confirmation_page(csrf_token: str, fields: Sequence[tuple[str, str]]) -> bytes:
    """For a start that another site's page may have caused: only a person's click begins it."""
    inputs = "".join(_hidden(name, value) for name, value in fields)
    return _page(
        "Add an account?",
        f"""<p>A link led you here. Go on only if you want to sign in to a Kiro account now.</p>
<form method="post" action="{BASE}/start">{_hidden("csrf", csrf_token)}{inputs}<button>Go on</button></form>
<p><a href="{BASE}">Back</a></p>""",
    )


def device_page(state: str, device: DeviceCode, expires_at: str, qr: str) -> bytes:
    """The code to confirm; reloads itself until the person has. ``state`` names the login, ``qr`` is an SVG element of
    our own making."""
    address = escape(device.verification_uri_complete)
    here = f"{BASE}/start?state={escape(state)}"
    return _page(
        "Confirm the code",
        f"""<ol><li><p><a class="button" href="{address}" target="_blank" rel="noopener noreferrer">Open the
sign-in page</a></p>{qr}</li>
<li>Check that it shows this code, or type it at {escape(device.verification_uri)}:
<p class="code">{escape(device.user_code)}</p></li>
<li>Approve. This page then goes on by itself.</li></ol>
<p class="note" role="status">Waiting for authorization… until {escape(expires_at)}</p>
<p><a href="{BASE}">Back</a></p>""",
        head=f'<meta http-equiv="refresh" content="{RELOAD_SECONDS};url={here}">',
    )


def outcome_page(title: str, text: str, *, good: bool) -> bytes:
    """How something ended."""
    return _page(title, f'{_note(text, "good" if good else "bad")}<p><a href="{BASE}">Back</a></p>')


def _page(title: str, body: str, head: str = "") -> bytes:
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">{head}'
        f"<title>{escape(title)} – kiro-rs-py</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
    return text.encode("utf-8", "replace")


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'


def _note(text: str | None, kind: str) -> str:
    return "" if text is None else f'<p class="note {kind}" role="status">{escape(text)}</p>'
