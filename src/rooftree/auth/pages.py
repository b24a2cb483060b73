"""The pages on which people sign in and consent: plain HTML, no scripts, nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from typing import Final

from rooftree.auth.model import Connection, OauthApp, Session

_STYLE: Final = """
body{font:1em/1.5 system-ui,sans-serif;color:#1c2430;background:#f4f5f7;margin:0}
main{max-width:26em;margin:10vh auto;padding:2em;background:#fff;border-radius:.5em;box-shadow:0 1px 4px #0002}
h1{font-size:1.3em;margin:0 0 1em}label{display:block;margin:0 0 1em}
input{font:inherit;width:100%;box-sizing:border-box;padding:.5em;border:1px solid #8a94a3;border-radius:.3em}
button{font:inherit;padding:.5em 1.2em;border:1px solid #23527c;border-radius:.3em;background:#fff;color:#23527c}
button.main{background:#23527c;color:#fff}form{display:inline}small{color:#566}li{margin:.2em 0}
[role=alert]{padding:.6em;background:#fdecea;color:#7a1c12;border-radius:.3em}
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def headers(*form_targets: str) -> dict[str, str]:
    """Return the headers of every page; forms go to us, and on from there to these places."""
    policy = [
        "default-src 'none'",
        f"style-src 'sha256-{_STYLE_HASH}'",
        f"form-action {' '.join([chr(39) + 'self' + chr(39), *form_targets])}",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


def sign_in_page(sealed: str, *, app_name: str | None = None, login: str = "", complaint: str = "") -> str:
    """Ask who somebody is."""
    alert = f'<p role="alert">{escape(complaint)}</p>' if complaint else ""
    why = f"<p>To connect <b>{escape(app_name)}</b>.</p>" if app_name else ""
    return _page(
        "Sign in",
        f"""{why}{alert}<form method="post" action="/oauth/sign-in">
<input type="hidden" name="knock" value="{escape(sealed)}">
<label>E-mail <input name="login" type="email" autocomplete="username" required value="{escape(login)}"></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button class="main">Sign in</button></form>
<p><small>No password yet? Who runs this server gives you one: rooftree users password.</small></p>""",
    )


def consent_page(app: OauthApp, session: Session, place: str, sealed: str, sealed_out: str) -> str:
    """Ask whether an application may act in somebody's name."""
    if app.grants is None:
        what = "<p>It will see and do everything that you can see and do through the API.</p>"
    else:
        items = "".join(f"<li>{escape(tag)}</li>" for tag in app.grants)
        what = f"<p>In your name it will see and change what you can, of:</p><ul>{items or '<li>nothing</li>'}</ul>"
    warning = "<p><small>This application is still in development.</small></p>" if app.mode == "development" else ""
    about = f"<p>{escape(app.description)}</p>" if app.description else ""
    return _page(
        f"Connect {app.name}?",
        f"""{about}{what}{warning}<p>Afterwards you go on to <b>{escape(place)}</b>.</p>
<form method="post" action="/oauth/consent"><input type="hidden" name="asked" value="{escape(sealed)}">
<button class="main" name="answer" value="allow">Allow</button>
<button name="answer" value="deny">Refuse</button></form>
{_who(session, sealed_out)}""",
    )


def connections_page(connections: Sequence[tuple[Connection, str]], session: Session, sealed_out: str) -> str:
    """Show what somebody is connected to, with a button to end each."""
    items = "".join(
        f"""<li><b>{escape(one.name)}</b> {escape(one.description)} <small>since {one.since:%Y-%m-%d}</small>
<form method="post" action="/oauth/connections"><input type="hidden" name="wish" value="{escape(sealed)}">
<button>Disconnect</button></form></li>"""
        for one, sealed in connections
    )
    return _page(
        "Connected applications",
        f"<ul>{items}</ul>{_who(session, sealed_out)}" if items else f"<p>None.</p>{_who(session, sealed_out)}",
    )


def error_page(text: str) -> str:
    """Say what is wrong; nobody is sent anywhere."""
    return _page("This does not work", f'<p role="alert">{escape(text)}</p>')


def _who(session: Session, sealed_out: str) -> str:
    return f"""<form method="post" action="/oauth/sign-out">
<input type="hidden" name="wish" value="{escape(sealed_out)}">
<p><small>You are signed in as {escape(session.name)} ({escape(session.email)}).</small> <button>Sign out</button></p>
</form>"""


def _page(title: str, body: str) -> str:
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>
<body><main><h1>{escape(title)}</h1>
{body}</main></body></html>"""
