# SPDX-License-Identifier: Apache-2.0
"""Hugging Face's logits, losses, gradients, continuations and training traces, from Python alone."""
import numpy as np
import tern
from conftest import distance, tolerance


def test_logits(any_model):
    logits = any_model.load()(any_model.expected["input_ids"])
    assert logits.dtype == tern.float32
    assert distance(logits, any_model.expected["logits"]) < tolerance("logits", any_model.name)


def test_logits_of_lists_and_arrays(any_model):
    model, ids = any_model.load(), any_model.expected["input_ids"]
    of_tensor = np.asarray(model(ids))
    assert np.array_equal(of_tensor, np.asarray(model(ids.tolist())))
    assert np.array_equal(of_tensor, np.asarray(model(np.asarray(ids).astype(np.int32))))


def test_greedy_continuation(any_model):
    ids = any_model.expected["greedy_ids"].tolist()[0]
    result = any_model.load().generate(ids[:8], max_tokens=24, ignore_eos=True)
    assert result.ids == ids[8:]
    assert result.finish_reason == "length"


def test_loss_and_gradients(online_model):
    model, expected = online_model.load(), online_model.expected
    ids = expected["input_ids"]
    loss = model.loss(ids)
    assert distance(loss.item(), expected["loss"].item()) < tolerance("loss", online_model.name)
    # The labels of Hugging Face are not shifted by the caller.
    assert model.loss(ids, ids).item() == loss.item()
    loss.backward()
    named = dict(model.named_parameters())
    assert {"grad." + name for name in named} == {name for name in expected if name.startswith("grad.")}
    for name, value in named.items():
        assert distance(value.grad, expected["grad." + name]) < tolerance("grad", online_model.name), name


def test_ignored_labels(online_model):
    model, ids = online_model.load(), np.asarray(online_model.expected["input_ids"])
    labels = ids.copy()
    labels[:, : ids.shape[1] // 2] = -100
    logits = np.asarray(model(ids), dtype=np.float64)[:, :-1]
    wanted = labels[:, 1:]
    rows = np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1)) + logits.max(-1)
    losses = rows - np.take_along_axis(logits, np.maximum(wanted, 0)[..., None], -1)[..., 0]
    assert abs(model.loss(ids, labels).item() - losses[wanted != -100].mean()) < 1e-5


def test_training_trace(online_model):
    model, expected = online_model.load(), online_model.expected
    optimizer = tern.optim.AdamW(model, lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    losses, norms = [], []
    for i in range(20):
        loss = model.loss(expected["train.batches"][i])
        loss.backward()
        losses.append(loss.item())
        norms.append(optimizer.step(max_norm=1.0))
    # Traces part at rounding edges, those of one program on two machines as well (tests/train/fixture_training_test.cpp).
    assert distance(losses[:1], expected["train.losses"][:1]) < 1e-3
    assert distance(losses, expected["train.losses"]) < 2e-2
    assert distance(norms, expected["train.grad_norms"]) < 1e-1
    assert optimizer.steps == 20


def test_saving_and_loading(online_model, tmp_path):
    model, ids = online_model.load(), online_model.expected["input_ids"]
    logits = np.asarray(model(ids))
    model.save(tmp_path / "packed", packed=True)
    model.save(tmp_path / "masters")
    packed = tern.load(tmp_path / "packed")
    assert packed.packed and not model.packed
    # Norms and the embedding are kept in f32, and the codes are the same.
    assert np.array_equal(np.asarray(packed(ids)), logits)
    assert np.array_equal(np.asarray(tern.load(tmp_path / "masters")(ids)), logits)
