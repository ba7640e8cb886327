"""The compiled part of tern; import tern instead."""

from collections.abc import Callable, Iterator, Mapping, Sequence
import os
from typing import Any

import numpy

from tern._core import _nn as _nn, _quant as _quant


class DType:
    """
    A data type: tern.float32 and its like. Compares equal to its name and to NumPy's dtype.
    """

    def __init__(self, dtype: object, /) -> None: ...

    @property
    def name(self) -> str: ...

    @property
    def itemsize(self) -> int: ...

    @property
    def kind(self) -> str: ...

    def __eq__(self, other: object, /) -> bool: ...

    def __hash__(self) -> int: ...

    def __repr__(self) -> str: ...

    def __str__(self) -> str: ...

    def __reduce__(self) -> tuple: ...

float32: DType = ...

bfloat16: DType = ...

float16: DType = ...

int8: DType = ...

uint8: DType = ...

int32: DType = ...

int64: DType = ...

bool: DType = ...

int16: DType = ...

uint16: DType = ...

uint32: DType = ...

uint64: DType = ...

float64: DType = ...

complex64: DType = ...

complex128: DType = ...

class MemoryStatistics:
    """Bytes of a device's memory."""

    @property
    def live(self) -> int: ...

    @property
    def peak(self) -> int: ...

    @property
    def reserved(self) -> int: ...

    @property
    def limit(self) -> int: ...

    def __repr__(self) -> str: ...

class Device:
    """
    A machine that stores tensors and computes: a CPU with some threads, or a GPU.
    """

    def __init__(self, name: str = 'cpu', *, threads: int = 0, isa: str = '', ordinal: int = 0, memory_limit: int = 0) -> None:
        """
        Opens a device. Tensors of two devices do not mix, even where both are the same machine.
        """

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def isa(self) -> str: ...

    @property
    def threads(self) -> int: ...

    def synchronize(self) -> None:
        """Waits until everything that was asked of the device is done."""

    def memory_statistics(self) -> MemoryStatistics:
        """What its memory holds."""

    def trim_memory(self) -> None:
        """Gives memory that is free back to the system."""

    def __eq__(self, arg: Device, /) -> bool: ...

    def __hash__(self) -> int: ...

    def __repr__(self) -> str: ...

    def __str__(self) -> str: ...

def default_device() -> Device:
    """The device of tensors that name none: the CPU."""

class _Rows:
    def __iter__(self) -> Iterator[Tensor]: ...

    def __next__(self) -> Tensor: ...

class Tensor:
    """
    A strided view of numbers of one dtype on a device. Made by asarray, zeros, ... and by operations.
    """

    __array_priority__: int = 1000

    @property
    def dtype(self) -> DType: ...

    @property
    def device(self) -> Device: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def strides(self) -> tuple[int, ...]:
        """In elements; 0 of an axis that was broadcast."""

    @property
    def ndim(self) -> int: ...

    @property
    def size(self) -> int: ...

    @property
    def itemsize(self) -> int: ...

    @property
    def nbytes(self) -> int: ...

    @property
    def T(self) -> Tensor:
        """A matrix transposed, as a view."""

    @property
    def mT(self) -> Tensor:
        """The last two axes swapped, as a view."""

    def is_contiguous(self) -> bool: ...

    def shares_storage_with(self, arg: Tensor, /) -> bool: ...

    @property
    def data_ptr(self) -> int:
        """The address of the first element."""

    def item(self) -> object:
        """The only element, as Python's number."""

    def tolist(self) -> Any:
        """Nested lists of numbers."""

    def __bool__(self) -> bool: ...

    def __int__(self) -> int: ...

    def __float__(self) -> float: ...

    def __complex__(self) -> complex: ...

    def __index__(self) -> int: ...

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> Tensor: ...

    def __setitem__(self, key: Any, value: Tensor | complex, /) -> None: ...

    def __iter__(self) -> Iterator[Tensor]: ...

    def astype(self, dtype: DType, /, *, copy: bool = True) -> Tensor: ...

    def __copy__(self) -> Tensor: ...

    def __deepcopy__(self, arg: object, /) -> Tensor: ...

    def to_device(self, device: Device | str, /, *, stream: object = None) -> Tensor: ...

    @property
    def requires_grad(self) -> bool: ...

    @requires_grad.setter
    def requires_grad(self, arg: bool, /) -> None: ...

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward() added up, float32; None before."""

    @grad.setter
    def grad(self, grad: Tensor | None) -> None: ...

    def detach(self) -> Tensor:
        """The same elements, cut off from the graph."""

    def backward(self, grad: Tensor | None = None) -> None:
        """
        Adds the gradient of this tensor, weighted by grad (1 for one element), to .grad of every leaf that requires one.
        """

    def __repr__(self) -> str: ...

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        """The module tern, as the array API's namespace."""

    def __array__(self, dtype: object = None, *, copy: bool | None = None) -> numpy.ndarray:
        """
        A NumPy array over the same memory, which lives as long as either of them.
        """

    def __dlpack__(self, *, stream: object = None, max_version: tuple[int, int] | None = None, dl_device: tuple[int, int] | None = None, copy: bool | None = None) -> Any:
        """A DLPack capsule of the same memory."""

    def __dlpack_device__(self) -> tuple[int, int]:
        """DLPack's numbers of the device."""

    def numpy(self) -> numpy.ndarray:
        """A NumPy array over the same memory."""

    def __add__(self, other: Tensor | complex, /) -> Tensor: ...

    def __radd__(self, other: Tensor | complex, /) -> Tensor: ...

    def __sub__(self, other: Tensor | complex, /) -> Tensor: ...

    def __rsub__(self, other: Tensor | complex, /) -> Tensor: ...

    def __mul__(self, other: Tensor | complex, /) -> Tensor: ...

    def __rmul__(self, other: Tensor | complex, /) -> Tensor: ...

    def __truediv__(self, other: Tensor | complex, /) -> Tensor: ...

    def __rtruediv__(self, other: Tensor | complex, /) -> Tensor: ...

    def __matmul__(self, other: Tensor | complex, /) -> Tensor: ...

    def __rmatmul__(self, other: Tensor | complex, /) -> Tensor: ...

    def __eq__(self, other: Tensor | complex, /) -> Tensor: ...

    def __ne__(self, other: Tensor | complex, /) -> Tensor: ...

    def __lt__(self, other: Tensor | complex, /) -> Tensor: ...

    def __le__(self, other: Tensor | complex, /) -> Tensor: ...

    def __gt__(self, other: Tensor | complex, /) -> Tensor: ...

    def __ge__(self, other: Tensor | complex, /) -> Tensor: ...

    def __iadd__(self, other: Tensor | complex, /) -> Tensor: ...

    def __isub__(self, other: Tensor | complex, /) -> Tensor: ...

    def __imul__(self, other: Tensor | complex, /) -> Tensor: ...

    def __itruediv__(self, other: Tensor | complex, /) -> Tensor: ...

    def __imatmul__(self, other: Tensor | complex, /) -> Tensor: ...

    def __neg__(self) -> Tensor: ...

    def __abs__(self) -> Tensor: ...

    def __pos__(self) -> Tensor: ...

    def __hash__(self, /):
        """Return hash(self)."""

def asarray(obj: Any, /, *, dtype: DType | None = None, device: Device | str | None = None, copy: bool | None = None) -> Tensor:
    """
    A tensor of numbers, nested sequences of them, or over the memory of a tensor, a NumPy array or whatever has __dlpack__ or a buffer. copy: True copies, False never does (an Error where it must), None where it must.
    """

def from_dlpack(x: Any, /, *, device: Device | str | None = None, copy: bool | None = None) -> Tensor:
    """A tensor over the memory of an object that has __dlpack__."""

def abs(x: Tensor, /) -> Tensor:
    """|x|"""

def negative(x: Tensor, /) -> Tensor:
    """-x"""

def exp(x: Tensor, /) -> Tensor:
    """e to the power of x."""

def log(x: Tensor, /) -> Tensor:
    """The natural logarithm."""

def sqrt(x: Tensor, /) -> Tensor:
    """The square root."""

def square(x: Tensor, /) -> Tensor:
    """x * x"""

def tanh(x: Tensor, /) -> Tensor:
    """The hyperbolic tangent."""

def reciprocal(x: Tensor, /) -> Tensor:
    """1 / x"""

def add(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 + x2"""

def subtract(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 - x2"""

def multiply(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 * x2"""

def divide(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 / x2"""

def minimum(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """The smaller of two; NaN if either is."""

def maximum(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """The larger of two; NaN if either is."""

def equal(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 == x2"""

def not_equal(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 != x2"""

def less(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 < x2"""

def less_equal(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 <= x2"""

def greater(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 > x2"""

def greater_equal(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 >= x2"""

def where(condition: Tensor, x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 where condition is true, else x2."""

def sum(x: Tensor, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
    """The sum over axes, or of all elements."""

def mean(x: Tensor, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
    """The mean over axes, or of all elements."""

def max(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The largest element of an axis, or of all."""

def min(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The smallest element of an axis, or of all."""

def argmax(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The first index of the largest element."""

def argmin(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The first index of the smallest element."""

def zeros(shape: int | tuple[int, ...], *, dtype: DType | None = None, device: Device | str | None = None) -> Tensor:
    """Zeros; float32 unless dtype says otherwise."""

def empty(shape: int | tuple[int, ...], *, dtype: DType | None = None, device: Device | str | None = None) -> Tensor:
    """Elements of no particular value."""

def ones(shape: int | tuple[int, ...], *, dtype: DType | None = None, device: Device | str | None = None) -> Tensor:
    """Ones; float32 unless dtype says otherwise."""

def full(shape: int | tuple[int, ...], fill_value: complex, *, dtype: DType | None = None, device: Device | str | None = None) -> Tensor:
    """One number everywhere."""

def reshape(x: Tensor, /, shape: int | tuple[int, ...], *, copy: bool | None = None) -> Tensor:
    """
    The elements in row-major order under a new shape, of which one extent may be -1; a view where strides allow.
    """

def permute_dims(x: Tensor, /, axes: tuple[int, ...]) -> Tensor:
    """Axes in a new order, as a view."""

def matrix_transpose(x: Tensor, /) -> Tensor:
    """The last two axes swapped, as a view."""

def broadcast_to(x: Tensor, /, shape: tuple[int, ...]) -> Tensor:
    """A view of a larger shape."""

def expand_dims(x: Tensor, /, *, axis: int = 0) -> Tensor:
    """A new axis of one."""

def concat(arrays: Sequence[Tensor], /, *, axis: int = 0) -> Tensor:
    """Joined along an axis."""

def astype(x: Tensor, dtype: DType, /, *, copy: bool = True, device: Device | str | None = None) -> Tensor:
    """Converted to a dtype."""

def matmul(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The matrix product over the last two axes."""

def load_safetensors(path: str | os.PathLike, *, device: Device | str | None = None) -> dict[str, Tensor]:
    """
    Every tensor of a file, over the mapped file; what is written to them stays in memory.
    """

def save_safetensors(path: str | os.PathLike, tensors: dict[str, Tensor], metadata: dict[str, str] = {}) -> None:
    """Creates or replaces a file in one step."""

def load_npy(path: str | os.PathLike, *, device: Device | str | None = None) -> Tensor:
    """The array in a .npy file."""

def save_npy(path: str | os.PathLike, tensor: Tensor) -> None:
    """Creates or replaces a .npy file in one step."""

class Grammar:
    """A set of texts that a model may write."""

    @staticmethod
    def parse(gbnf: str) -> Grammar:
        """Reads GBNF, llama.cpp's notation."""

    @staticmethod
    def json() -> Grammar:
        """Any JSON value."""

    @staticmethod
    def from_json_schema(schema: str | dict | bool) -> Grammar:
        """
        JSON texts that are instances of a schema, given as text or as the object that it describes.
        """

    def matches(self, text: str) -> bool:
        """Whether a whole text is one of the grammar's."""

class Tokenizer:
    """
    A byte-level BPE tokenizer, as Hugging Face's tokenizer.json describes it.
    """

    @staticmethod
    def load(path: str | os.PathLike) -> Tokenizer:
        """Reads a tokenizer.json, or the one in a directory."""

    @staticmethod
    def train(texts: Sequence[str], *, vocab_size: int = 4096, split: str = ..., special_tokens: Sequence[str] = ['<|begin_of_text|>', '<|end_of_text|>'], min_frequency: int = 2) -> Tokenizer:
        """Learns a vocabulary from texts."""

    def encode(self, text: str | bytes, *, parse_special: bool = True) -> list[int]:
        """
        The ids of a text; special tokens in it become their ids unless parse_special is False. None is added.
        """

    def decode(self, ids: Any, *, skip_special: bool = False) -> str:
        """The text of ids."""

    def decode_bytes(self, ids: Any, *, skip_special: bool = False) -> bytes:
        """The same, byte for byte."""

    @property
    def vocab_size(self) -> int:
        """The largest id plus one."""

    def token_to_id(self, token: str) -> int | None:
        """The id of a token as tokenizer.json writes it, or None."""

    def id_to_bytes(self, id: int) -> bytes:
        """The bytes that an id stands for."""

    def is_special(self, id: int) -> bool: ...

    def save(self, path: str | os.PathLike) -> None:
        """Writes tokenizer.json in one step."""

    def __len__(self) -> int: ...

    def __repr__(self) -> str: ...

class ChatTemplate:
    """A model's chat template: messages as the text that it was trained on."""

    @staticmethod
    def load(path: str | os.PathLike, template_file: str = '') -> ChatTemplate:
        """The template of a model directory."""

    @staticmethod
    def parse(jinja: str, tokens: Mapping[str, str] = {}) -> ChatTemplate:
        """A template from memory."""

    def render(self, messages: list[dict], add_generation_prompt: bool = True, **variables: Any) -> str:
        """The text of messages [{'role': ..., 'content': ...}, ...]."""

class StreamDecoder:
    """Decodes ids one at a time and never splits a character."""

    def __init__(self, tokenizer: Tokenizer, skip_special: bool = False) -> None: ...

    def push(self, id: int) -> str: ...

    def finish(self) -> str: ...

class ModelConfig:
    """Hyper-parameters, named as in Hugging Face's config.json."""

    def __init__(self, **fields: Any) -> None: ...

    @property
    def architecture(self) -> str: ...

    @architecture.setter
    def architecture(self, arg: str, /) -> None: ...

    @property
    def vocab_size(self) -> int: ...

    @vocab_size.setter
    def vocab_size(self, arg: int, /) -> None: ...

    @property
    def hidden_size(self) -> int: ...

    @hidden_size.setter
    def hidden_size(self, arg: int, /) -> None: ...

    @property
    def intermediate_size(self) -> int: ...

    @intermediate_size.setter
    def intermediate_size(self, arg: int, /) -> None: ...

    @property
    def num_hidden_layers(self) -> int: ...

    @num_hidden_layers.setter
    def num_hidden_layers(self, arg: int, /) -> None: ...

    @property
    def num_attention_heads(self) -> int: ...

    @num_attention_heads.setter
    def num_attention_heads(self, arg: int, /) -> None: ...

    @property
    def num_key_value_heads(self) -> int: ...

    @num_key_value_heads.setter
    def num_key_value_heads(self, arg: int, /) -> None: ...

    @property
    def max_position_embeddings(self) -> int: ...

    @max_position_embeddings.setter
    def max_position_embeddings(self, arg: int, /) -> None: ...

    @property
    def rope_theta(self) -> float: ...

    @rope_theta.setter
    def rope_theta(self, arg: float, /) -> None: ...

    @property
    def rms_norm_eps(self) -> float: ...

    @rms_norm_eps.setter
    def rms_norm_eps(self, arg: float, /) -> None: ...

    @property
    def initializer_range(self) -> float: ...

    @initializer_range.setter
    def initializer_range(self, arg: float, /) -> None: ...

    @property
    def tie_word_embeddings(self) -> bool: ...

    @tie_word_embeddings.setter
    def tie_word_embeddings(self, arg: bool, /) -> None: ...

    @property
    def hidden_act(self) -> str: ...

    @hidden_act.setter
    def hidden_act(self, arg: str, /) -> None: ...

    @property
    def bos_token_id(self) -> int: ...

    @bos_token_id.setter
    def bos_token_id(self, arg: int, /) -> None: ...

    @property
    def eos_token_ids(self) -> list[int]: ...

    @eos_token_ids.setter
    def eos_token_ids(self, arg: Sequence[int], /) -> None: ...

    def __repr__(self) -> str: ...

class ModelInfo:
    """What a model is made of."""

    @property
    def parameters(self) -> int: ...

    @property
    def ternary_parameters(self) -> int: ...

    @property
    def ternary_bytes(self) -> int: ...

    @property
    def resident_bytes(self) -> int: ...

    @property
    def head_bytes(self) -> int: ...

    @property
    def bits_per_weight(self) -> float: ...

    @property
    def f32_bytes(self) -> int: ...

    @property
    def f16_bytes(self) -> int: ...

    @property
    def packed_bytes(self) -> int: ...

    def __repr__(self) -> str: ...

class _Model:
    """What tern.Model is made of."""

    @staticmethod
    def load(path: str | os.PathLike, device: Device | str | None = None, head: str | None = None) -> _Model: ...

    @staticmethod
    def create(config: ModelConfig, seed: int = 0, device: Device | str | None = None) -> _Model: ...

    @property
    def config(self) -> ModelConfig: ...

    @property
    def device(self) -> Device: ...

    @property
    def packed(self) -> bool:
        """Whether it has ternary codes only, and no masters to train."""

    @property
    def info(self) -> ModelInfo: ...

    @property
    def head(self) -> str:
        """How the head computes logits: 'full', 'screened', 'int8' or 'int4'."""

    @head.setter
    def head(self, arg: str, /) -> None: ...

    def __call__(self, ids: Any) -> Tensor:
        """Logits [batch, tokens, vocab] of ids [batch, tokens]."""

    def training_logits(self, ids: Any) -> Tensor:
        """The same logits with the graph behind them: for losses of one's own."""

    def loss(self, ids: Any, labels: Any = None, *, recompute: bool = False) -> Tensor:
        """
        The mean cross-entropy of labels (ids itself if None), as Hugging Face defines it: the logits of a token are held against the next label, and -100 is ignored.
        """

    def named_parameters(self) -> list[tuple[str, Tensor]]:
        """Names as in Hugging Face's files, and the weights themselves."""

    def requantize(self) -> None:
        """
        Quantizes the masters anew: to be called after they change, before the model runs.
        """

    def save(self, path: str | os.PathLike, *, packed: bool | None = None) -> None:
        """
        Writes config.json and model.safetensors: ternary codes (packed=True) or f32 masters; as it is held if None.
        """

    def __repr__(self) -> str: ...

class TokenLogprob:
    @property
    def id(self) -> int: ...

    @property
    def logprob(self) -> float: ...

    def __repr__(self) -> str: ...

class GeneratedToken:
    @property
    def id(self) -> int: ...

    @property
    def logprob(self) -> float | None: ...

    @property
    def top(self) -> list[TokenLogprob]: ...

class GenerateResult:
    """What was generated."""

    @property
    def text(self) -> str: ...

    @property
    def ids(self) -> list[int]: ...

    @property
    def logprobs(self) -> list[GeneratedToken]: ...

    @property
    def finish_reason(self) -> str:
        """'stop', 'length', 'context' or 'cancelled'."""

    @property
    def prompt_tokens(self) -> int: ...

    @property
    def cached_tokens(self) -> int: ...

    @property
    def drafted_tokens(self) -> int: ...

    @property
    def accepted_tokens(self) -> int: ...

    @property
    def prefill_tokens_per_second(self) -> float: ...

    @property
    def decode_tokens_per_second(self) -> float: ...

    def __str__(self) -> str: ...

    def __repr__(self) -> str: ...

class Engine:
    """Runs many requests at once (continuous batching), one step at a time."""

    def __init__(self, model: _Model, tokenizer: Tokenizer, *, kv: str = 'f16', max_sequences: int = 16, kv_tokens: int = 0, prefill_chunk: int = 512, reuse_prefixes: bool = True, speculation: _Model | str | None = None, max_draft: int = 8) -> None: ...

    def submit(self, prompt: Any, *, max_tokens: int = 128, temperature: float = 0.0, top_k: int = 0, top_p: float = 1.0, min_p: float = 0.0, repetition_penalty: float = 1.0, seed: int = 0, stop: Sequence[str] = (), stop_ids: Sequence[int] = (), ignore_eos: bool = False, add_bos: bool = True, grammar: Grammar | None = None, top_logprobs: int = -1, context: str = 'stop', keep: int = 0, on_text: Callable[[str], object] | None = None) -> int:
        """
        Queues a request and gives its number. The prompt is text or ids. on_text gets each piece of text once it is final and ends the request by returning something false other than None.
        """

    def step(self) -> bool:
        """One pass over what runs. False when nothing is left to do."""

    def run_until_idle(self) -> None:
        """Steps until nothing is left to do. Ctrl-C ends it between two steps."""

    def cancel(self, id: int) -> bool:
        """Ends a request before the next step, with what it has."""

    def take(self, id: int) -> GenerateResult | None:
        """The result of a finished request, once; None while it waits or runs."""

class _Adamw:
    """What tern.optim.AdamW is made of."""

    def __init__(self, named_parameters: Sequence[tuple[str, Tensor]]) -> None: ...

    def gradient_norm(self) -> float: ...

    def step(self, *, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, grad_scale: float) -> None: ...

    @property
    def steps(self) -> int: ...

    def state(self) -> dict[str, Tensor]: ...

    def load_state(self, state: dict[str, Tensor], steps: int) -> None: ...

def _clip_scale(norm: float, max_norm: float) -> float: ...

class TrainConfig:
    """
    All that a training run depends on besides its data: the fields of `tern train`, the model's included.
    """

    def __init__(self, **fields: Any) -> None: ...

    def __getattr__(self, name: str, /) -> Any: ...

    def to_dict(self) -> dict: ...

    @property
    def model(self) -> ModelConfig: ...

    def scheduled_rates(self, step: int) -> tuple[float, float]:
        """Learning rate and weight decay of a step, counted from 1."""

    def __repr__(self) -> str: ...

class StepReport:
    """What a finished step reports."""

    @property
    def step(self) -> int: ...

    @property
    def steps(self) -> int: ...

    @property
    def loss(self) -> float: ...

    @property
    def grad_norm(self) -> float: ...

    @property
    def lr(self) -> float: ...

    @property
    def tokens(self) -> int: ...

    @property
    def tokens_per_second(self) -> float: ...

    @property
    def seconds_left(self) -> float: ...

    @property
    def validation_loss(self) -> float | None: ...

    @property
    def validation_bits_per_byte(self) -> float | None: ...

    def __repr__(self) -> str: ...

class Evaluation:
    """A model measured on a text."""

    @property
    def tokens(self) -> int: ...

    @property
    def loss(self) -> float: ...

    @property
    def perplexity(self) -> float: ...

    @property
    def bits_per_byte(self) -> float: ...

    @property
    def tokens_per_second(self) -> float: ...

    def __repr__(self) -> str: ...

def _train(config: TrainConfig, train_ids: object, validation_ids: object | None, validation_bytes_per_token: float, tokenizer: Tokenizer, directory: str | os.PathLike, resume: bool, on_step: object | None, on_warning: object | None, device: Device | str | None | None) -> _Model: ...

def _evaluate(model: _Model, ids: object, bytes: int, window: int, kv: str) -> Evaluation: ...
