"""Last step of the zipapp: our launcher as ``__main__.py``, in place of shiv's.

    finish.py ARCHIVE LAUNCHER

Everything else, and the order and dates of all members, stay as shiv wrote them, so the result is as reproducible.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path


def finish(archive: Path, launcher: Path) -> None:
    """Rewrite ``archive`` with ``launcher``, its build id filled in, as the program that Python starts."""
    shebang = archive.read_bytes().partition(b"\n")[0] + b"\n"
    unfinished = archive.with_name(archive.name + ".tmp")
    with zipfile.ZipFile(archive) as source, unfinished.open("wb") as target:
        build_id = json.loads(source.read("environment.json"))["build_id"]
        target.write(shebang)
        with zipfile.ZipFile(target, "w") as result:
            for member in source.infolist():
                content = source.read(member)
                if member.filename == "__main__.py":
                    content = launcher.read_bytes().replace(b"@BUILD_ID@", build_id.encode())
                result.writestr(member, content, compress_type=zipfile.ZIP_DEFLATED)
    unfinished.chmod(0o755)
    unfinished.replace(archive)


if __name__ == "__main__":
    finish(Path(sys.argv[1]), Path(sys.argv[2]))
