# SPDX-License-Identifier: Apache-2.0
"""The type stubs in the repository are what the extension has. scripts/python-stubs writes them anew."""
import difflib
import subprocess
import sys

from conftest import ROOT

STUBS = ROOT / "python" / "tern" / "_core"


def test_stubs_are_up_to_date(tmp_path):
    subprocess.run([sys.executable, "-m", "nanobind.stubgen", "-q", "-P", "-r", "-m", "tern._core", "-O", tmp_path], check=True)
    written = {path.name: path.read_text() for path in (tmp_path / "_core").iterdir()}
    kept = {path.name: path.read_text() for path in STUBS.iterdir()}
    assert kept.keys() == written.keys()
    for name, text in written.items():
        difference = "".join(difflib.unified_diff(kept[name].splitlines(True), text.splitlines(True), name, name))
        assert not difference, f"expected scripts/python-stubs to have been run:\n{difference}"
