"""Administration: the API under ``/api/admin``, the pages at ``/admin`` and ``/v0/oauth/kiro`` (PRODUCT §6)."""
