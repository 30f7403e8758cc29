"""The simulated service as one ASGI app: routes, state, and what tests may look at or order.

All hosts of the real service are one here, their paths unchanged (config ``upstreamUrl``).
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import uuid4

import trio
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.accounts import Account, Clock, demo_accounts
from kiro_rs_py.simulator.asgi import Answer, Request, answer_with, json_answer, read_request, send_answer
from kiro_rs_py.simulator.browser import Browser
from kiro_rs_py.simulator.chat import Chat, Stream
from kiro_rs_py.simulator.connection import current_connection
from kiro_rs_py.simulator.grants import Grants
from kiro_rs_py.simulator.management import Management
from kiro_rs_py.simulator.models import DEFAULT_MODELS, Catalogue, SimulatedModel
from kiro_rs_py.simulator.oidc import Oidc
from kiro_rs_py.simulator.refusal import OAuthRefusal, Refusal, required_text, unknown_operation
from kiro_rs_py.simulator.scenario import Scenario

CHAT = "/generateAssistantResponse"
MCP = "/mcp"
USAGE = "/getUsageLimits"
MODELS = "/ListAvailableModels"
PROFILES = "/ListAvailableProfiles"
REFRESH = "/refreshToken"

Handler = Callable[[Request], "Answer | Stream"]


class Failure(NamedTuple):
    """One ordered answer, None for none at all; see :meth:`~kiro_rs_py.simulator.app.Simulator.fail_next`."""

    answer: Answer | None
    delay: float


class Hold:
    """A request that waits: ``arrived`` is set when it came, the test sets ``release``."""

    def __init__(self) -> None:
        self.arrived = trio.Event()
        self.release = trio.Event()


class Simulator:
    """A small Kiro.

    What tests look at: ``requests`` (the latest ``keep_requests`` of them, oldest first), ``counts`` by operation,
    ``active``, ``aborted``, ``reuses``, ``grants.refreshes``, ``accounts``.
    What they order: ``scenario``, :meth:`fail_next`, :meth:`hold_next`, an account's fields, ``clock.advance``,
    ``oidc.approve`` and ``oidc.deny``, ``management.search_results``.
    """

    def __init__(
        self,
        scenario: Scenario | None = None,
        accounts: Iterable[Account] | None = None,
        *,
        models: Iterable[SimulatedModel] = DEFAULT_MODELS,
        keep_requests: int = 1000,
    ) -> None:
        listed = demo_accounts() if accounts is None else accounts
        self.accounts = {account.name: account for account in listed}
        self.clock = Clock()
        self.grants = Grants(self.clock, self.accounts)
        self.browser = Browser(self.grants)
        self.oidc = Oidc(self.grants)
        self.catalogue = Catalogue(models)
        self.chat = Chat(self.grants, self.catalogue, scenario)
        self.management = Management(self.grants, self.catalogue)
        self.requests: deque[Request] = deque(maxlen=keep_requests)
        self.counts: Counter[str] = Counter()
        self.crashes: list[Exception] = []
        self._failures: defaultdict[str, deque[Failure]] = defaultdict(deque)
        self._holds: defaultdict[str, deque[Hold]] = defaultdict(deque)
        self._routes = self._make_routes()

    # --- what tests order ---------------------------------------------------------------------------------------

    @property
    def scenario(self) -> Scenario | None:
        return self.chat.scenario

    @scenario.setter
    def scenario(self, scenario: Scenario | None) -> None:
        self.chat.follow(scenario)

    def fail_next(
        self,
        path: str,
        status: int = 500,
        body: Json | bytes = None,
        headers: Mapping[str, str] | None = None,
        *,
        times: int = 1,
        delay: float = 0.0,
        drop: bool = False,
    ) -> None:
        """The next ``times`` requests to ``path`` (a canonical one: ``/generateAssistantResponse``, ``/token``, …) get
        this answer after ``delay`` seconds, or none at all with ``drop``. Orders for one path are a queue."""
        answer = None if drop else answer_with(status, body, headers or {})
        self._failures[path].extend([Failure(answer, delay)] * times)

    def hold_next(self, path: str) -> Hold:
        """The next request to ``path`` waits until the hold's ``release`` is set; its ``arrived`` tells that it did."""
        hold = Hold()
        self._holds[path].append(hold)
        return hold

    def credential_json(self, account: str | None = None, *, expired: bool = False, **fields: Json) -> JsonObject:
        """Logs the account in (default: the first one) and gives an entry for ``credentials.json``.

        With ``expired`` the access token in it is over, so that the first use has to refresh. ``fields`` are added.
        """
        owner = next(iter(self.accounts.values())) if account is None else self.accounts[account]
        if owner.method == "api_key":
            return {"kiroApiKey": owner.api_key, "authMethod": "api_key", "email": owner.email, **fields}
        registration = self.oidc.new_registration() if owner.method == "idc" else None
        grant = self.grants.login(owner, client_id=registration.client_id if registration else None)
        if expired:
            self.grants.expire(owner)
        expires_at = self.clock.now() - 1 if expired else grant.expires_at
        entry: JsonObject = {
            "accessToken": grant.access_token,
            "refreshToken": grant.refresh_token,
            "expiresAt": datetime.fromtimestamp(expires_at, UTC).isoformat(timespec="seconds"),
            "authMethod": owner.method,
            "provider": owner.provider,
            "region": owner.region,
            "email": owner.email,
        }
        if owner.profile_arn is not None:
            entry["profileArn"] = owner.profile_arn
        if registration is not None:
            entry |= {
                "clientId": registration.client_id,
                "clientSecret": registration.client_secret,
                "startUrl": owner.start_url,
            }
        return entry | fields

    # --- what tests look at -------------------------------------------------------------------------------------

    @property
    def active(self) -> int:
        """Chat streams in flight."""
        return self.chat.active

    @property
    def aborted(self) -> int:
        """Chat streams whose client went away before the end."""
        return self.chat.aborted

    @property
    def reuses(self) -> int:
        """Spent refresh tokens that were presented again."""
        return self.grants.reuses

    def requests_to(self, operation: str) -> list[Request]:
        """The recorded requests of one operation, oldest first."""
        return [request for request in self.requests if request.operation == operation]

    # --- ASGI ---------------------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http":
            return
        request = await read_request(scope, receive)
        if request is None:
            return
        try:
            answer = await self._answer(request)
        except Exception as crash:
            self.crashes.append(crash)
            raise
        if isinstance(answer, Stream):
            await self.chat.play(answer, receive, send)
        elif answer is not None:
            await send_answer(answer, send)

    async def _answer(self, request: Request) -> Answer | Stream | None:
        """None: the connection is broken off without an answer."""
        request.operation = _operation(request)
        if request.operation == "/healthz":
            return json_answer({"status": "ok"})
        self.counts[request.operation] += 1
        self.requests.append(request)
        if holds := self._holds[request.operation]:
            hold = holds.popleft()
            hold.arrived.set()
            await hold.release.wait()
        if failures := self._failures[request.operation]:
            failure = failures.popleft()
            await trio.sleep(failure.delay)
            if failure.answer is None:
                current_connection().break_off()
            return failure.answer
        answer = self._decide(request)
        if isinstance(answer, Answer):
            return replace(answer, headers=(*answer.headers, ("x-amzn-requestid", str(uuid4()))))
        return answer

    def _decide(self, request: Request) -> Answer | Stream:
        methods = self._routes.get(request.operation)
        try:
            if methods is None:
                raise unknown_operation(400 if request.operation == "/" else 404)
            if request.method not in methods:
                raise unknown_operation(405)
            return methods[request.method](request)
        except Refusal as refusal:
            return refusal.answer(typed=request.path == "/")
        except OAuthRefusal as refusal:
            return refusal.answer()

    def _make_routes(self) -> Mapping[str, Mapping[str, Handler]]:
        return {
            CHAT: {"POST": self.chat.decide},
            MCP: {"POST": self.management.mcp},
            USAGE: {"GET": self.management.usage, "POST": self.management.usage},
            MODELS: {"GET": self.management.models, "POST": self.management.models},
            PROFILES: {"GET": self.management.profiles, "POST": self.management.profiles},
            REFRESH: {"POST": self._refresh},
            "/token": {"POST": self.oidc.token},
            "/client/register": {"POST": self.oidc.register},
            "/device_authorization": {"POST": self.oidc.start_device},
            "/device": {"GET": self.oidc.device_page, "POST": self.oidc.device_page},
            "/signin": {"GET": self.browser.signin},
            "/oauth/token": {"POST": self.browser.exchange},
        }

    # --- operations ---------------------------------------------------------------------------------------------

    def _refresh(self, request: Request) -> Answer:
        """The social token service (upstream-protocol §4.2)."""
        token = required_text(request.json_object, "refreshToken")
        return json_answer(self.grants.refresh(token).to_social_json())


def _operation(request: Request) -> str:
    """The canonical path; ``POST /`` with an unknown ``x-amz-target`` stays ``/`` (upstream-protocol §8.2)."""
    path = request.path.rstrip("/")
    if path:
        return path
    target = (request.header("x-amz-target") or "").rpartition(".")[2]
    return PROFILES if target == "ListAvailableProfiles" else "/"
