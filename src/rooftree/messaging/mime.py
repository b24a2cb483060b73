"""From a message to a MIME mail: headers that nobody can break out of, text always, HTML where there is some."""

import html as html_entities
import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from inscriptis import get_text

from rooftree.messaging.model import OutgoingEmail

_HTML: Final = re.compile(
    r"</(?:p|div|a|b|i|strong|em|span|ul|ol|li|table|h[1-6]|body|html|td|tr|blockquote|pre)\s*>|<(?:br|hr|img)\b[^>]*>",
    re.IGNORECASE,
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\u0085]+")
_UNFIT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_BODY_END: Final = re.compile(r"</body\s*>", re.IGNORECASE)


def mime_of(email: OutgoingEmail) -> EmailMessage:
    """Return the mail, ready for SMTP: any characters in subject, names and text."""
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["From"] = _address(email.sender, email.sender_name)
    message["To"] = _address(email.recipient, email.recipient_name)
    message["Subject"] = _line(email.subject)
    message["Date"] = format_datetime(email.created_at)
    message["Message-ID"] = email.message_id
    if email.reply_to:
        message["Reply-To"] = [_address(address, None) for address in email.reply_to]
    if email.unsubscribe_url:
        message["List-Unsubscribe"] = f"<{email.unsubscribe_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(_UNFIT.sub("", email.text), cte="quoted-printable")
    if email.html is not None:
        message.add_alternative(_UNFIT.sub("", email.html), subtype="html", cte="quoted-printable")
    return message


def _address(address: str, name: str | None) -> Address:
    user, _, domain = _line(address).rpartition("@")
    return Address(_line(name or ""), user, domain)


def _line(text: str) -> str:
    """Return a header's text on one line: whoever wrote it cannot add headers of their own."""
    return _UNFIT.sub("", _CONTROL.sub(" ", text)).strip()


def bodies_of(body: str) -> tuple[str, str | None]:
    """Return plain text and HTML of what an agent wrote: HTML gives both, plain text stays plain."""
    if not _HTML.search(body):
        return body, None
    return get_text(_UNFIT.sub("", body)).strip("\n"), body


def with_unsubscribe(text: str, html: str | None, url: str) -> tuple[str, str | None]:
    """Return both bodies with a visible way out at the end."""
    text = f"{text}\n\n--\nNo more e-mails: {url}\n"
    if html is None:
        return text, None
    line = (
        f'<p style="font-size:smaller;color:#777">'
        f'<a href="{html_entities.escape(url, quote=True)}">No more e-mails</a></p>'
    )
    ends = list(_BODY_END.finditer(html))
    if not ends:
        return text, html + line
    place = ends[-1].start()
    return text, html[:place] + line + html[place:]
