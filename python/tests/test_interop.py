# SPDX-License-Identifier: Apache-2.0
"""Memory shared with NumPy and through DLPack: the same addresses, kept as long as either side needs it."""
import gc
import weakref

import numpy as np
import pytest
import tern

DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
          "complex64", "complex128"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_both_ways(dtype):
    array = np.arange(12).reshape(3, 4).astype(dtype)
    tensor = tern.asarray(array)
    assert tensor.dtype == dtype and tensor.dtype == array.dtype
    assert tensor.data_ptr == array.ctypes.data
    back = np.asarray(tensor)
    assert back.dtype == array.dtype and back.ctypes.data == array.ctypes.data
    assert np.array_equal(back, array)
    assert tensor.tolist() == array.tolist()


@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if dtype != "bool"])  # NumPy 1.24 has no bools of DLPack
def test_dlpack_both_ways(dtype):
    array = np.arange(12).reshape(3, 4).astype(dtype)
    tensor = tern.from_dlpack(array)
    assert tensor.data_ptr == array.ctypes.data
    back = np.from_dlpack(tensor)
    assert back.ctypes.data == array.ctypes.data and np.array_equal(back, array)


def test_writes_are_seen_on_both_sides():
    array = np.zeros(4, np.float32)
    tensor = tern.asarray(array)
    tensor[1] = 7
    array[2] = 5
    assert array.tolist() == [0, 7, 5, 0] == tensor.tolist()
    view = np.asarray(tensor)
    view[3] = 9
    assert array[3] == 9


@pytest.mark.parametrize("view", [np.s_[::2], np.s_[::-1], np.s_[:, ::-2], np.s_[1:1], np.s_[2], np.s_[:, None, 1]])
def test_strided_views(view):
    array = np.arange(30.0).reshape(5, 6)
    tensor = tern.asarray(array[view])
    assert np.array_equal(np.asarray(tensor), array[view])
    if array[view].size:
        assert tensor.data_ptr == array[view].ctypes.data
    assert np.array_equal(np.asarray(tern.asarray(array)[view]), array[view])


def test_a_tensor_keeps_its_array():
    array = np.arange(5.0)
    alive = weakref.ref(array)
    tensor = tern.asarray(array)
    view = tensor[1:]
    del array, tensor
    gc.collect()
    assert alive() is not None and view.tolist() == [1, 2, 3, 4]
    del view
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("export", [np.asarray, np.from_dlpack, memoryview])
def test_an_array_keeps_its_tensor(export):
    live = tern.default_device().memory_statistics().live
    tensor = tern.full((1000,), 3.0)
    if export is memoryview:
        array = memoryview(tensor.numpy())
    else:
        array = export(tensor)
    del tensor
    gc.collect()
    assert tern.default_device().memory_statistics().live >= live + 4000
    assert list(array[:2]) == [3, 3]
    del array
    gc.collect()
    assert tern.default_device().memory_statistics().live == live


def test_read_only_memory_is_copied():
    array = np.arange(3.0)
    array.flags.writeable = False
    assert tern.asarray(array).data_ptr != array.ctypes.data
    with pytest.raises(ValueError, match="copy is False"):
        tern.asarray(array, copy=False)


def test_unaligned_memory_is_copied():
    array = np.frombuffer(bytearray(17), np.float64, count=2, offset=1)
    tensor = tern.asarray(array)
    assert tensor.data_ptr % 8 == 0 and tensor.tolist() == [0, 0]


def test_copy():
    array = np.arange(3.0)
    assert tern.asarray(array, copy=True).data_ptr != array.ctypes.data
    assert tern.asarray(array, copy=False).data_ptr == array.ctypes.data
    tensor = tern.asarray(array)
    assert tern.asarray(tensor).data_ptr == tensor.data_ptr
    assert tern.asarray(tensor, copy=True).data_ptr != tensor.data_ptr
    with pytest.raises(ValueError):
        tern.asarray([1.0], copy=False)


def test_functions_take_arrays():
    array = np.arange(6.0).reshape(2, 3)
    assert tern.Tensor(array).data_ptr == array.ctypes.data
    for function in (tern.sum, tern.exp, tern.sort, tern.mean, tern.unique_values):
        assert np.array_equal(np.asarray(function(array)), np.asarray(function(tern.asarray(array))))
    assert tern.matmul(array, tern.asarray(array.T)).tolist() == (array @ array.T).tolist()
    assert tern.concat([array, tern.asarray(array)]).tolist() == np.concatenate([array, array]).tolist()
    assert tern.linalg.det(np.diag([2.0, 3.0])).item() == 6
    assert tern.take(tern.asarray(array), np.array([2, 0]), axis=1).tolist() == array[:, [2, 0]].tolist()
    assert tern.sum(np.broadcast_to(1.0, (2, 2))).item() == 4  # which cannot be shared


@pytest.mark.parametrize("other", [[1.0], 1.0, None, b"1", "1", np.array(["a"]), np.arange(3).astype(">i4")])
def test_functions_take_nothing_else(other, capfd):
    with pytest.raises(TypeError, match="x: Tensor"):
        tern.sum(other)
    assert capfd.readouterr() == ("", "")


def test_put_along_axis():
    array = np.zeros((2, 3))
    tern.put_along_axis(tern.asarray(array), np.array([[2], [0]]), 5, axis=1)
    assert array.tolist() == [[0, 0, 5], [5, 0, 0]]
    tern.put_along_axis(tern.asarray(array), np.array([[1, 1]] * 2), np.array([[7.0, 8.0]]))
    assert array.tolist() == [[0, 8, 5], [5, 8, 0]]
    with pytest.raises(TypeError):
        tern.put_along_axis(array, np.array([[2], [0]]), 5, axis=1)
    with pytest.raises(IndexError, match="axis 1, got 3"):
        tern.put_along_axis(tern.asarray(array), np.array([[3], [0]]), 5, axis=1)
    assert array.tolist() == [[0, 8, 5], [5, 8, 0]]


def test_bytes_and_buffers():
    assert tern.asarray(bytearray(b"\x01\x02")).tolist() == [1, 2]
    assert tern.asarray(memoryview(np.arange(3))).tolist() == [0, 1, 2]


@pytest.mark.parametrize("array", [np.array(["a"]), np.arange(3).astype(">i4"), np.array([object()]), np.zeros(2, "M8[s]")])
def test_elements_that_no_dtype_holds(array):
    with pytest.raises(tern.Error):
        tern.asarray(array)


def test_bfloat16_needs_a_cast_for_numpy():
    tensor = tern.asarray([1.5, 2.5]).astype(tern.bfloat16)
    with pytest.raises(tern.Error, match="bfloat16"):
        np.asarray(tensor)
    assert np.asarray(tensor.astype(tern.float32)).tolist() == [1.5, 2.5]


def test_mapped_files_may_be_written_to(tmp_path):
    tern.save_safetensors(tmp_path / "a.safetensors", {"x": tern.ones((4,))})
    loaded = tern.load_safetensors(tmp_path / "a.safetensors")["x"]
    np.asarray(loaded)[:] = 2
    assert loaded.tolist() == [2, 2, 2, 2]
    assert tern.load_safetensors(tmp_path / "a.safetensors")["x"].tolist() == [1, 1, 1, 1]
