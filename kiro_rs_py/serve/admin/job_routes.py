"""The endpoints about things that take a while: logins and imports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, get_args

from kiro_rs_py.serve.admin.api import Answer, Asked, Endpoint
from kiro_rs_py.serve.admin.bodies import read_members
from kiro_rs_py.serve.admin.credential_routes import LONGEST_LABEL
from kiro_rs_py.serve.admin.imports import MOST_BYTES, Imports
from kiro_rs_py.serve.admin.logins import Logins, Method
from kiro_rs_py.serve.admin.refusals import invalid_field

# JSON may write each character of a text as six.
_IMPORT_BODY_BYTES = 2 * MOST_BYTES


@dataclass(frozen=True, slots=True)
class JobRoutes:
    logins: Logins
    imports: Imports

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("POST", "logins", self.start_login, "login.start"),
            Endpoint("GET", "logins/{name}", self.show_login),
            Endpoint("DELETE", "logins/{name}", self.cancel_login, "login.cancel"),
            Endpoint("POST", "imports", self.start_import, "import.start"),
            Endpoint("GET", "imports/{name}", self.show_import),
            Endpoint("DELETE", "imports/{name}", self.cancel_import, "import.cancel"),
        ]

    async def start_login(self, asked: Asked) -> Answer:
        members = await read_members(asked.call, "method", "startUrl", "region", "label")
        method = members.text("method")
        if method not in get_args(Method):
            raise invalid_field("method", f"must be one of {', '.join(get_args(Method))}.")
        start_url, region = members.text("startUrl"), members.text("region")
        if method == "idc" and start_url is None:
            raise invalid_field("startUrl", "is missing: an idc login needs the address of its access portal.")
        login = await self.logins.start(
            cast("Method", method),
            start_url=start_url,
            region=region,
            label=members.text("label", longest=LONGEST_LABEL),
            owner="api",
        )
        return Answer(201, login.invitation())

    async def show_login(self, asked: Asked) -> Answer:
        return Answer(200, self.logins.get(asked.name).to_json())

    async def cancel_login(self, asked: Asked) -> Answer:
        self.logins.cancel(asked.name)
        return Answer(204)

    async def start_import(self, asked: Asked) -> Answer:
        members = await read_members(asked.call, "text", "verify", limit=_IMPORT_BODY_BYTES)
        text = members.long_text("text")
        if len(text) > MOST_BYTES:
            raise invalid_field("text", f"is longer than {MOST_BYTES >> 20} MiB.")
        job = await self.imports.start(text, verify=members.boolean("verify", default=True))
        return Answer(202, {"id": job.id})

    async def show_import(self, asked: Asked) -> Answer:
        return Answer(200, self.imports.get(asked.name).to_json())

    async def cancel_import(self, asked: Asked) -> Answer:
        self.imports.cancel(asked.name)
        return Answer(204)
