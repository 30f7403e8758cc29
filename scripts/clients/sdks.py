"""Libraries: each is driven by a small program of its own (see ``programs/``)."""

from __future__ import annotations

from clients.bench import Target, npm_install, npm_program, pip_environment, pip_program, run_program


def check_python_sdk(version: str, target: Target) -> str:
    python = pip_environment(target.cache, f"anthropic-sdk-py-{version}", f"anthropic=={version}")
    return run_program(pip_program(python, "python_sdk.py"), target)


def check_typescript_sdk(version: str, target: Target) -> str:
    modules = npm_install(target.cache, f"anthropic-sdk-ts-{version}", f"@anthropic-ai/sdk@{version}")
    return run_program(npm_program(modules, "typescript_sdk.mjs"), target)


def check_agent_sdk(version: str, target: Target) -> str:
    modules = npm_install(target.cache, f"agent-sdk-{version}", f"@anthropic-ai/claude-agent-sdk@{version}", "zod")
    quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "IS_SANDBOX": "1", "ENABLE_TOOL_SEARCH": "0"}
    return run_program(npm_program(modules, "agent_sdk.mjs"), target, **quiet)


def check_ai_sdk(version: str, adapter: str, target: Target) -> str:
    packages = (f"ai@{version}", f"@ai-sdk/anthropic@{adapter}", "zod")
    modules = npm_install(target.cache, f"ai-sdk-{version}", *packages)
    return run_program(npm_program(modules, "ai_sdk.mjs"), target)


def check_langchain(version: str, target: Target) -> str:
    python = pip_environment(target.cache, f"langchain-anthropic-{version}", f"langchain-anthropic=={version}")
    return run_program(pip_program(python, "with_langchain.py"), target)


def check_pydantic_ai(version: str, target: Target) -> str:
    package = f"pydantic-ai-slim[anthropic]=={version}"
    python = pip_environment(target.cache, f"pydantic-ai-slim-{version}", package)
    return run_program(pip_program(python, "with_pydantic_ai.py"), target)


def check_litellm(version: str, target: Target) -> str:
    # It imports mcp as soon as there are tools.
    python = pip_environment(target.cache, f"litellm-{version}", f"litellm=={version}", "mcp")
    return run_program(pip_program(python, "with_litellm.py"), target, LITELLM_LOCAL_MODEL_COST_MAP="True")
