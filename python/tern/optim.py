# SPDX-License-Identifier: Apache-2.0
"""Optimizers and schedules."""
from . import _core
from ._core import _clip_scale
from .model import Model


class AdamW:
    """AdamW (arXiv 1711.05101) on a Model, a Module, or a list of (name, tensor) or of tensors.

    The learning rate and weight decay are attributes, to be changed between steps.
    """

    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1):
        self._model = parameters if isinstance(parameters, Model) else None
        named = parameters.named_parameters() if hasattr(parameters, "named_parameters") else parameters
        named = [item if isinstance(item, tuple) else (str(i), item) for i, item in enumerate(named)]
        self._core = _core._Adamw(named)
        self._named = named
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay

    @property
    def steps(self) -> int:
        """Taken so far."""
        return self._core.steps

    def gradient_norm(self) -> float:
        """The norm of all gradients together."""
        return self._core.gradient_norm()

    def step(self, *, max_norm=0.0) -> float:
        """Updates the parameters and drops the gradients, scaled down to `max_norm` together (0: as they are).

        A Model is quantized anew. Returns the norm before scaling.
        """
        norm = self.gradient_norm()
        self._core.step(
            lr=self.lr,
            beta1=self.betas[0],
            beta2=self.betas[1],
            eps=self.eps,
            weight_decay=self.weight_decay,
            grad_scale=_clip_scale(norm, max_norm),
        )
        if self._model is not None:
            self._model.requantize()
        return norm

    def zero_grad(self):
        for _, value in self._named:
            value.grad = None

    def state_dict(self):
        """The moments, which share memory with the optimizer, and the number of steps."""
        return {"state": self._core.state(), "steps": self.steps}

    def load_state_dict(self, state):
        self._core.load_state(state["state"], state["steps"])

    def __repr__(self):
        return f"AdamW({len(self._named)} tensors, lr={self.lr}, steps={self.steps})"


class LinearWarmup:
    """Learning rates that rise to `lr` over some steps, then fall in a line to `end` * lr at the last."""

    def __init__(self, lr, warmup, steps, end=0.0):
        self.lr, self.warmup, self.steps, self.end = lr, warmup, steps, end

    def __call__(self, step):
        """Of a step, counted from 1."""
        if step < self.warmup:
            return self.lr * step / self.warmup
        share = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.lr * (1 + (self.end - 1) * min(1.0, share))


class TwoStage:
    """Learning rate and weight decay of b1.58's two stages (arXiv 2411.04965); fields as TrainConfig's."""

    def __init__(self, **fields):
        self.config = _core.TrainConfig(**fields)

    def __call__(self, step):
        """(learning rate, weight decay) of a step, counted from 1."""
        return self.config.scheduled_rates(step)
