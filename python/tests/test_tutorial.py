# SPDX-License-Identifier: Apache-2.0
"""docs/tutorial.md and the README's Python do what they say: every value that they show is what is printed."""
import doctest
import re

import pytest
from conftest import DATA, ROOT

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("path", ["docs/tutorial.md", "README.md"])
def test_shown_values(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = re.sub(r"^```.*$", "", (ROOT / path).read_text(), flags=re.MULTILINE)
    shown = doctest.DocTestParser().get_doctest(text, {"FIXTURES": str(DATA / "hf"), "LICENSE": str(ROOT / "LICENSE")}, path, path, 0)
    assert shown.examples
    report = []
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    runner.run(shown, out=report.append)
    assert runner.failures == 0, "".join(report)
