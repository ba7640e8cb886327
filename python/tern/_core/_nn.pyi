"""Functions of networks."""

import tern._core


def relu(x: tern._core.Tensor) -> tern._core.Tensor:
    """max(x, 0)"""

def relu2(x: tern._core.Tensor) -> tern._core.Tensor:
    """The square of relu(x)."""

def sigmoid(x: tern._core.Tensor) -> tern._core.Tensor:
    """1 / (1 + exp(-x))"""

def silu(x: tern._core.Tensor) -> tern._core.Tensor:
    """x * sigmoid(x)"""

def rsqrt(x: tern._core.Tensor) -> tern._core.Tensor:
    """1 / sqrt(x)"""

def softmax(x: tern._core.Tensor) -> tern._core.Tensor:
    """Softmax over the last axis."""

def relu2_gate(gate: tern._core.Tensor, up: tern._core.Tensor) -> tern._core.Tensor:
    """relu2(gate) * up"""

def rms_norm(x: tern._core.Tensor, weight: tern._core.Tensor, eps: float = 9.999999747378752e-06) -> tern._core.Tensor:
    """x * weight / sqrt(mean(x * x) + eps) over the last axis."""

def rope(x: tern._core.Tensor, positions: tern._core.Tensor, cos: tern._core.Tensor, sin: tern._core.Tensor) -> tern._core.Tensor:
    """
    Rotary embedding: x [batch, tokens, heads, dim], positions int32 [batch, tokens], cos and sin [positions, dim / 2].
    """

def linear(x: tern._core.Tensor, weight: tern._core.Tensor) -> tern._core.Tensor:
    """x times the transposed weight [out, in]."""

def embedding(table: tern._core.Tensor, ids: tern._core.Tensor) -> tern._core.Tensor:
    """Rows of the table; ids int64."""

def attention(q: tern._core.Tensor, k: tern._core.Tensor, v: tern._core.Tensor, scale: float) -> tern._core.Tensor:
    """
    Causal grouped-query attention: q [batch, tokens, heads, dim], k and v [batch, tokens, kv_heads, dim].
    """

def cross_entropy(logits: tern._core.Tensor, targets: tern._core.Tensor) -> tern._core.Tensor:
    """
    The mean of -log softmax(logits)[target] over the targets other than -100; targets int64.
    """

def cross_entropy_rows(logits: tern._core.Tensor, targets: tern._core.Tensor) -> tern._core.Tensor:
    """cross_entropy of each row, 0 where ignored."""

def linear_cross_entropy(hidden: tern._core.Tensor, weight: tern._core.Tensor, targets: tern._core.Tensor) -> tern._core.Tensor:
    """
    cross_entropy(linear(hidden, weight), targets) whose logits never exist as a whole.
    """
