# SPDX-License-Identifier: Apache-2.0
"""info, logits and pack on the fixtures that transformers wrote."""
import math
import shutil
import statistics
import unittest

from support import DATA, FIXTURES, CliTest, read_npy, read_safetensors


def expected(fixture, name):
    return read_safetensors(DATA / "hf" / fixture / "expected.safetensors", name)


def first_ids(fixture):
    shape, ids = expected(fixture, "input_ids")
    return ",".join(map(str, ids[:shape[1]]))


class Models(CliTest):
    def logits(self, model, ids, *options):
        out = self.directory / "logits.npy"
        self.succeed("logits", model, "--ids", ids, "--out", out, *options)
        return out

    def test_logits_are_those_of_transformers(self):
        for fixture in FIXTURES:
            shape, values = read_npy(self.logits(DATA / "hf" / fixture, first_ids(fixture)))
            (_, tokens, vocab), reference = expected(fixture, "logits")
            self.assertEqual(shape, (tokens, vocab))
            errors = []
            for begin in range(0, tokens * vocab, vocab):
                want = reference[begin:begin + vocab]
                errors.append(math.dist(values[begin:begin + vocab], want) / math.hypot(*want))
            self.assertLess(max(errors), 1.5e-2, fixture)  # tests/engine/fixture_logits_test.cpp says why
            self.assertLess(statistics.median(errors), 2e-6, fixture)

    def test_threads_change_no_byte(self):
        for fixture in FIXTURES:
            files = [self.logits(DATA / "hf" / fixture, first_ids(fixture), "--threads", n).read_bytes() for n in (1, 2, 3)]
            self.assertEqual(files[0], files[1])
            self.assertEqual(files[0], files[2])

    def test_logits_refuse_ids_and_leave_no_file(self):
        model = DATA / "hf" / "tiny-online"
        out = self.directory / "out.npy"
        self.refuse("logits", model, "--ids", "1,320", "--out", out, naming=320)
        self.refuse("logits", model, "--ids=-1", "--out", out, naming=-1)
        self.assertEqual(list(self.directory.iterdir()), [])
        self.refuse("logits", model, "--ids", "1", "--out", self.directory / "no" / "out.npy", naming="out.npy")

    def test_info(self):
        for fixture in FIXTURES:
            info = self.succeed_json("info", DATA / "hf" / fixture)
            self.assertEqual(info["architecture"], "BitNetForCausalLM")
            self.assertEqual(info["weights"], "masters" if fixture.endswith("online") else "packed")
            self.assertEqual(info["config"]["tie_word_embeddings"], fixture.startswith("tied"))
            self.assertLess(info["ternary_parameters"], info["parameters"])
            self.assertEqual(info["f32_bytes"], 4 * info["parameters"])
            self.assertLess(info["packed_bytes"], info["f16_bytes"])
            self.assertTrue(0 < info["zero_share"] < 1)
            self.assertIn(str(info["parameters"]), self.succeed("info", DATA / "hf" / fixture).stdout)

    def test_a_bar_while_loading(self):
        model = DATA / "hf" / "tiny-packed-bitlinear"
        quiet = self.succeed("info", model)
        self.assertEqual(quiet.stderr, "")
        bar = self.succeed("info", model, "--progress", "bar")
        self.assertEqual(bar.stdout, quiet.stdout)
        # Text mode reads a carriage return as a newline.
        self.assertRegex(bar.stderr, r"^\nloading \[=*>? *\] +\d+%\x1b\[K")
        self.assertTrue(bar.stderr.endswith("\n\x1b[K"))
        self.assertEqual(self.succeed("info", model, "--progress", "none").stderr, "")

    def test_pack(self):
        for model in ("tiny", "tied"):
            masters = self.directory / f"{model}-masters"
            shutil.copytree(DATA / "hf" / f"{model}-online", masters)
            (masters / "tokenizer.json").write_text("{}")
            packed = self.directory / f"{model}-packed"
            report = self.succeed_json("pack", masters, "--out", packed)
            info = self.succeed_json("info", packed)
            self.assertEqual(info["weights"], "packed")
            self.assertEqual(report["packed_bytes"], info["packed_bytes"])
            self.assertEqual((packed / "tokenizer.json").read_text(), "{}")
            ids = first_ids(f"{model}-online")
            before = self.logits(masters, ids).read_bytes()
            self.assertEqual(self.logits(packed, ids).read_bytes(), before)

    def test_pack_leaves_nothing_half_done(self):
        model = DATA / "hf" / "tiny-online"
        taken = self.file("taken", "x").parent
        self.refuse("pack", model, "--out", taken, naming=taken)
        self.refuse("pack", self.directory / "missing", "--out", self.directory / "out", naming="missing")
        self.refuse("pack", model, "--out", self.directory / "taken" / "out", naming="taken")
        self.assertEqual([path.name for path in self.directory.iterdir()], ["taken"])

    def test_damaged_models_are_errors(self):
        for name, damage in (("model.safetensors", lambda content: content[:-1]),
                             ("model.safetensors", lambda content: b"\xff" * 8 + content[8:]),
                             ("config.json", lambda content: content[:-2]),
                             ("config.json", lambda content: content.replace(b"\"hidden_size\": ", b"\"hidden_size\": 1"))):
            broken = self.directory / "broken"
            shutil.copytree(DATA / "hf" / "tiny-online", broken)
            path = broken / name
            path.write_bytes(damage(path.read_bytes()))
            self.refuse("info", broken, naming=broken)
            shutil.rmtree(broken)


if __name__ == "__main__":
    unittest.main()
