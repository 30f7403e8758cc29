"""``/v0/oauth/kiro*``: kiro-rs's sign-in pages and their JSON, behind a session or the key (PRODUCT §6, operations §7).

With an admin key they are the administrator's. Without one they are for people and programs on this machine who know
the API key. Browsers sign in with a form; programs send the key in a header and get kiro-rs's JSON.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, cast, get_args
from urllib.parse import parse_qsl

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.errors import KiroError, MethodNotAllowed, NotFound
from kiro_rs_py.serve.admin import pages
from kiro_rs_py.serve.admin.accounts import Accounts
from kiro_rs_py.serve.admin.api import API_HEADERS, refusal_for, send_refusal
from kiro_rs_py.serve.admin.audit import Audit
from kiro_rs_py.serve.admin.bodies import media_type, printable, read_members
from kiro_rs_py.serve.admin.door import Door, Visitor, came_by_https
from kiro_rs_py.serve.admin.enrolling import Enrolling
from kiro_rs_py.serve.admin.house import House
from kiro_rs_py.serve.admin.logins import Login, Logins, Method, qr_code
from kiro_rs_py.serve.admin.refusals import BUG, Refusal, invalid, refusal_of
from kiro_rs_py.serve.admin.session import expired_cookie_header
from kiro_rs_py.serve.app import Call, Route
from kiro_rs_py.serve.inbound import ClientLeft
from kiro_rs_py.serve.reply import Header
from kiro_rs_py.upstream.credential import format_time
from kiro_rs_py.upstream.login import clean_start_url

logger = logging.getLogger(__name__)

BASE = pages.BASE
MAX_FORM_BYTES = 64 * 1024
TOKEN_PREFIX = "aorAAAAAG"  # noqa: S105 (how Kiro's refresh tokens begin)
FILE_NAME = "credentials.json"
"""What kiro-rs answers, wherever the file really is (operations §7.5)."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request that was let in. ``form`` is what a page of ours sent, None for a program's request."""

    call: Call
    visitor: Visitor
    form: Mapping[str, str] | None = field(default=None, repr=False)

    @property
    def csrf_token(self) -> str:
        """For the forms of the next page; programs need none."""
        return self.visitor.session.csrf_token if self.visitor.session else ""

    @property
    def owner(self) -> str:
        session = self.visitor.session
        return "key" if session is None else session.digest.hex()


Handler: TypeAlias = Callable[[Visit], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class OAuthPages:
    """``administrator``: the door opens with the admin key, else with the API key."""

    house: House
    door: Door
    audit: Audit
    logins: Logins
    enrolling: Enrolling
    accounts: Accounts
    administrator: bool

    def _handlers(self) -> Mapping[str, Mapping[str, Handler]]:
        return {
            "": {"GET": self._select},
            "start": {"GET": self._show_start, "POST": self._post_start},
            "status": {"GET": self._status},
            "import": {"POST": self._import},
            "refresh": {"POST": self._refresh},
            "logout": {"POST": self._sign_out},
        }

    def routes(self) -> list[Route]:
        handlers = dict.fromkeys(("GET", "POST", "OPTIONS"), self.answer)
        return [Route(BASE, handlers, keyed=False, prefix=True)]

    # --- coming in --------------------------------------------------------------------------------------------------

    async def answer(self, call: Call) -> None:
        """One request; whatever goes wrong is told as a page or as JSON, as the request would have been answered."""
        is_form = call.method == "POST" and media_type(call) == "application/x-www-form-urlencoded"
        wants_page = is_form or call.rest in ("", "start")
        try:
            await self._dispatch(call, is_form)
        except ClientLeft:
            raise
        except Exception as exc:
            refusal = refusal_for(call, exc, logger)
            if wants_page:
                await self._refuse_with_page(call, refusal)
            else:
                await send_refusal(call, refusal)

    async def _dispatch(self, call: Call, is_form: bool) -> None:
        """Let the visitor in and answer; writes and wrong keys are in the audit."""
        known = call.rest == "login" or call.rest in self._handlers()
        action = f"oauth.{(call.rest or 'look') if known else 'unknown'}"
        with self.audit.watch(call, action, is_write=call.method == "POST") as deed:
            if (call.method, call.rest) == ("POST", "login"):
                await self._sign_in(call)
                return
            handler = self._find(call)
            visitor = self.door.admit(call)
            deed.who = visitor.who
            form = await _read_form(call) if is_form else None
            if call.method == "POST":
                self.door.check_csrf(call, visitor, None if form is None else form.get("csrf", ""))
            await handler(Visit(call, visitor, form))

    def _find(self, call: Call) -> Handler:
        handlers = self._handlers().get(call.rest)
        if handlers is None:
            raise NotFound("Unknown route.")
        call.record.route = f"{BASE}/{call.rest}".rstrip("/")
        handler = handlers.get("GET" if call.method == "HEAD" else call.method)
        if handler is None:
            raise MethodNotAllowed(call.method, sorted(handlers))
        return handler

    async def _refuse_with_page(self, call: Call, refusal: Refusal) -> None:
        if refusal.status == 401 or (refusal.status == 429 and call.rest == "login"):
            told = None if refusal.code == "missing_key" else refusal.message
            page = pages.sign_in_page(administrator=self.administrator, problem=told)
        else:
            page = pages.outcome_page("Authentication Failed", refusal.message, good=False)
        await _send_page(call, page, refusal.status, refusal.headers)

    async def _sign_in(self, call: Call) -> None:
        """The form's key for a cookie."""
        call.record.route = f"{BASE}/login"
        self.door.check_place(call)
        form = await _read_form(call)
        _, cookie = self.door.open_session(call, form.get("key", ""))
        await _redirect(call, BASE, cookie)

    async def _sign_out(self, visit: Visit) -> None:
        if visit.visitor.session is not None:
            self.door.sessions.close(visit.visitor.session)
        await _redirect(visit.call, BASE, expired_cookie_header(secure=came_by_https(visit.call)))

    # --- signing an account in --------------------------------------------------------------------------------------

    async def _select(self, visit: Visit) -> None:
        await _send_page(visit.call, pages.selection_page(visit.csrf_token))

    async def _show_start(self, visit: Visit) -> None:
        """With ``state`` the login of that name; with ``method`` one is begun, as kiro-rs does (operations §7.1)."""
        query = visit.call.query
        if "state" in query:
            await self._show_login(visit, self.logins.get(query["state"]))
        elif visit.visitor.session is None or _is_own_wish(visit.call):
            await self._show_login(visit, await self._begin(visit, query))
        else:
            fields = [(name, query[name]) for name in ("method", "startUrl", "region") if name in query]
            await _send_page(visit.call, pages.confirmation_page(visit.csrf_token, fields))

    async def _post_start(self, visit: Visit) -> None:
        login = await self._begin(visit, visit.form or visit.call.query)
        await _redirect(visit.call, f"{BASE}/start?state={login.id}")

    async def _begin(self, visit: Visit, values: Mapping[str, str]) -> Login:
        method, start_url = values.get("method", ""), values.get("startUrl", "").strip() or None
        region = values.get("region", "").strip() or None
        if method not in get_args(Method):
            raise invalid("invalid_field", f"Unknown authentication method: {printable(method)}", field="method")
        if method == "idc":
            if start_url is None:
                text = "Missing startUrl parameter for IDC authentication"
                raise invalid("invalid_field", text, field="startUrl")
            start_url = clean_start_url(start_url)
        kind = cast("Method", method)
        pending = self.logins.pending_of(visit.owner, kind, start_url, region)
        if pending is not None:
            return pending
        return await self.logins.start(kind, start_url=start_url, region=region, label=None, owner=visit.owner)

    async def _show_login(self, visit: Visit, login: Login) -> None:
        device = login.device
        if login.status == "completed":
            text = f"Account #{login.credential_id} is signed in. You can close this page."
            page = pages.outcome_page("Signed in", " ".join((text, *login.warnings)), good=True)
        elif device is None:
            page = pages.outcome_page("Authentication Failed", login.message or "The login has ended.", good=False)
        else:
            until, qr = f"{login.expires_at:%H:%M} UTC", qr_code(device.verification_uri_complete)
            page = pages.device_page(login.id, device, until, qr)
        await _send_page(visit.call, page)

    async def _status(self, visit: Visit) -> None:
        """kiro-rs's JSON in snake_case (operations §7.4)."""
        try:
            login = self.logins.get(visit.call.query.get("state", ""))
        except Refusal:
            await visit.call.reply.json(404, {"error": "Session not found"}, API_HEADERS)
            return
        await visit.call.reply.json(200, self._status_of(login), API_HEADERS)

    def _status_of(self, login: Login) -> JsonObject:
        if login.completed_at is None:
            remaining = (login.expires_at - self.house.now()).total_seconds()
            return {"status": "pending", "remaining_seconds": max(0, int(remaining))}
        completed_at = format_time(login.completed_at)
        if login.status != "completed":
            return {"status": "failed", "completed_at": completed_at, "error": login.message}
        return {"status": "success", "completed_at": completed_at, "expires_at": login.token_expires_at}

    # --- tokens -----------------------------------------------------------------------------------------------------

    async def _import(self, visit: Visit) -> None:
        """kiro-rs answers 200 whatever comes of it (operations §7.5)."""
        if visit.form is None:
            token = (await read_members(visit.call)).text("refreshToken") or ""
        else:
            token = visit.form.get("refreshToken", "").strip()
        body: JsonObject = {"success": False}
        if not token:
            body["error"] = "Refresh token is required"
        elif not token.startswith(TOKEN_PREFIX):
            body["error"] = f"Invalid token format. Token should start with {TOKEN_PREFIX}..."
        else:
            try:
                await self.enrolling.add({"refreshToken": token, "authMethod": "social"})
            except (KiroError, Refusal) as error:
                body["error"] = f"Failed to import token: {(refusal_of(error) or BUG).message}"
            else:
                body = {"success": True, "message": "Token imported successfully", "fileName": FILE_NAME}
        await _tell(visit, body)

    async def _refresh(self, visit: Visit) -> None:
        """Every account; it fails only if all do (operations §7.6)."""
        if visit.form is None:
            await visit.call.inbound.read(MAX_FORM_BYTES)
        asked, problems = await self.accounts.refresh_all()
        failures = [f"#{number}: {refusal.message}" for number, refusal in problems.items()]
        count = asked - len(failures)
        if failures and not count:
            message = f"Refresh failed: All refresh attempts failed: {'; '.join(failures)}"
            await _tell(visit, {"success": False, "message": message, "refreshedCount": 0})
            return
        body: JsonObject = {"success": True, "message": f"Refreshed {count} token(s)", "refreshedCount": count}
        if failures:
            body["warnings"] = list(failures)
        await _tell(visit, body)


def _is_own_wish(call: Call) -> bool:
    """Whether the person at the browser wants this page, and no image or frame of another one does.

    Browsers say so (Fetch Metadata); those that do not still keep the cookie back from other sites' requests.
    """
    site, place = call.header(b"sec-fetch-site"), call.header(b"sec-fetch-dest")
    return site in (None, "none", "same-origin") and place in (None, "document")


async def _read_form(call: Call) -> dict[str, str]:
    """The fields of a form, the last of each name. Raises Refusal (400), RequestTooLarge."""
    body = await call.inbound.read(MAX_FORM_BYTES)
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20))
    except ValueError:
        raise invalid("invalid_form", "This is no form of ours.") from None


async def _tell(visit: Visit, body: JsonObject) -> None:
    """kiro-rs's JSON to a program, its sentence to a person."""
    if visit.form is None:
        await visit.call.reply.json(200, body, API_HEADERS)
        return
    good = body["success"] is True
    sentences = [str(body.get("message") or body.get("error") or "")]
    warnings = body.get("warnings")
    sentences += [str(warning) for warning in warnings] if isinstance(warnings, list) else []
    await _send_page(visit.call, pages.outcome_page("Done" if good else "Failed", " ".join(sentences), good=good))


async def _send_page(call: Call, page: bytes, status: int = 200, headers: tuple[Header, ...] = ()) -> None:
    await call.reply.whole(status, page, pages.HTML, (*headers, *pages.PAGE_HEADERS))


async def _redirect(call: Call, target: str, *headers: Header) -> None:
    """303: whatever was posted, the next page is fetched."""
    await call.reply.whole(303, b"", pages.HTML, ((b"location", target.encode()), *headers, *pages.PAGE_HEADERS))
