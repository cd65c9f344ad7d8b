"""A message as a mail: text, and HTML with the picture of its curves.

The mails of a release answer one that never was, so that mail programs show them as one thread; for
those that go by the subject as well, it is the same for all of them.
"""

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from tuneops import names
from tuneops.message import Message
from tuneops.notify.channels import words

MAX_SUBJECT = 150
PICTURE = "curves.png"


def letter(
    message: Message, sender: str, to: tuple[str, ...], picture: bytes | None = None
) -> EmailMessage:
    """The mail, with the picture if there is one."""
    domain = sender.rpartition("@")[2]
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Subject"] = _subject(message)
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = _identifier("message", domain, message.key, message.at.isoformat())
    if message.release is not None:
        thread = _identifier("release", domain, message.project, message.release)
        mail["In-Reply-To"] = thread
        mail["References"] = thread
    if message.severity == "error":
        mail["Importance"] = "high"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-TuneOps-Event"] = words.one_line(message.event, 60)
    mail.set_content(_text(message), cte="quoted-printable")
    picture_id = _identifier("picture", domain, message.key, message.at.isoformat())
    html = _html(message, picture_id[1:-1] if picture else "")
    mail.add_alternative(html, subtype="html", cte="quoted-printable")
    if picture:
        (*_, page) = mail.iter_parts()
        page.add_related(
            picture, "image", "png", cid=picture_id, filename=PICTURE, disposition="inline"
        )
    return mail


def _subject(message: Message) -> str:
    if message.release is None or not message.project:
        return words.title(message, MAX_SUBJECT)
    return words.one_line(f"{message.project}: release {message.release}", MAX_SUBJECT)


def _identifier(kind: str, domain: str, *of: object) -> str:
    """A message id that is the same for the same things."""
    return f"<{kind}.{names.digest(*of)}@{domain}>"


def _text(message: Message) -> str:
    facts = [f"{label}: {value}" for label, value in words.facts(message)]
    links = [f"{name}: {url}" for name, url in words.links(message)]
    parts = (words.title(message), words.clean(message.text), "\n".join(facts), "\n".join(links))
    return "\n\n".join(filter(None, parts)) + "\n"


def _html(message: Message, picture_id: str) -> str:
    return _template().render(
        title=words.title(message),
        paragraphs=[line for line in words.clean(message.text).split("\n") if line.strip()],
        facts=words.facts(message),
        links=words.links(message),
        look="live" if message.event == "live" else message.severity,
        picture_id=picture_id,
        curves=", ".join(words.one_line(curve.name, 60) for curve in message.curves),
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("tuneops.notify.channels", ""),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("letter.html.j2")
