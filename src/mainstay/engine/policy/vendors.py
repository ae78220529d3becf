"""By what a vendor is named in code where a role would do, and the calls that give something else each time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor, and the role that workflows ask for instead."""

    title: str
    role: str


_HUBSPOT, _GHL = Vendor("HubSpot", "crm"), Vendor("GoHighLevel", "crm")
_SALESFORCE = Vendor("Salesforce", "crm")
_SLACK, _TWILIO = Vendor("Slack", "chat"), Vendor("Twilio", "sms")
_POSTMARK, _SENDGRID, _MAILGUN = Vendor("Postmark", "email"), Vendor("SendGrid", "email"), Vendor("Mailgun", "email")
_MAKE, _ZAPIER = Vendor("Make", "layer"), Vendor("Zapier", "layer")
_SHEETS = Vendor("Google Sheets", "table")
_RESEND, _SMTP = Vendor("Resend", "email"), Vendor("a mail server", "email")
_ASANA, _LINEAR, _NOTION = Vendor("Asana", "tasks"), Vendor("Linear", "tasks"), Vendor("Notion", "tasks")
_VAPI, _RETELL, _BLAND = Vendor("Vapi", "voice"), Vendor("Retell", "voice"), Vendor("Bland", "voice")

PACKAGES = {
    "aiosmtplib": _SMTP,
    "asana": _ASANA,
    "bland": _BLAND,
    "googleapiclient": _SHEETS,
    "gspread": _SHEETS,
    "hubspot": _HUBSPOT,
    "mailgun": _MAILGUN,
    "notion_client": _NOTION,
    "postmarker": _POSTMARK,
    "postmark": _POSTMARK,
    "quickbooks": Vendor("QuickBooks", "accounting"),
    "resend": _RESEND,
    "retell": _RETELL,
    "sendgrid": _SENDGRID,
    "simple_salesforce": _SALESFORCE,
    "slack": _SLACK,
    "slack_bolt": _SLACK,
    "slack_sdk": _SLACK,
    "smtplib": _SMTP,
    "stripe": Vendor("Stripe", "billing"),
    "twilio": _TWILIO,
    "vapi": _VAPI,
    "xero_python": Vendor("Xero", "accounting"),
}
HOSTS = {
    "api.bland.ai": _BLAND,
    "api.hubapi.com": _HUBSPOT,
    "api.hubspot.com": _HUBSPOT,
    "api.linear.app": _LINEAR,
    "api.mailgun.net": _MAILGUN,
    "api.notion.com": _NOTION,
    "api.postmarkapp.com": _POSTMARK,
    "api.resend.com": _RESEND,
    "api.retellai.com": _RETELL,
    "api.sendgrid.com": _SENDGRID,
    "api.stripe.com": Vendor("Stripe", "billing"),
    "api.twilio.com": _TWILIO,
    "api.vapi.ai": _VAPI,
    "api.xero.com": Vendor("Xero", "accounting"),
    "quickbooks.api.intuit.com": Vendor("QuickBooks", "accounting"),
    ".make.com": _MAKE,
    "app.asana.com/api": _ASANA,
    "hooks.slack.com": _SLACK,
    "login.salesforce.com": _SALESFORCE,
    "my.salesforce.com": _SALESFORCE,
    "hooks.zapier.com": _ZAPIER,
    "rest.gohighlevel.com": _GHL,
    "services.leadconnectorhq.com": _GHL,
    "sheets.googleapis.com": _SHEETS,
    "slack.com/api": _SLACK,
}
CONNECTORS = "mainstay.connectors"

_IN_A_STEP = 'do it once, and keep the result: await ctx.step("name", function)'
_TIME = "takes the time from the clock", _IN_A_STEP
_CHANCE = "draws by chance", _IN_A_STEP
_NETWORK = "reaches the network", _IN_A_STEP
_FILE = "reads or writes a file", _IN_A_STEP
_PROCESS = "runs another program", _IN_A_STEP
_SLEEP = "holds a worker, and is lost at a restart", 'wait durably: await ctx.sleep("10m")'


def _named(says: tuple[str, str], *names: str) -> dict[str, tuple[str, str]]:
    return dict.fromkeys(names, says)


_CALLS = {
    **_named(_TIME, "time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter"),
    **_named(_TIME, "time.perf_counter_ns", "time.localtime", "time.gmtime", "time.ctime", "time.strftime"),
    **_named(_TIME, "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today"),
    **_named(_TIME, "datetime.date.today"),
    **_named(_SLEEP, "time.sleep", "asyncio.sleep"),
    **_named(_CHANCE, "uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7", "os.urandom", "os.getrandom"),
    **_named(_NETWORK, "asyncio.open_connection"),
    **_named(_FILE, "builtins.open", "io.open", "sqlite3.connect", "os.open", "os.listdir", "os.scandir", "os.walk"),
    **_named(_FILE, "os.remove"),
    **_named(_FILE, "os.unlink", "os.rename", "os.replace", "os.mkdir", "os.makedirs", "os.stat", "builtins.input"),
    **_named(_FILE, "os.path.exists", "os.path.isfile", "os.path.isdir", "os.path.getsize", "os.path.getmtime"),
    **_named(_PROCESS, "os.system", "os.popen", "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell"),
}
_PACKAGES = {
    **_named(_CHANCE, "random", "secrets", "numpy.random"),
    **_named(_NETWORK, "aiohttp", "aiosmtplib", "asyncpg", "boto3", "ftplib", "http.client", "httpx", "imaplib"),
    **_named(_NETWORK, "openai", "paramiko", "psycopg", "psycopg2", "requests", "smtplib", "socket"),
    **_named(_NETWORK, "urllib.request", "urllib3", "websockets", "xmlrpc.client", *PACKAGES),
    **_named(_FILE, "aiofiles", "glob", "shutil", "tempfile"),
    **_named(_PROCESS, "subprocess"),
}
_FILE_METHODS = {"read_text", "write_text", "read_bytes", "write_bytes", "iterdir", "unlink"}


@dataclass(frozen=True, slots=True)
class Impurity:
    """A call whose outcome may be another next time: ``says`` in words, and the mend."""

    name: str
    says: str
    mend: str

    @property
    def is_network(self) -> bool:
        """Tell whether it reaches another system."""
        return self.says == _NETWORK[0]


def impurity_of(dotted: str, *, has_arguments: bool) -> Impurity | None:
    """Return what is impure about calling a name, as its import gives it; None where nothing is."""
    if has_arguments and dotted in {"random.Random", "time.gmtime", "time.localtime", "time.ctime"}:
        return None
    found = _CALLS.get(dotted)
    package = dotted
    while found is None and "." in package:
        package = package.rpartition(".")[0]
        found = _PACKAGES.get(package)
    return Impurity(dotted.removeprefix("builtins."), *found) if found else None


def impurity_of_method(name: str) -> Impurity | None:
    """Return what is impure about a method that only files have; None where nothing is."""
    return Impurity(name, *_FILE) if name in _FILE_METHODS else None


def vendor_of_package(dotted: str) -> Vendor | None:
    """Return whose SDK a package is."""
    return PACKAGES.get(dotted.partition(".")[0])


def vendor_in(text: str) -> tuple[str, Vendor] | None:
    """Return the vendor whose API an address leads to, with the host."""
    return next(((host, vendor) for host, vendor in HOSTS.items() if host in text), None)
