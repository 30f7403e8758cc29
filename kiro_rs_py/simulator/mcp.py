"""The MCP endpoint and its one tool, web search (upstream-protocol §7)."""

from __future__ import annotations

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator import refusal
from kiro_rs_py.simulator.asgi import compact

INVALID_PARAMS = -32602
METHOD_NOT_FOUND = -32601
NO_RESULTS = "Tool returned no results"
# 2026-01-15T00:00:00Z in milliseconds, the unit of publishedDate.
PUBLISHED = 1_768_435_200_000

_TOOL: JsonObject = {
    "name": "web_search",
    "description": "Searches the simulated web",
    "inputSchema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
}


def answer_rpc(body: Json, results: list[JsonObject] | None) -> JsonObject:
    """The JSON-RPC answer; ``results`` replaces the built-in search results (an empty list: nothing found).

    Raises the service's refusal when the body is no JSON-RPC call at all.
    """
    if not isinstance(body, dict) or body.get("jsonrpc") != "2.0" or not isinstance(body.get("method"), str):
        raise refusal.improperly_formed()
    call_id = body.get("id")
    match body["method"]:
        case "initialize":
            return _result(call_id, {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}})
        case "notifications/initialized":
            return _result(call_id, {})
        case "tools/list":
            return _result(call_id, {"tools": [_TOOL]})
        case "tools/call":
            return _call(call_id, body.get("params"), results)
        case method:
            return _error(call_id, METHOD_NOT_FOUND, f"Method not found: {method}")


def query_of(body: Json) -> str:
    """What is searched for; empty when the call is something else."""
    params = body.get("params") if isinstance(body, dict) else None
    arguments = params.get("arguments") if isinstance(params, dict) else None
    query = arguments.get("query") if isinstance(arguments, dict) else None
    return query if isinstance(query, str) else ""


def _call(call_id: Json, params: Json, results: list[JsonObject] | None) -> JsonObject:
    if not isinstance(params, dict) or params.get("name") != "web_search":
        return _error(call_id, INVALID_PARAMS, "Unknown tool")
    query = query_of({"params": params})
    if not query:
        return _error(call_id, INVALID_PARAMS, "query is required")
    found = search_results(query) if results is None else results
    if not found or "no results" in query.lower():
        return _error(call_id, INVALID_PARAMS, NO_RESULTS)
    text: JsonObject = {"results": list[Json](found), "totalResults": len(found), "query": query, "error": None}
    return _result(call_id, {"content": [{"type": "text", "text": compact(text)}], "isError": False})


def search_results(query: str) -> list[JsonObject]:
    """Three results that repeat the query; the last one has neither snippet nor date."""
    first: list[JsonObject] = [
        {
            "title": f"Result {number} for {query}",
            "url": f"https://example.com/{number}",
            "snippet": f"Page {number} of the simulated web says something about {query}.",
            "publishedDate": PUBLISHED,
            "id": f"result-{number}",
            "domain": "example.com",
            "maxVerbatimWordLimit": 30,
            "publicDomain": False,
        }
        for number in (1, 2)
    ]
    return [*first, {"title": f"Result 3 for {query}", "url": "https://example.org/3", "publishedDate": None}]


def _result(call_id: Json, result: JsonObject) -> JsonObject:
    return {"id": call_id, "jsonrpc": "2.0", "result": result, "error": None}


def _error(call_id: Json, code: int, message: str) -> JsonObject:
    return {"id": call_id, "jsonrpc": "2.0", "result": None, "error": {"code": code, "message": message}}
