"""``__main__.py`` of the zipapp: find or make the unpacked copy, then start the program from it.

It takes the place of shiv's own start, which it calls only to unpack at the first run (lock, temporary folder, rename).
The differences: a start from an unpacked copy imports nothing of shiv's (30 ms less), all packages are one member of
the archive (``finish.py`` says why), and a home folder that is missing or read-only is no error. ``finish.py`` fills in
the build id.

The copy lies in the first usable one of: $SHIV_ROOT, the user's cache folder, a private folder of the temporary
directory; if there is none, in a fresh temporary folder that goes away with the process. Whoever makes one removes
those of older builds, but for the newest three.

Written for any Python 3.6, so that an old one gets a sentence and not a SyntaxError.
"""

import os
import sys

BUILD_ID = "@BUILD_ID@"
NAME = "kiro-rs-py"
COPY = f"{NAME}_{BUILD_ID}"
OTHERS_KEPT = 3


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036
        old = "{}.{}".format(*sys.version_info)
        sys.exit(f"error: {NAME} needs Python 3.11 or newer, this is {old}. Try: python3.11 {sys.argv[0]}")
    use(os.path.join(unpacked_copy() or unpack(sys.path[0]), "site-packages"))
    from kiro_rs_py.cli import main as program

    program()


def roots() -> "list[str]":
    """Folders that may hold unpacked copies, best first."""
    if os.environ.get("SHIV_ROOT"):
        return [os.path.expanduser(os.environ["SHIV_ROOT"])]
    cache = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    temporary = os.environ.get("TMPDIR") or os.environ.get("TEMP") or "/tmp"  # see is_safe
    user = str(os.getuid()) if hasattr(os, "getuid") else "cache"
    found = [os.path.join(cache, NAME), os.path.join(temporary, f"{NAME}-{user}")]
    return [root for root in found if os.path.isabs(root)]


def is_safe(root: str) -> bool:
    """Whether nobody else can put code there: everybody can create a folder of a guessable name in /tmp.

    SHIV_ROOT is taken as it is, a container image may have filled it for every user.
    """
    if not hasattr(os, "getuid") or os.environ.get("SHIV_ROOT"):
        return True
    try:
        status = os.lstat(root)
    except OSError:
        return False
    # The file type's bits, a folder, others' write permissions; the module that names them is not worth its import.
    return status.st_mode & 0o170022 == 0o040000 and status.st_uid == os.getuid()


def unpacked_copy() -> str:
    """The copy that an earlier start made, or an empty string."""
    for root in roots():
        copy = os.path.join(root, COPY)
        if os.path.isdir(os.path.join(copy, "site-packages")) and is_safe(root):
            return copy
    return ""


def unpack(archive: str) -> str:
    """Make a copy in the first folder that takes it, and return it."""
    for root in roots():
        try:
            os.makedirs(root, mode=0o700, exist_ok=True)
            if is_safe(root):
                copy = extract(archive, root)
                tidy(root)
                return copy
        except OSError:
            continue
    import atexit
    import shutil
    import tempfile

    fresh = tempfile.mkdtemp(prefix=f"{NAME}-")
    atexit.register(shutil.rmtree, fresh, ignore_errors=True)
    return extract(archive, fresh)


def extract(archive: str, root: str) -> str:
    import zipfile
    from pathlib import Path

    from _bootstrap import extract_site_packages  # shiv's

    with zipfile.ZipFile(archive) as opened, zipfile.ZipFile(opened.open("site-packages.zip")) as packages:
        extract_site_packages(packages, Path(root, COPY))
    return os.path.join(root, COPY)


def tidy(root: str) -> None:
    """Remove the copies of other builds, but for the newest few: a server may still run, and import, from one."""
    import shutil

    try:
        others = [os.path.join(root, name) for name in os.listdir(root) if name.startswith(f"{NAME}_") and name != COPY]
        for old in sorted(others, key=os.path.getmtime)[:-OTHERS_KEPT]:
            # Renamed first: half a copy must never be taken for a whole one.
            gone = old if old.endswith(".gone") else f"{old}.gone"
            os.rename(old, gone)
            shutil.rmtree(gone, ignore_errors=True)
    except OSError:
        pass  # another first start is tidying, or the folder is not ours


def use(site_packages: str) -> None:
    """Put our packages behind the standard library and before everything that is installed on the machine."""
    del sys.path[0]  # the archive: nothing more comes from it
    places = [i for i, path in enumerate(sys.path) if os.path.basename(path) in ("site-packages", "dist-packages")]
    sys.path.insert(places[0] if places else len(sys.path), site_packages)
    # PYTHONDONTWRITEBYTECODE keeps people's folders clean. This one is a cache, and every start would compile anew.
    sys.dont_write_bytecode = False


main()
