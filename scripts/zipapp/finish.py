"""Last step of the zipapp: our launcher as ``__main__.py`` in place of shiv's, and all packages as one member.

    finish.py ARCHIVE LAUNCHER

Python reads the whole directory of an archive at each start, which takes a quarter of the time it takes to start
itself when a thousand files stand in it. So the packages are an archive of their own, which is looked into once.
The order and dates of all members stay as shiv wrote them, so the result is as reproducible.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

PACKAGES = "site-packages/"


def finish(archive: Path, launcher: Path) -> None:
    """Rewrite ``archive`` with ``launcher``, its build id filled in, as the program that Python starts."""
    shebang = archive.read_bytes().partition(b"\n")[0] + b"\n"
    unfinished = archive.with_name(archive.name + ".tmp")
    with zipfile.ZipFile(archive) as source, unfinished.open("wb") as target:
        build_id = json.loads(source.read("environment.json"))["build_id"]
        program = launcher.read_bytes().replace(b"@BUILD_ID@", build_id.encode())
        members = source.infolist()
        target.write(shebang)
        with zipfile.ZipFile(target, "w") as result:
            copy((member for member in members if not member.filename.startswith(PACKAGES)), source, result, program)
            with io.BytesIO() as packed:
                with zipfile.ZipFile(packed, "w") as packages:
                    copy((member for member in members if member.filename.startswith(PACKAGES)), source, packages)
                # Not compressed again, so that the launcher can read it where it is.
                name = zipfile.ZipInfo(f"{PACKAGES.rstrip('/')}.zip", members[0].date_time)
                result.writestr(name, packed.getvalue(), compress_type=zipfile.ZIP_STORED)
    unfinished.chmod(0o755)
    unfinished.replace(archive)


def copy(
    members: Iterable[zipfile.ZipInfo], source: zipfile.ZipFile, target: zipfile.ZipFile, program: bytes = b""
) -> None:
    """The members' content into ``target``, but ``program`` as its ``__main__.py``."""
    for member in members:
        content = program if member.filename == "__main__.py" else source.read(member)
        target.writestr(member, content, compress_type=zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    finish(Path(sys.argv[1]), Path(sys.argv[2]))
