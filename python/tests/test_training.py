# SPDX-License-Identifier: Apache-2.0
"""Training whole runs, and by hand with modules of one's own."""
import numpy as np
import pytest
import tern
from conftest import TEXT

SIZES = dict(vocab_size=320, hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=2,
             num_key_value_heads=1, max_position_embeddings=128, sequence_length=32, batch_size=4)


def test_a_run_and_its_continuation(tokenizer, tmp_path):
    reports = []
    config = tern.TrainConfig(**SIZES, steps=6, checkpoint_every=3)
    model = tern.train(config, TEXT, tokenizer, tmp_path / "whole", validation=TEXT[:2000], on_step=reports.append)
    assert [report.step for report in reports] == list(range(1, 7))
    assert reports[-1].validation_bits_per_byte > 0 and reports[0].validation_loss is None

    class Enough(Exception):
        pass

    def stop_at_three(report):
        if report.step == 3:
            raise Enough

    with pytest.raises(Enough):
        tern.train(config, TEXT, tokenizer, tmp_path / "parts", validation=TEXT[:2000], on_step=stop_at_three)
    rest = []
    again = tern.train(config, TEXT, tokenizer, tmp_path / "parts", validation=TEXT[:2000], resume=True, on_step=rest.append)
    assert [report.loss for report in rest] == [report.loss for report in reports[3:]]
    ids = [tokenizer.encode(TEXT[:100])]
    assert np.array_equal(np.asarray(again(ids)), np.asarray(model(ids)))
    assert np.array_equal(np.asarray(tern.load(tmp_path / "whole")(ids)), np.asarray(model(ids)))


def test_config():
    config = tern.TrainConfig(**SIZES, steps=10, warmup_steps=2, lr=1.0)
    assert config.hidden_size == 64 and config.model.hidden_size == 64 and config.to_dict()["steps"] == 10
    assert config.scheduled_rates(1)[0] == 0.5
    with pytest.raises(AttributeError):
        config.nothing
    with pytest.raises(ValueError, match="hidden_size"):
        tern.TrainConfig(hiden_size=64)
    with pytest.raises(ValueError):
        tern.ModelConfig(hidden_size=-1)
    with pytest.raises(TypeError):
        tern.ModelConfig(nothing=1)


def test_evaluation(small_model, tokenizer):
    evaluation = tern.evaluate(small_model, TEXT[:3000], window=64)
    assert evaluation.tokens == len(tokenizer.encode(TEXT[:3000])) - 1
    assert abs(evaluation.perplexity - np.exp(evaluation.loss)) < 1e-6 * evaluation.perplexity


@pytest.mark.parametrize("layer", [tern.nn.Linear, tern.nn.BitLinear])
def test_modules_learn(layer):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(64, 8)).astype(np.float32)
    wanted = tern.asarray(np.sign(x[:, :1] * x[:, 1:2]).astype(np.float32))
    net = tern.nn.Sequential(layer(8, 32, seed=1), tern.nn.silu, tern.nn.RMSNorm(32), layer(32, 1, seed=2))
    assert [name for name, _ in net.named_parameters()] == ["parts.0.weight", "parts.2.weight", "parts.3.weight"]
    optimizer = tern.optim.AdamW(net, lr=1e-2, weight_decay=0.0)
    losses = []
    for _ in range(60):
        error = net(tern.asarray(x)) - wanted
        loss = tern.mean(error * error)
        loss.backward()
        optimizer.step(max_norm=1.0)
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_ternary_numerics():
    weight = np.random.default_rng(0).normal(size=(48, 64)).astype(np.float32)
    codes, scale = tern.quant.absmean(tern.asarray(weight))
    assert abs(scale - np.abs(weight).mean()) < 1e-6
    wanted = np.clip(np.rint(weight / scale), -1, 1)
    assert np.array_equal(np.asarray(codes), wanted)
    packed = tern.quant.pack(tern.asarray(weight))
    assert np.array_equal(np.asarray(tern.quant.unpack_ternary(packed)), wanted)
    x = np.random.default_rng(1).normal(size=(5, 64)).astype(np.float32)
    rows = tern.quant.quantize_rows(tern.asarray(x))
    q = np.asarray(rows.q)[:, :64].astype(np.int32)
    assert np.array_equal(np.asarray(tern.quant.ternary_linear_sums(rows, packed)), q @ wanted.T.astype(np.int32))
    np.testing.assert_allclose(np.asarray(tern.quant.ternary_linear(rows, packed)), (q @ wanted.T) * scale / np.asarray(rows.scale)[:, None], rtol=1e-6)


def test_optimizer_state():
    w = tern.nn.parameter(tern.ones((3,)))
    optimizer = tern.optim.AdamW([w], lr=0.1)
    tern.sum(w).backward()
    optimizer.step()
    saved = optimizer.state_dict()
    other = tern.optim.AdamW([w])
    other.load_state_dict(saved)
    assert other.steps == 1 and other.state_dict()["state"]["m.0"].tolist() == saved["state"]["m.0"].tolist()


def test_schedules():
    rate = tern.optim.LinearWarmup(1.0, warmup=4, steps=12, end=0.5)
    assert [rate(step) for step in (1, 4, 8, 12)] == [0.25, 1.0, 0.75, 0.5]
    assert tern.optim.TwoStage(steps=10, warmup_steps=2, lr=1.0)(1)[0] == 0.5
