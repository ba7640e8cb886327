# SPDX-License-Identifier: Apache-2.0
"""The tensor object: numbers in and out, operators, indexing, gradients, text."""
import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
import tern


def test_description():
    x = tern.zeros((2, 3, 4), dtype=tern.int16)
    assert (x.shape, x.ndim, x.size, x.strides, x.nbytes) == ((2, 3, 4), 3, 24, (12, 4, 1), 48)
    assert x.mT.shape == (2, 4, 3) and x[0].T.shape == (4, 3)
    assert x.device == tern.default_device() and len(x) == 2
    assert tern.Array is tern.Tensor


def test_a_new_tensor_has_nothing_of_one_that_went():
    old = tern.asarray([1.0])
    old.note, old.itself = "note", old
    seen = weakref.ref(old)
    del old
    gc.collect()
    assert seen() is None
    assert all(not vars(tern.asarray([float(i)])) for i in range(300))


def test_dtypes():
    assert tern.float32 == tern.float32 and tern.float32 != tern.float64
    assert tern.float32 == "float32" and tern.float32 == np.dtype("f4") and tern.int64 == int
    assert repr(tern.bfloat16) == "tern.bfloat16" and str(tern.bool) == "bool"
    assert pickle.loads(pickle.dumps(tern.complex64)) == tern.complex64
    assert {tern.int8: 1}[tern.DType("int8")] == 1
    assert tern.float32 != None and tern.float32 != 3  # noqa: E711


@pytest.mark.parametrize(
    "value, dtype",
    [(True, "bool"), (3, "int64"), (2.5, "float32"), (1 + 2j, "complex64"), ([1, 2.5], "float32"), ([True, 2], "int64"),
     ([], "float32"), ([[], []], "float32"), ([[1, 2], [3, 4]], "int64"), (np.float64(2), "float64"), (range(3), "int64")],
)
def test_asarray_of_python_objects(value, dtype):
    tensor = tern.asarray(value)
    assert tensor.dtype == dtype
    assert np.array_equal(np.asarray(tensor), np.asarray(value))


@pytest.mark.parametrize("value", [[[1], [1, 2]], [1, [2]], [[1], 2], "text", [None], {}, [[], [1]], [[[]], []]])
def test_asarray_refuses(value):
    with pytest.raises(tern.Error):
        tern.asarray(value)


@pytest.mark.parametrize("value, dtype", [(300, "uint8"), (-1, "uint64"), (2**63, "int64"), (2**64, "uint64"), (1j, "float32")])
def test_numbers_without_room(value, dtype):
    with pytest.raises(ValueError):
        tern.asarray(value, dtype=dtype)


def test_numbers_of_python():
    x = tern.asarray(3)
    assert (int(x), float(x), complex(x), bool(x), [0, 1, 2, 3][x]) == (3, 3.0, 3 + 0j, True, 3)
    assert tern.asarray(2**63 + 1, dtype="uint64").item() == 2**63 + 1
    assert isinstance(tern.asarray(True).item(), bool)
    with pytest.raises(TypeError):
        float(tern.asarray([1.0, 2.0]))
    with pytest.raises(TypeError):
        int(tern.asarray(1j))
    with pytest.raises(TypeError):
        range(tern.asarray(1.5))


def test_operators_with_numbers():
    x = tern.asarray([1.0, 2.0])
    for got, wanted in [(x + 1, [2, 3]), (1 - x, [0, -1]), (2 * x, [2, 4]), (2 / x, [2, 1]), (-x, [-1, -2]), (abs(-x), [1, 2])]:
        assert got.dtype == tern.float32 and got.tolist() == wanted
    assert (x > 1).tolist() == [False, True] and (1 < x).tolist() == [False, True]
    assert (x == 2).tolist() == [False, True] and (x != 2).tolist() == [True, False]
    # A number takes the tensor's dtype.
    assert (x.astype(tern.bfloat16) + 1).dtype == tern.bfloat16


def test_operators_with_arrays_of_numpy():
    x, a = tern.asarray([1.0, 2.0]), np.asarray([3, 4], np.float32)
    assert isinstance(a + x, tern.Tensor) and (a - x).tolist() == [2, 2] and (x * a).tolist() == [3, 8]
    assert np.exp(x).tolist() == np.exp([1, 2], dtype=np.float32).tolist()


def test_unknown_operands():
    with pytest.raises(TypeError):
        tern.asarray([1.0]) + "a"
    with pytest.raises(TypeError):
        tern.asarray([1.0]) + None
    assert (tern.asarray([1.0]) == None) is False  # noqa: E711


def test_in_place():
    x = tern.asarray([1.0, 2.0])
    view, same = x[1:], x
    x += 1
    x *= x
    assert same is x and x.tolist() == [4, 9] and view.tolist() == [9]


def test_matmul():
    a, b = np.random.default_rng(0).normal(size=(2, 2, 3, 3)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(tern.asarray(a) @ tern.asarray(b)), a @ b, rtol=1e-5, atol=1e-6)


KEYS = [np.s_[0], np.s_[-1], np.s_[1:], np.s_[::-1], np.s_[..., 0], np.s_[:, 1:3, ::2], np.s_[None], np.s_[:, None, 1],
        np.s_[1, ..., 2:], np.s_[5:1], np.s_[::-2, -1], np.s_[-3:-1, ::-1], np.s_[()], np.s_[0, 0, 0], np.s_[10:], np.s_[:-10]]


@pytest.mark.parametrize("key", KEYS)
def test_indexing(key):
    array = np.arange(60).reshape(3, 4, 5)
    tensor = tern.asarray(array.copy())
    assert np.array_equal(np.asarray(tensor[key]), array[key])
    tensor[key] = 7
    array[key] = 7
    assert np.array_equal(np.asarray(tensor), array)


@pytest.mark.parametrize("key", [3, -4, np.s_[0, 0, 0, 0], np.s_[..., ...], np.s_[0, 9]])
def test_indices_that_there_are_not(key):
    with pytest.raises(IndexError):
        tern.zeros((3, 4, 5))[key]


def test_iteration():
    assert [row.tolist() for row in tern.asarray([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]
    a, b = tern.asarray([1, 2])
    assert (int(a), int(b)) == (1, 2)
    with pytest.raises(TypeError):
        iter(tern.asarray(1))


def test_copies():
    x = tern.asarray([1.0])
    for y in (copy.copy(x), copy.deepcopy(x)):
        assert y.data_ptr != x.data_ptr and y.tolist() == [1]


def test_gradients():
    w = tern.nn.parameter(tern.asarray([1.0, 2.0, 3.0]))
    assert w.grad is None and w.requires_grad
    (w * w).backward(tern.asarray([1.0, 1.0, 2.0]))
    assert w.grad.tolist() == [2, 4, 12]
    tern.sum(w.detach() * w).backward()
    assert w.grad.tolist() == [3, 6, 15]
    w.grad = None
    assert w.grad is None
    loss = tern.sum(w)
    loss.backward()
    with pytest.raises(tern.Error):
        loss.backward()


def test_reductions_and_shapes():
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    x = tern.asarray(array)
    assert tern.sum(x).item() == array.sum()
    assert np.array_equal(np.asarray(tern.sum(x, axis=(0, -1), keepdims=True)), array.sum((0, -1), keepdims=True))
    assert np.array_equal(np.asarray(tern.max(x, axis=1)), array.max(1))
    assert tern.argmax(x).item() == 23
    assert np.array_equal(np.asarray(tern.reshape(x, (4, -1))), array.reshape(4, -1))
    assert np.array_equal(np.asarray(tern.permute_dims(x, (2, 0, 1))), array.transpose(2, 0, 1))
    assert np.array_equal(np.asarray(tern.concat([x, x], axis=1)), np.concatenate([array, array], 1))


def test_methods():
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    x = tern.asarray(array)
    for got, wanted in [(x.sum(), array.sum()), (x.mean(0), array.mean(0)), (x.max((0, 1)), array.max((0, 1))),
                        (x.reshape(4, -1), array.reshape(4, -1)), (x.reshape((6, 4)), array.reshape(6, 4)),
                        (x.transpose(), array.transpose()), (x.transpose(1, 0, 2), array.transpose(1, 0, 2)),
                        (x.flatten(), array.flatten()), (x.argmax(1), array.argmax(1)), (x.std(), array.std())]:
        np.testing.assert_allclose(np.asarray(got), wanted, rtol=1e-6)
    assert x.copy().data_ptr != x.data_ptr and x.ravel().data_ptr == x.data_ptr


def test_devices():
    assert "cpu" in tern.Device.names() and "scalar" in tern.Device.cpu_isas()
    best = tern.Device("cpu", isa=tern.Device.cpu_isas()[-1])
    assert best.name == "cpu" and best.isa == tern.Device.cpu_isas()[-1]


def test_memory_report():
    x = tern.zeros((4, 6), dtype=tern.float64)
    whole = x.memory_report()
    assert whole == {"dtype": tern.float64, "shape": (4, 6), "strides": (6, 1), "contiguous": True, "bytes": 192, "storage_bytes": 192,
                     "offset": 0, "sharers": 1, "owned": True, "label": ""}
    part = x[1:, ::2].memory_report()
    assert (part["shape"], part["strides"], part["contiguous"]) == ((3, 3), (6, 2), False)
    assert (part["bytes"], part["storage_bytes"], part["offset"], part["sharers"]) == (72, 192, 48, 2)
    assert x.memory_report()["sharers"] == 1
    memory = np.zeros(5, dtype=np.float32)
    assert not tern.asarray(memory, copy=False).memory_report()["owned"]
