# SPDX-License-Identifier: Apache-2.0
"""JSON-schema grammars: texts drawn through the masks are judged by json and jsonschema; json.dumps' texts go in."""
import datetime
import json
import os
import pathlib
import subprocess
import unittest

import jsonschema

WALK = os.environ["GRAMMAR_WALK"]
TOKENIZERS = pathlib.Path(os.environ["TERN_SOURCE"]) / "tests" / "data" / "tokenizer"
VOCABULARIES = {"bytes": "bytes", "bpe": str(TOKENIZERS / "bpe-gpt2split-1k.tokenizer.json")}

PERSON = {
    "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Person", "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 20, "description": "who"},
        "age": {"type": "integer", "minimum": 0, "maximum": 130},
        "email": {"type": ["string", "null"], "default": None},
        "tags": {"type": "array", "items": {"enum": ["a", "b\n", "ü\"", 1, 2.5, None, [1, {"x": True}]]}, "maxItems": 3},
    },
    "required": ["age", "tags"], "additionalProperties": False,
}
TREE = {
    "$ref": "#/$defs/node",
    "$defs": {"node": {"type": "object", "required": ["value"], "properties": {
        "value": {"type": "number", "minimum": -1.5, "exclusiveMaximum": 20.25},
        "children": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 2}}}},
}
# (schema, instances that must go in, values that must not)
CASES = [
    (True, [None, 1, -2.5e-7, "é\u0000\"\\", [], {}, [{}], {"": [1, "x"]}], []),
    ({}, [0, "a", {"b": None}], []),
    ({"type": "null"}, [None], [0, "null"]),
    ({"type": "boolean"}, [True, False], [None, 1]),
    ({"type": "integer"}, [0, -7, 12345678901234567890], [1.5, "1"]),
    ({"type": "number"}, [0, -0.0, 1e300, 5e-324, 0.1, 1.7976931348623157e308, -123456.789], ["1", None]),
    ({"type": "integer", "minimum": 7, "maximum": 123}, [7, 9, 10, 99, 100, 119, 123], [6, 0, -8, 124, 200, 1000, 70000]),
    ({"type": "integer", "minimum": -20, "exclusiveMaximum": 5}, [-20, -19, -1, 0, 4], [-21, -100, 5, 6, 44]),
    ({"type": "integer", "exclusiveMinimum": -3.5, "maximum": -1.5}, [-3, -2], [-4, -1, 0, 2]),
    ({"type": "integer", "minimum": 100}, [100, 101, 999, 1000, 10**15], [99, 0, -100]),
    ({"minimum": 0}, [0, 0.5, 1e15, 7], [-0.5, -1, "0"]),
    ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, [0.001, 0.5, 1, 1.0], [0, 0.0, 1.0001, 2, -0.5]),
    ({"type": "number", "minimum": 0.25, "exclusiveMaximum": 0.5}, [0.25, 0.4999, 0.3], [0.2499, 0.5, 0, 1]),
    ({"type": "number", "minimum": -10.5, "maximum": -2.125}, [-10.5, -2.125, -3, -9.99], [-10.6, -2.12, -2, 3, -11]),
    ({"type": "string"}, ["", "a\"b\\c\n\u0001é😀", "\u2028"], [1]),
    ({"type": "string", "minLength": 2, "maxLength": 3}, ["ab", "é😀x", "\n\""], ["", "a", "abcd", "😀"]),
    ({"type": "string", "maxLength": 0}, [""], ["a"]),
    ({"type": "string", "pattern": "^[a-c]+-\\d{2,3}$"}, ["a-12", "abc-123"], ["", "d-12", "a-1", "a-1234", "xa-12"]),
    ({"type": "string", "pattern": "b(?:an)*"}, ["b", "xxbanany", "ban"], ["", "an"]),
    ({"type": "string", "pattern": "^(\\w+@\\w+\\.(?:com|org)|\"\\\\\\t.[^a-z\\]]\\/)$"}, ["a@b.com", "\"\\\txA/"],
     ["a@b.net", "\"\\\txa/"]),
    ({"pattern": "^a|b$"}, ["a", "b", "axx", "xxb"], ["xa", "bx", ""]),
    ({"type": "string", "format": "date"}, ["2024-02-29", "2023-12-31", "2000-02-29"], ["2023-02-29", "1900-02-29", "2023-13-01", "2023-1-1", "0000-01-01"]),
    ({"type": "string", "format": "date-time"}, ["2024-02-29T23:59:59Z", "2023-01-01T00:00:00.123+05:30"], ["2024-02-29", "2024-02-29 23:59:59Z"]),
    ({"type": "string", "format": "time"}, ["12:00:00Z"], ["24:00:00Z", "12:00"]),
    ({"type": "string", "format": "uuid"}, ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567e89b12d3a456426614174000"]),
    ({"type": "string", "format": "ipv4"}, ["127.0.0.1", "255.250.199.0"], ["256.0.0.1", "1.2.3", "01.2.3.4"]),
    ({"enum": ["red", "green", 3, None, {"a": [1, 2], "b": "x"}, []]}, ["red", 3, None, {"a": [1, 2], "b": "x"}, []], ["blue", 4, {"a": [1, 2]}]),
    ({"type": "string", "enum": ["x", 1, "y"]}, ["x", "y"], [1]),
    ({"const": {"k": "v\n"}}, [{"k": "v\n"}], [{"k": "v"}, {}]),
    ({"type": ["integer", "string", "null"]}, [1, "a", None], [1.5, True, []]),
    ({"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "boolean"}}]}, [1, [], [True, False]], ["x", [1]]),
    ({"oneOf": [{"const": "a"}, {"type": "object", "properties": {"b": {"const": 1}}, "required": ["b"]}]}, ["a", {"b": 1}], ["b", {}]),
    ({"type": "array"}, [[], [1, "a", {}]], [{}]),
    ({"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 4}, [[1, 2], [1, 2, 3, 4]], [[], [1], [1, 2, 3, 4, 5], ["a", "b"]]),
    ({"type": "array", "items": {"type": "integer"}, "minItems": 1}, [[1], [1] * 30], [[]]),
    ({"type": "array", "maxItems": 0}, [[]], [[1]]),
    ({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": {"type": "null"}, "minItems": 1, "maxItems": 4},
     [[1], [1, "a"], [1, "a", None], [1, "a", None, None]], [[], ["a"], [1, 2], [1, "a", None, None, None], [1, "a", 3]]),
    ({"prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False, "minItems": 2}, [[1, "a"]], [[1], [1, "a", 1]]),
    ({"type": "array", "prefixItems": [True, True, True], "maxItems": 2}, [[], [1], [1, 2]], [[1, 2, 3]]),
    ({"type": "object"}, [{}, {"a": 1, "b": {"c": []}}], [[]]),
    ({"type": "object", "properties": {}}, [{}], []),
    ({"properties": {"a": {"type": "integer"}, "b": {"type": "string"}, "c": True}, "required": ["b"], "additionalProperties": False},
     [{"b": "x"}, {"a": 1, "b": "x"}, {"b": "x", "c": [1]}, {"a": 1, "b": "", "c": None}], [{}, {"a": 1}, {"a": "x", "b": "x"}, {"b": "x", "d": 1}]),
    ({"properties": {"a": {"type": "integer"}, "b": False, "c": {"type": "null"}}}, [{}, {"a": 1}, {"c": None}, {"a": 1, "c": None}], [{"b": 1}]),
    ({"properties": {"ab": {"type": "integer"}, "a\"é": {"type": "null"}}, "additionalProperties": {"type": "boolean"}},
     [{}, {"ab": 1}, {"ab": 1, "a": True}, {"abc": True, "": False}, {"a\"é": None, "a\"": True, "a\"éx": False}], [{"ab": True}, {"x": 1}, {"a\"é": True}]),
    ({"type": "object", "additionalProperties": {"type": "integer"}}, [{}, {"x": 1, "y": 2}], [{"x": "1"}]),
    ({"type": "object", "required": ["z"]}, [{"z": 1}, {"z": [], "y": 2}], [{}, {"y": 1}]),
    ({"type": "object", "properties": {"a": {"type": "null"}}, "required": ["z"], "additionalProperties": {"type": "integer"}}, [{"z": 1}, {"a": None, "z": 1, "q": 2}], [{"a": None}, {"z": "s"}]),
    (PERSON, [{"age": 3, "tags": []}, {"name": "Ünï", "age": 130, "email": None, "tags": ["a", "ü\"", [1, {"x": True}]]}],
     [{"age": 131, "tags": []}, {"tags": []}, {"name": "", "age": 1, "tags": []}, {"age": 1, "tags": ["c"]}]),
    (TREE, [{"value": 20.2}, {"value": -1.5, "children": [{"value": 1, "children": []}, {"value": 0}]}], [{"value": 20.25}, {"children": []}]),
    ({"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["next"]},
     [{"next": None}, {"next": {"next": {"next": None}}}], [{}, {"next": {}}]),
    ({"allOf": [{"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]},
                {"properties": {"a": {"minimum": 3}, "b": {"type": "string"}}, "required": ["b"]}]},
     [{"a": 3, "b": ""}], [{"a": 2, "b": ""}, {"a": 3}]),
    ({"$ref": "#/$defs/base", "properties": {"kind": {"const": "x"}}, "required": ["kind"],
      "$defs": {"base": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}}},
     [{"id": 1, "kind": "x"}], [{"id": 1}, {"id": 1, "kind": "y"}]),
    ({"type": "object", "properties": {"a": {"type": "integer"}}, "anyOf": [{"required": ["a"]}, {"properties": {"b": {"type": "null"}}, "required": ["b"]}]},
     [{"a": 1}, {"a": 1, "b": None}, {"b": None}], [{}]),
    ({"$ref": "#/$defs/a~1b%20c~0", "$defs": {"a/b c~": {"enum": [1]}}}, [1], [2]),
]
REFUSED = [  # (schema, what the error names)
    ({"type": "object", "properties": {"x": {"multipleOf": 3}}}, "#/properties/x/multipleOf"),
    ({"not": {}}, "#/not"),
    ({"items": {"uniqueItems": True}}, "#/items/uniqueItems"),
    ({"patternProperties": {}}, "#/patternProperties"),
    ({"if": True, "then": False}, "#/if"),
    ({"type": "text"}, "#/type"),
    ({"type": "string", "format": "email"}, "#/format"),
    ({"type": "string", "pattern": "(?=a)"}, "#/pattern"),
    ({"type": "string", "pattern": "(a"}, "#/pattern"),
    ({"type": "string", "pattern": "(a)\\1"}, "back-reference"),
    ({"type": "string", "pattern": "a\\b"}, "boundary"),
    ({"type": "string", "pattern": "a", "maxLength": 3}, "#/pattern"),
    ({"enum": [1], "minimum": 0}, "#/minimum"),
    ({"minLength": -1}, "#/minLength"),
    ({"maxItems": "3"}, "#/maxItems"),
    ({"minimum": "3"}, "#/minimum"),
    ({"$ref": "#/$defs/none"}, "#/$ref"),
    ({"$ref": "other.json"}, "#/$ref"),
    ({"$ref": "#"}, "no text"),
    ({"allOf": [{"$ref": "#"}]}, "#"),
    ({"type": "object", "properties": {"self": {"$ref": "#"}}, "required": ["self"]}, "no text"),
    ({"type": "integer", "minimum": 5, "maximum": 4}, "no text"),
    ({"type": "string", "minLength": 5, "maxLength": 4}, "no text"),
    ({"type": "array", "prefixItems": [True], "items": False, "minItems": 2}, "no text"),
    ({"properties": {"a": False}, "required": ["a"]}, "no text"),
    ({"allOf": [{"pattern": "a"}, {"pattern": "b"}]}, "\"pattern\""),
    ({"properties": {"a/b~": 3}}, "#/properties/a~1b~0"),
    ({"properties": {"a": {"$id": "x"}}}, "$id"),
    (False, "no text"),
    (3, "schema"),
]


class Walker:
    def __init__(self, vocabulary):
        self.process = subprocess.Popen([WALK, vocabulary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")

    def ask(self, schema, **command):
        command["schema"] = schema if schema is None or isinstance(schema, str) else json.dumps(schema)
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()


def spellings(value):
    """The ways of json.dumps that the white-space policy covers; characters are not escaped, as const and pattern want."""
    yield json.dumps(value, ensure_ascii=False)
    yield json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    yield json.dumps(value, ensure_ascii=False, indent=2)
    yield json.dumps(value, ensure_ascii=False, indent="\t", separators=(",", ": "))


def instant(text):
    """jsonschema judges no times without further packages: raises ValueError for what is none."""
    return datetime.datetime.fromisoformat(text if "T" in text else "2024-01-01T" + text)


class Schemas(unittest.TestCase):
    def setUp(self):
        self.walkers = {name: Walker(path) for name, path in VOCABULARIES.items()}

    def tearDown(self):
        for name, walker in self.walkers.items():
            self.assertEqual(walker.close(), 0, name)

    def test_what_is_drawn_is_an_instance(self):
        checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
        for number, (schema, _, _) in enumerate(CASES):
            validator = jsonschema.Draft202012Validator(schema, format_checker=checker)
            for name, walker in self.walkers.items():
                answer = walker.ask(schema, walks=25, seed=number)
                self.assertNotIn("error", answer, (schema, name))
                for text in answer["texts"]:
                    errors = list(validator.iter_errors(json.loads(text)))
                    self.assertEqual(errors, [], f"{schema} by {name}: {text}")
                    if isinstance(schema, dict) and schema.get("format") in ("time", "date-time"):
                        instant(json.loads(text))

    def test_instances_go_in_and_others_do_not(self):
        for schema, instances, others in CASES:
            validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
            for instance in instances:
                validator.validate(instance)  # the case itself
            texts = [text for instance in instances for text in spellings(instance)]
            bad = [text for other in others for text in spellings(other)]
            for name, walker in self.walkers.items():
                answer = walker.ask(schema, accept=texts + bad)
                self.assertNotIn("error", answer, (schema, name))
                for text, accepted in zip(texts + bad, answer.get("accepted", []), strict=True):
                    self.assertEqual(accepted, text in texts, f"{schema} by {name}: {text}")

    def test_property_order_is_the_schemas(self):
        schema = {"properties": {"b": True, "a": True}}
        answer = self.walkers["bytes"].ask(schema, accept=['{"b":1,"a":2}', '{"a":2,"b":1}', '{"a":2}'])
        self.assertEqual(answer["accepted"], [True, False, True])

    def test_any_json(self):
        walker = self.walkers["bytes"]
        for text in walker.ask(None, walks=200, seed=1)["texts"]:
            json.loads(text)
        good = ["0", "-0.5e+10", '"\\ud83d\\ude00\\u00e9\\/"', "[[],{}]", '{"a":[1, 2],\n  "b":null}', "{ }", "[\n]"]
        bad = ["", "01", "1.", ".5", "+1", "'a'", '"\n"', '"\\ud83d"', '"\\x"', "[1,]", "{a:1}", '{"a"}', "nul", "tru", "[1 2]", " 1", "1 ", "[  1]", '{"a" :1}',
               "[\n" + 33 * " " + "1]", "1" * 21, "NaN", "Infinity", "1e1000"]
        answer = walker.ask(None, accept=good + bad)
        self.assertEqual(answer["accepted"], [True] * len(good) + [False] * len(bad))
        deep = 200
        self.assertEqual(walker.ask(None, accept=["[" * deep + "]" * deep, '{"a":' * deep + "1" + "}" * deep])["accepted"], [True, True])

    def test_what_is_refused_is_named(self):
        for schema, named in REFUSED:
            answer = self.walkers["bytes"].ask(schema)
            self.assertIn(named, answer.get("error", "no error"), schema)

    def test_text_that_is_no_schema(self):
        for text in ["", "{", '{"type":"null","type":"null"}', "[1]", '{"a":1e999}', '"\ud800"'.encode("utf-8", "replace").decode(), "[" * 500, '{"type":"null"} x', "{\u0000}"]:
            self.assertRegex(self.walkers["bytes"].ask(text).get("error", "no error"), r"^\[grammar\] ", text)


if __name__ == "__main__":
    unittest.main()
