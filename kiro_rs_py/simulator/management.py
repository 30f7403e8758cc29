"""The calls around the chat: usage, models, profiles, web search (upstream-protocol §6 to §8)."""

from __future__ import annotations

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.asgi import Answer, Request, json_answer
from kiro_rs_py.simulator.directives import fault_text
from kiro_rs_py.simulator.faults import EARLY, early_answer, parse_fault
from kiro_rs_py.simulator.grants import Grants
from kiro_rs_py.simulator.mcp import answer_rpc, query_of
from kiro_rs_py.simulator.models import Catalogue
from kiro_rs_py.simulator.refusal import Refusal, improperly_formed
from kiro_rs_py.simulator.rules import ORIGINS
from kiro_rs_py.simulator.usage import profiles, usage_limits


class Management:
    """``search_results`` replaces what web search finds (an empty list: nothing)."""

    def __init__(self, grants: Grants, catalogue: Catalogue) -> None:
        self.grants = grants
        self.catalogue = catalogue
        self.search_results: list[JsonObject] | None = None

    def usage(self, request: Request) -> Answer:
        account, values = self._caller(request)
        account.check_profile(_arn(request, values), request, rule=account.usage_arn)
        with_email = str(values.get("isEmailRequired", "")).lower() == "true"
        return json_answer(usage_limits(account, now=self.grants.clock.now(), with_email=with_email))

    def models(self, request: Request) -> Answer:
        account, values = self._caller(request)
        account.check_profile(_arn(request, values), request)
        limit, token = str(values.get("maxResults")), values.get("nextToken")
        page = self.catalogue.page(
            paid_plan=account.subscription.paid,
            limit=int(limit) if limit.isdigit() else None,
            token=token if isinstance(token, str) else None,
        )
        return json_answer(page)

    def profiles(self, request: Request) -> Answer:
        account, _ = self._caller(request)
        return json_answer(profiles(account))

    def mcp(self, request: Request) -> Answer:
        """A query may hold a ``<<FAULT …>>`` of the kind that answers before anything else."""
        account = self.grants.account_of(request)
        account.refuse_if_barred()
        account.check_profile(_arn(request, request.json_object), request)
        wanted = fault_text(query_of(request.json))
        if wanted is not None and wanted.split()[0] in EARLY:
            failure = early_answer(parse_fault(wanted), account)
            if isinstance(failure, Refusal):
                raise failure
            if failure is not None:
                return failure
        return json_answer(answer_rpc(request.json, self.search_results))

    def _caller(self, request: Request) -> tuple[Account, JsonObject]:
        """Who asks, and the call's parameters, which come in the query or in the body."""
        account = self.grants.account_of(request)
        values: JsonObject = {**request.query, **request.json_object}
        if values.get("origin", "AI_EDITOR") not in ORIGINS:
            raise improperly_formed()
        if account.suspended:
            account.refuse_if_barred()
        return account, values


def _arn(request: Request, values: JsonObject) -> Json:
    """In the body or query, else in the header that newer clients use."""
    arn = values.get("profileArn")
    return request.header("x-amzn-kiro-profile-arn") if arn is None else arn
