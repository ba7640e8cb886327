#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Loss curves of the same ternary model on the same text: `tern train` on an NVIDIA GPU beside PyTorch.

Usage: loss_curve.py tern    --tern TERN --data FILE … --work FOLDER [--precision bf16|f32] [--seeds 0,1,2] --out FILE
       loss_curve.py torch   --work FOLDER [--seeds 0,1,2] --out FILE
       loss_curve.py compare --torch FILE --tern FILE …

`tern` trains a byte-level BPE of 8192 tokens on the data once, in FOLDER, keeps there the token ids and each seed's fresh
weights, and runs once for each seed; `torch` takes those. Both train a model of 17 M parameters (--hidden and so on change
it) for 300 steps of 64 x 512 tokens with AdamW (0.9, 0.95), weight decay 0.1 then 0, gradients clipped at 1 and the
two-stage schedule of b1.58, from the same weights, normal of deviation 0.02, on the same batches. PyTorch's model is
BitLinear by fake quantization in bf16 autocast, as such models are trained there. FILEs are JSON. With --device cpu
--precision f32, a smaller model (--hidden 64 --batch 4 and so on) and --no-compile both differ by the rounding of f32 alone.

`compare` takes the mean loss of the steps of WINDOWS. A curve of Tern passes a window when its mean over the seeds is not
above the largest of PyTorch's seeds, and is within their range when it is not below the least, either; by chance alone one
curve in 5 of 3 seeds and one in 25 of 6 would not pass. It also tells the mean difference of the same seeds and its standard
error. Runs of a seed whose learning rates differ in the seventh digit end 0.02 apart. Nothing has been compared where a
seed's first losses differ: they are of the same weights and the same batch.
"""
import argparse
import array
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

WINDOWS = [(41, 50), (91, 100), (191, 200), (251, 300)]
FIRST_LOSSES = 1e-3  # bf16 was seen to change a first loss by up to 3e-4, of 256 tokens; other batches by 2e-3 to 3e-2
MASK = (1 << 64) - 1


# ---------------------------------------------------------------- the batches that Tern takes (src/train/dataset.cpp)


def random_bits(seed, counter):
    def mix(z):
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
        return z ^ (z >> 31)

    golden = 0x9E3779B97F4A7C15
    return mix((mix((seed + golden) & MASK) + counter * golden) & MASK)


def permuted(index, count, key):
    half = ((count - 1).bit_length() + 1) // 2
    mask = (1 << half) - 1
    while True:
        left, right = index >> half, index & mask
        for step in range(4):
            left, right = right, left ^ (random_bits((key + step) & MASK, right) & mask)
        index = left << half | right
        if index < count:
            return index


def window_begin(sample, tokens, length, seed):
    windows = max(1, tokens // length - 1)
    epoch = sample // windows
    offset = random_bits(seed ^ int.from_bytes(b"offset", "big"), epoch) * (tokens - windows * length) >> 64
    return offset + permuted(sample % windows, windows, random_bits(seed ^ int.from_bytes(b"order", "big"), epoch)) * length


def rates(arguments, step):
    """Learning rate and weight decay (include/tern/train.h, scheduled_rates)."""
    split = int(arguments.steps * 0.5 + 0.5)
    if step > split:
        return arguments.lr * (2 / 3) * (arguments.steps + 1 - step) / (arguments.steps - split), 0.0
    line = 1 - 0.5 * max(0, step - arguments.warmup) / max(1, split - arguments.warmup)
    return arguments.lr * min(line, step / arguments.warmup if step < arguments.warmup else line), 0.1


# ---------------------------------------------------------------- Tern


def checked(command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr[-2000:]}")
    return done.stdout


def train(a, seed, out, steps, lr, warmup):
    command = [a.tern, "train", "--data", *a.data, "--out", out, "--device", a.device, "--precision", a.precision, "--seed", seed]
    tokenizer = a.work / "tokenizer.json"
    command += ["--tokenizer", tokenizer] if tokenizer.exists() else ["--vocab-size", a.vocabulary]
    command += ["--validation-share", 0, "--eval-every", 0, "--checkpoint-every", 0, "--keep-checkpoints", 1, "--progress", "lines"]
    command += ["--hidden-size", a.hidden, "--num-hidden-layers", a.layers, "--num-attention-heads", a.heads]
    command += ["--num-key-value-heads", a.heads, "--intermediate-size", a.ffn, "--rope-theta", a.theta, "--initializer-range", 0.02]
    command += ["--sequence-length", a.tokens, "--batch-size", a.batch, "--steps", steps, "--lr", lr]
    command += ["--warmup-steps", warmup, "--weight-decay", 0.1, "--beta1", 0.9, "--beta2", 0.95, "--clip", 1, "--json"]
    checked(command)
    if not tokenizer.exists():
        tokenizer.write_text((out / "tokenizer.json").read_text())


def fresh_weights(a, seed):
    return a.work / f"fresh-{seed}.safetensors"


def keep_fresh_weights(a, seed):
    """By a step too small to move one, after which a run leaves them."""
    if fresh_weights(a, seed).exists():
        return
    with tempfile.TemporaryDirectory(dir=a.work) as folder:
        train(a, seed, pathlib.Path(folder) / "run", steps=1, lr=1e-30, warmup=0)
        (pathlib.Path(folder) / "run" / "model.safetensors").rename(fresh_weights(a, seed))


def train_tern(a, seed, out):
    train(a, seed, out, a.steps, a.lr, a.warmup)
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return {"seed": seed, "loss": [line["loss"] for line in log], "tokens_per_s": log[-1]["tokens_per_second"]}


def keep_ids(arguments, run):
    """The ids that the trainer reads: each text between the tokens that begin and end one, where the model has such."""
    config = json.loads((run / "config.json").read_text())
    ends = config.get("eos_token_id")
    first, last = [config.get("bos_token_id"), ends[0] if isinstance(ends, list) else ends]
    special = {token["id"] for token in json.loads((arguments.work / "tokenizer.json").read_text())["added_tokens"] if token["special"]}
    # Of bytes: read_text() turns the ends of lines that are CR LF, and are so to the trainer, into LF.
    lines = "".join(json.dumps({"text": pathlib.Path(file).read_bytes().decode()}) + "\n" for file in arguments.data)
    told = checked([arguments.tern, "tokenize", arguments.work / "tokenizer.json", "--no-special", "--jsonl", "-"], input=lines)
    ids = array.array("H")
    for line in told.splitlines():
        ids.extend([first] if first in special else [])
        ids.extend(json.loads(line)["ids"])
        ids.extend([last] if last in special else [])
    (arguments.work / "ids.u16").write_bytes(ids.tobytes())


def tern(arguments):
    arguments.work.mkdir(parents=True, exist_ok=True)
    runs = []
    for seed in arguments.seeds:
        out = arguments.work / f"run-{arguments.precision}-{seed}"
        keep_fresh_weights(arguments, seed)
        runs.append(train_tern(arguments, seed, out))
        if not (arguments.work / "ids.u16").exists():
            keep_ids(arguments, out)
        print(f"Tern {arguments.precision}, seed {seed}: {runs[-1]['loss'][-1]:.4f} at the end, {runs[-1]['tokens_per_s']:.0f} tokens/s", flush=True)
    return {"name": f"Tern {arguments.precision}", "runs": runs}


# ---------------------------------------------------------------- PyTorch


def torch_model(a):
    import torch
    from torch import nn
    from torch.nn import functional as F

    dtype = torch.bfloat16 if a.precision == "bf16" else torch.float32

    class BitLinear(nn.Linear):
        def __init__(self, inputs, outputs):
            super().__init__(inputs, outputs, bias=False)

        def forward(self, x):
            scale = 127 / x.abs().amax(-1, keepdim=True).clamp(min=1e-5)
            codes = (x * scale).round().clamp(-128, 127) / scale
            inverse = 1 / self.weight.abs().mean().clamp(min=1e-5)
            ternary = (self.weight * inverse).round().clamp(-1, 1) / inverse
            weight = self.weight + (ternary - self.weight).detach()  # straight through
            return F.linear(x + (codes - x).detach(), weight.to(x.dtype))

    class Norm(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(width))

        def forward(self, x):
            return F.rms_norm(x, x.shape[-1:], self.weight.to(x.dtype), 1e-5)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            width, self.heads = a.hidden, a.heads
            self.input_norm, self.post_norm, self.attention_norm, self.ffn_norm = Norm(width), Norm(width), Norm(width), Norm(a.ffn)
            self.q, self.k, self.v, self.o = (BitLinear(width, width) for _ in range(4))
            self.gate, self.up, self.down = BitLinear(width, a.ffn), BitLinear(width, a.ffn), BitLinear(a.ffn, width)

        def forward(self, x, cos, sin):
            def heads(y):
                return y.view(*x.shape[:2], self.heads, -1).transpose(1, 2)

            def rotated(y):
                low, high = y.chunk(2, -1)
                return torch.cat([low * cos - high * sin, high * cos + low * sin], -1)

            n = self.input_norm(x)
            seen = F.scaled_dot_product_attention(rotated(heads(self.q(n))), rotated(heads(self.k(n))), heads(self.v(n)), is_causal=True)
            x = x + self.o(self.attention_norm(seen.transpose(1, 2).reshape(x.shape)))
            n = self.post_norm(x)
            return x + self.down(self.ffn_norm(F.relu(self.gate(n)).square() * self.up(n)))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(a.vocabulary, a.hidden)
            self.blocks = nn.ModuleList(Block() for _ in range(a.layers))
            self.norm = Norm(a.hidden)
            dim = a.hidden // a.heads
            angles = torch.outer(torch.arange(a.tokens), 1 / a.theta ** (torch.arange(0, dim, 2) / dim))
            self.register_buffer("cos", angles.cos())
            self.register_buffer("sin", angles.sin())

        def forward(self, ids, targets):
            x = self.embedding(ids).to(dtype)
            cos, sin = self.cos.to(dtype), self.sin.to(dtype)
            for block in self.blocks:
                x = block(x, cos, sin)
            logits = F.linear(self.norm(x), self.embedding.weight.to(dtype)).float()
            return F.cross_entropy(logits.view(-1, a.vocabulary), targets.reshape(-1))

    return Model().to(a.device)


# Of a block, here and in Hugging Face's files.
NAMES = {
    "input_norm": "input_layernorm",
    "post_norm": "post_attention_layernorm",
    "attention_norm": "self_attn.attn_sub_norm",
    "ffn_norm": "mlp.ffn_sub_norm",
    **{name: f"self_attn.{name}_proj" for name in "qkvo"},
    **{name: f"mlp.{name}_proj" for name in ["gate", "up", "down"]},
}


def take_fresh_weights(model, path):
    import torch

    data = bytearray(path.read_bytes())
    size = int.from_bytes(data[:8], "little")
    tensors = json.loads(data[8 : 8 + size])
    places = {f"blocks.{i}.{name}.weight": f"model.layers.{i}.{there}.weight" for i in range(len(model.blocks)) for name, there in NAMES.items()}
    places |= {"embedding.weight": "model.embed_tokens.weight", "norm.weight": "model.norm.weight"}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            tensor = tensors[places[name]]
            if tensor["dtype"] != "F32" or tensor["shape"] != list(parameter.shape):
                sys.exit(f"{path}: expected {places[name]} in F32 {list(parameter.shape)}, got {tensor['dtype']} {tensor['shape']}")
            begin = 8 + size + tensor["data_offsets"][0]
            parameter.copy_(torch.frombuffer(data, dtype=torch.float32, count=parameter.numel(), offset=begin).view(parameter.shape))


def synchronize(a):
    import torch

    if a.device == "cuda":
        torch.cuda.synchronize()


def train_torch(a, seed, ids):
    import torch

    model = torch_model(a)
    take_fresh_weights(model, fresh_weights(a, seed))
    if a.compile:
        for block in model.blocks:
            block.compile()  # all are compiled as one
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95), eps=1e-8, fused=True)
    losses, start = [], 0
    for step in range(1, a.steps + 1):
        first = (step - 1) * a.batch
        begins = [window_begin(first + row, len(ids), a.tokens, seed) for row in range(a.batch)]
        batch = torch.stack([ids[begin : begin + a.tokens + 1] for begin in begins])
        with torch.autocast(a.device, torch.bfloat16, enabled=a.precision == "bf16"):
            loss = model(batch[:, :-1], batch[:, 1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        lr, decay = rates(a, step)
        for group in optimizer.param_groups:
            group["lr"], group["weight_decay"] = lr, decay
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.detach())
        if step == 20:  # compiled and warm
            synchronize(a)
            start = time.perf_counter()
    synchronize(a)
    rate = (a.steps - 20) * a.batch * a.tokens / (time.perf_counter() - start)
    return {"seed": seed, "loss": torch.stack(losses).tolist(), "tokens_per_s": rate}


def torch_side(arguments):
    import torch

    ids = array.array("H")
    ids.frombytes((arguments.work / "ids.u16").read_bytes())
    ids = torch.tensor(ids, dtype=torch.int64, device=arguments.device)
    runs, name = [], f"PyTorch {torch.__version__} {arguments.precision}"
    for seed in arguments.seeds:
        runs.append(train_torch(arguments, seed, ids))
        arguments.out.write_text(json.dumps({"name": name, "runs": runs}) + "\n")  # should it not come to the next
        print(f"PyTorch, seed {seed}: {runs[-1]['loss'][-1]:.4f} at the end, {runs[-1]['tokens_per_s']:.0f} tokens/s", flush=True)
    return {"name": name, "runs": runs}


# ---------------------------------------------------------------- the comparison


def mean_loss(run, window):
    first, last = window
    return statistics.fmean(run["loss"][first - 1 : last])


def means(curve, window):
    return [mean_loss(run, window) for run in curve["runs"]]


def pairs(curve, peer):
    """Runs of the same seed."""
    others = {run["seed"]: run for run in peer["runs"]}
    return [(run, others[run["seed"]]) for run in curve["runs"] if run["seed"] in others]


def other_beginnings(curve, peer):
    """What tells that two curves are of other weights or batches."""
    for run, other in pairs(curve, peer):
        ours, theirs = run["loss"][0], other["loss"][0]
        if abs(ours - theirs) > FIRST_LOSSES:
            yield f"{curve['name']}, seed {run['seed']}: other weights or batches: first loss {ours:.6f}, {peer['name']}'s {theirs:.6f}"


def paired_difference(curve, peer, window):
    """Its mean and standard error, each None where there are too few pairs."""
    differences = [mean_loss(run, window) - mean_loss(other, window) for run, other in pairs(curve, peer)]
    mean = statistics.fmean(differences) if differences else None
    return mean, statistics.stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else None


def compare(arguments):
    peer = json.loads(arguments.torch.read_text())
    curves = [json.loads(path.read_text()) for path in arguments.tern_curves]
    others = [text for curve in curves for text in other_beginnings(curve, peer)]
    if others:
        return {"torch": peer["name"], "error": others[0]}
    steps = min(len(run["loss"]) for curve in [peer, *curves] for run in curve["runs"])
    windows = [window for window in WINDOWS if window[1] <= steps]
    out, passed = [], True
    print("| mean loss of steps | " + " | ".join(f"{first} to {last}" for first, last in windows) + " |\n|---|" + "--:|" * len(windows))
    spans = [(min(means(peer, window)), max(means(peer, window))) for window in windows]
    print(f"| {peer['name']}, {len(peer['runs'])} seeds | " + " | ".join(f"{low:.4f} to {high:.4f}" for low, high in spans) + " |")
    for curve in curves:
        cells = []
        for window, (low, high) in zip(windows, spans):
            values = means(curve, window)
            mean = statistics.fmean(values)
            verdict = "within" if low <= mean <= high else "below" if mean < low else "above"
            passed = passed and verdict != "above"
            difference, error = paired_difference(curve, peer, window)
            paired = "" if error is None else f", {difference:+.4f} ± {error:.4f}"
            cells.append(f"{mean:.4f} ({min(values):.4f} to {max(values):.4f}){paired}, {verdict}")
            row = {"curve": curve["name"], "window": window, "values": values, "mean": mean, "torch": [low, high], "verdict": verdict}
            out.append(row | {"difference": difference, "standard_error": error})
        print(f"| {curve['name']}, {len(curve['runs'])} seeds | " + " | ".join(cells) + " |")
    result = {"torch": peer["name"], "windows": out}
    return result if passed else result | {"error": "a curve of Tern lies above all of PyTorch's"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sides = parser.add_subparsers(dest="side", required=True)
    for side in ["tern", "torch"]:
        sub = sides.add_parser(side)
        sub.add_argument("--work", required=True, type=pathlib.Path)
        sub.add_argument("--out", required=True, type=pathlib.Path)
        sub.add_argument("--seeds", default=[0, 1, 2], type=lambda text: [int(seed) for seed in text.split(",")])
        for name, value in {"vocabulary": 8192, "hidden": 384, "layers": 8, "heads": 6, "ffn": 1024, "batch": 64, "tokens": 512, "steps": 300, "warmup": 30}.items():
            sub.add_argument(f"--{name}", type=int, default=value)
        sub.add_argument("--lr", type=float, default=2e-3)
        sub.add_argument("--theta", type=float, default=500000)
        sub.add_argument("--device", default="cuda")
        sub.add_argument("--precision", default="bf16", choices=["bf16", "f32"])
        if side == "tern":
            sub.add_argument("--tern", required=True)
            sub.add_argument("--data", required=True, nargs="+")
        else:
            sub.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    sub = sides.add_parser("compare")
    sub.add_argument("--torch", required=True, type=pathlib.Path)
    sub.add_argument("--tern", required=True, nargs="+", type=pathlib.Path, dest="tern_curves")
    sub.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    result = {"tern": tern, "torch": torch_side, "compare": compare}[arguments.side](arguments)
    if arguments.out:
        arguments.out.write_text(json.dumps(result) + "\n")
    if "error" in result:
        sys.exit(result["error"])


if __name__ == "__main__":
    main()
