# SPDX-License-Identifier: Apache-2.0
"""Language models: loading, logits, losses, generation."""
import os

from . import _core
from ._core import ChatTemplate, Engine, GenerateResult, ModelConfig, Tensor, Tokenizer
from .errors import Error, NotFound


def load(path, *, device=None, head=None):
    """A model of a Hugging Face directory, with its tokenizer and chat template where it has them.

    head: how logits are computed: 'full', 'screened' (exact and fast), 'int8' or 'int4' (approximate); None chooses.
    """
    path = os.fspath(path)
    model = Model(_core._Model.load(path, device, head))
    if os.path.exists(os.path.join(path, "tokenizer.json")):
        model.tokenizer = Tokenizer.load(path)
    try:
        model.chat_template = ChatTemplate.load(path)
    except Error:
        pass  # most base models have none
    return model


class Model:
    """A ternary language model. Made by tern.load, Model.create or tern.train."""

    def __init__(self, core, tokenizer=None, chat_template=None):
        self._core = core
        self.tokenizer: Tokenizer | None = tokenizer
        self.chat_template: ChatTemplate | None = chat_template

    @staticmethod
    def create(config: ModelConfig, seed=0, *, device=None, tokenizer=None):
        """Fresh weights: normal numbers from `seed`."""
        return Model(_core._Model.create(config, seed, device), tokenizer)

    @property
    def config(self) -> ModelConfig:
        return self._core.config

    @property
    def device(self):
        return self._core.device

    @property
    def packed(self) -> bool:
        """Whether it has ternary codes only, and no masters to train."""
        return self._core.packed

    @property
    def info(self):
        """Numbers of parameters and bytes."""
        return self._core.info

    def __call__(self, ids) -> Tensor:
        """Logits [batch, tokens, vocab] of ids [batch, tokens]: a tensor, an array, or lists."""
        return self._core(ids)

    def training_logits(self, ids) -> Tensor:
        """The same logits with the graph behind them: for losses of one's own."""
        return self._core.training_logits(ids)

    def loss(self, ids, labels=None, *, recompute=False) -> Tensor:
        """The mean cross-entropy as Hugging Face defines it: logits of a token against the next label, -100 ignored.

        labels are ids themselves if None. recompute saves memory: layers run again for their gradients.
        """
        return self._core.loss(ids, labels, recompute=recompute)

    def named_parameters(self) -> list[tuple[str, Tensor]]:
        """Names as in Hugging Face's files, and the weights themselves, in the order of the file."""
        return self._core.named_parameters()

    def parameters(self) -> list[Tensor]:
        return [value for _, value in self.named_parameters()]

    def zero_grad(self):
        """Drops the gradients."""
        for value in self.parameters():
            value.grad = None

    def requantize(self):
        """Quantizes the masters anew: to be called after they change by other hands than tern.optim's."""
        self._core.requantize()

    def save(self, path, *, packed=None):
        """Writes a Hugging Face directory: ternary codes (packed=True) or f32 masters; as it is held if None."""
        self._core.save(path, packed=packed)
        if self.tokenizer is not None:
            self.tokenizer.save(os.path.join(os.fspath(path), "tokenizer.json"))

    def engine(self, **options) -> Engine:
        """Many requests at once; tern.Engine says what the options are."""
        return Engine(self._core, self._required_tokenizer(), **_draft(options))

    def generate(self, prompt, *, kv="f32", speculation=None, max_draft=8, on_text=None, **options) -> GenerateResult:
        """Continues a prompt, text or ids; options as Engine.submit's (max_tokens, temperature, top_k, seed, stop, ...).

        kv: how keys and values are kept: 'f32' (as if without a cache, bit for bit), 'f16', 'int8', 'int4'.
        on_text: called with each piece of text once it is final; what it returns ends generation if it is False.
        Ctrl-C ends it between two tokens.
        """
        engine, request = self._begin(prompt, kv, speculation, max_draft, {**options, "on_text": on_text})
        engine.run_until_idle()
        return engine.take(request)

    def stream(self, prompt, *, kv="f32", speculation=None, max_draft=8, **options):
        """Yields the pieces of text that generate would give as a whole. Leaving the loop ends generation."""
        pieces = []
        engine, request = self._begin(prompt, kv, speculation, max_draft, {**options, "on_text": pieces.append})
        busy = True
        while busy:
            busy = engine.step()
            yield from filter(None, pieces)
            pieces.clear()
        engine.take(request)

    def chat(self, messages, **options) -> GenerateResult:
        """The assistant's answer to messages [{'role': 'user', 'content': ...}, ...]; options as generate's."""
        if self.chat_template is None:
            raise NotFound("[chat] expected a model with a chat template, got one without")
        return self.generate(self.chat_template.render(messages), add_bos=False, **options)

    def __repr__(self):
        return repr(self._core)

    def _begin(self, prompt, kv, speculation, max_draft, options):
        tokenizer = self.tokenizer
        if tokenizer is None and not isinstance(prompt, str):
            tokenizer = _no_tokenizer()
        window = self.config.max_position_embeddings
        engine = Engine(
            self._core,
            tokenizer or self._required_tokenizer(),
            kv=kv,
            max_sequences=1,
            kv_tokens=window,
            prefill_chunk=256,
            reuse_prefixes=False,
            speculation=getattr(speculation, "_core", speculation),
            max_draft=max_draft,
        )
        return engine, engine.submit(prompt, **options)

    def _required_tokenizer(self):
        if self.tokenizer is None:
            raise NotFound("[generate] expected a model with a tokenizer.json, or ids as the prompt")
        return self.tokenizer


def _draft(options):
    return {**options, "speculation": getattr(options.get("speculation"), "_core", options.get("speculation"))}


def _no_tokenizer():
    """The bytes alone, for models that are only asked for ids."""
    return Tokenizer.train([], vocab_size=256, special_tokens=[])
