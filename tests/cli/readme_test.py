# SPDX-License-Identifier: Apache-2.0
"""The README's examples are what it says they are: its commands run, and its C++ is the example that is built."""
import os
import re
import subprocess
import unittest

from support import BINARY, SOURCE, CliTest, words

README = (SOURCE / "README.md").read_text(encoding="utf-8")


class Readme(CliTest):
    def test_commands_run(self):
        blocks = re.findall(r"<!-- tests/cli runs this block -->\n```sh\n(.*?)```", README, re.DOTALL)
        self.assertEqual(len(blocks), 1)
        self.file("book.txt", words(1500))
        tools = self.directory / "tools"
        tools.mkdir()
        (tools / "tern").symlink_to(BINARY)
        result = subprocess.run(["sh", "-eu", "-c", blocks[0]], cwd=self.directory, capture_output=True, encoding="utf-8",
                                env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}, timeout=300, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("perplexity ", result.stdout)

    def test_the_cpp_example_is_built(self):
        blocks = re.findall(r"```cpp\n(.*?)```", README, re.DOTALL)
        self.assertEqual(len(blocks), 1)
        self.assertIn(blocks[0], (SOURCE / "examples" / "generate.cpp").read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()
