"""Node and its nodemailer, where they are to be had: fetched from npm once, into a folder of their own."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

__all__ = ["nodemailer_folder", "nodemailer_version"]


@functools.cache
def nodemailer_folder() -> Path | None:
    """A folder with nodemailer in it, kept between runs; None where Node or the package is not to be had."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        return None
    folder = Path(tempfile.gettempdir()) / "vetmail-bench-nodemailer"
    if not (folder / "node_modules" / "nodemailer").exists():
        folder.mkdir(exist_ok=True)
        done = subprocess.run(
            [npm, "install", "--silent", "nodemailer"], cwd=folder, check=False, timeout=300
        )
        if done.returncode:
            return None
    return folder


def nodemailer_version() -> str:
    """The version of nodemailer of Node, "7.0.0 on Node v22.0.0"; "" where they are not to be had."""
    folder = nodemailer_folder()
    if folder is None:
        return ""
    installed = json.loads((folder / "node_modules" / "nodemailer" / "package.json").read_text())
    node = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    return f"{installed['version']} on Node {node}"
