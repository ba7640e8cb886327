# SPDX-License-Identifier: Apache-2.0
"""Training and evaluation."""
import os

from . import _core
from ._core import TrainConfig
from .model import Model


def train(config: TrainConfig, text, tokenizer, directory, *, validation=None, resume=False, on_step=None, on_warning=None, device=None):
    """Trains a model in `directory`, with checkpoints and a log, and returns it.

    text, validation: text, or token ids. on_step gets a StepReport after each step. Ctrl-C, and whatever a callback raises,
    ends training after the step with a checkpoint, from which resume=True goes on to the same bits.
    """
    train_ids = tokenizer.encode(text) if isinstance(text, str) else text
    validation_ids, bytes_per_token = validation, 0.0
    if isinstance(validation, str):
        validation_ids = tokenizer.encode(validation)
        bytes_per_token = len(validation.encode()) / max(1, len(validation_ids))
    core = _core._train(
        config, train_ids, validation_ids, bytes_per_token, tokenizer, os.fspath(directory), resume, on_step, on_warning, device
    )
    return Model(core, tokenizer)


def evaluate(model: Model, text, *, window=None, kv="f32"):
    """The loss on a text, or on token ids, in windows that overlap by one token."""
    ids, size = text, 0
    if isinstance(text, str):
        ids, size = model.tokenizer.encode(text), len(text.encode())
    limit = model.config.max_position_embeddings + 1
    return _core._evaluate(model._core, ids, size, min(window or limit, limit), kv)
