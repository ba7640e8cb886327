# SPDX-License-Identifier: Apache-2.0
"""Text in and out: tokenizers, generation whole and in pieces, grammars, chats."""
import json

import pytest
import tern
from conftest import DATA, TEXT


@pytest.mark.parametrize("path", sorted((DATA / "tokenizer").glob("*.tokenizer.json")), ids=lambda path: path.name)
def test_tokenizer_cases(path):
    tokenizer = tern.Tokenizer.load(path)
    for case in json.loads(path.with_name(path.name.replace("tokenizer", "cases")).read_text()):
        assert tokenizer.encode(case["text"]) == case["ids"]
        assert tokenizer.decode(case["ids"]) == case["decoded"]


def test_tokenizer_of_bytes(tokenizer):
    assert tokenizer.decode_bytes(tokenizer.encode(b"\xff\x00a")) == b"\xff\x00a"
    assert tokenizer.decode(tokenizer.encode(b"\xff")) == "\ufffd"
    assert len(tokenizer) == tokenizer.vocab_size and tokenizer.is_special(0)
    assert tokenizer.token_to_id("nothing like it") is None


def test_stream_is_generate_in_pieces(small_model):
    options = dict(max_tokens=40, temperature=1.0, seed=3, ignore_eos=True)
    whole = small_model.generate("The", **options)
    assert "".join(small_model.stream("The", **options)) == whole.text
    heard = []
    again = small_model.generate("The", on_text=heard.append, **options)
    assert again.ids == whole.ids and "".join(heard) == whole.text
    assert len(whole.ids) == 40 and whole.finish_reason == "length"


def test_leaving_a_stream(small_model):
    for _ in small_model.stream("The", max_tokens=400, temperature=1.0, ignore_eos=True):
        break
    assert small_model.generate("The", max_tokens=2, ignore_eos=True).finish_reason == "length"


def test_a_callback_ends_generation(small_model):
    result = small_model.generate("The", max_tokens=400, temperature=1.0, ignore_eos=True, on_text=lambda text: False)
    assert result.finish_reason == "cancelled" and len(result.ids) <= 1


def test_what_a_callback_raises(small_model):
    def fail(text):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        small_model.generate("The", max_tokens=40, on_text=fail)


def test_grammar(small_model):
    grammar = tern.Grammar.from_json_schema({"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]})
    text = small_model.generate("The", max_tokens=200, temperature=1.0, grammar=grammar).text
    assert grammar.matches(text) and isinstance(json.loads(text)["a"], bool)


def test_log_probabilities_and_speculation(small_model):
    result = small_model.generate("The", max_tokens=5, top_logprobs=2, ignore_eos=True)
    assert [token.id for token in result.logprobs] == result.ids
    assert all(token.top[0].logprob == token.logprob for token in result.logprobs)
    for speculation in ("prompt_lookup", small_model):
        assert small_model.generate("The", max_tokens=5, ignore_eos=True, speculation=speculation).ids == result.ids


def test_engine(small_model):
    engine = small_model.engine(max_sequences=2, kv="f32")
    numbers = [engine.submit(prompt, max_tokens=8, ignore_eos=True) for prompt in ("The", "Work", TEXT[:50])]
    assert engine.take(numbers[0]) is None
    engine.run_until_idle()
    assert engine.take(numbers[0]).ids == small_model.generate("The", max_tokens=8, ignore_eos=True).ids
    with pytest.raises(tern.Error):
        engine.take(numbers[0])


def test_options_out_of_range(small_model):
    with pytest.raises(ValueError):
        small_model.generate("The", temperature=-1)
    with pytest.raises(ValueError):
        small_model.generate("The", top_p=2)
    with pytest.raises(ValueError):
        small_model.generate("The", context="both")


def test_chat():
    template = tern.ChatTemplate.parse(
        "{% for m in messages %}{{ bos }}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}",
        {"bos": "<s>"},
    )
    messages = [{"role": "user", "content": "Hé"}]
    assert template.render(messages) == "<s>user: Hé\nassistant:"
    assert template.render(messages, add_generation_prompt=False) == "<s>user: Hé\n"


def test_model_without_tokenizer(small_config):
    model = tern.Model.create(small_config)
    assert len(model.generate([1, 2, 3], max_tokens=4, ignore_eos=True).ids) == 4
    with pytest.raises(FileNotFoundError):
        model.generate("text")
