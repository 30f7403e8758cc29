"""The administration (PRODUCT §6). Where its rules stand:

================  ==============================================================================================
who comes in      ``guard`` (host, origin), ``door`` (key or session, CSRF), ``session``, ``throttle``, ``audit``
``/api/admin``    ``api`` (from the path to the JSON), ``*_routes`` (the endpoints), ``bodies``, ``refusals``
what is done      ``accounts``, ``enrolling`` (new ones), ``imports``, ``logins``, ``balances``, ``trials``
what is seen      ``overview``, ``activity`` (requests), ``history`` and ``views`` (accounts), ``events`` (live)
``/admin``        ``static_files``, and the page itself in ``static``
``/v0/oauth``     ``oauth_pages``, and their HTML in ``pages``
================  ==============================================================================================

``wiring`` puts all of it together; ``house`` is what all of it works on.
"""
