"""A graph of ONNX in the making: what the library's helpers lack is names that nobody chooses."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twotower.common.errors import ConfigError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

OPSET = 20
"""Of the operators; 20 is the first that has GELU. onnxruntime reads it since 1.17."""
IR_VERSION = 9
"""Of the file format: that of the same release of ONNX."""
LARGEST = 2**31 - 2**20
"""Bytes of a file's tensors, at most: protocol buffers end at 2 GiB."""


class Graph:
    """Nodes, inputs and constants; the same calls give the same bytes."""

    def __init__(self, name: str) -> None:
        import onnx

        self.name, self._onnx = name, onnx
        self._inputs: list[ValueInfoProto] = []
        self._outputs: list[ValueInfoProto] = []
        self._constants: dict[str, TensorProto] = {}
        self._nodes: list[NodeProto] = []

    def input(self, name: str, dtype: type, *axes: str | int) -> str:
        """Declare an input; axes with a name have any length."""
        self._inputs.append(self._value(name, dtype, axes))
        return name

    def output(self, name: str, value: str, dtype: type, *axes: str | int) -> None:
        """Declare a value to be an output of this name."""
        self._nodes.append(self._onnx.helper.make_node("Identity", [value], [name], name))
        self._outputs.append(self._value(name, dtype, axes))

    def constant(self, values: ArrayLike, dtype: type = np.float32, name: str = "") -> str:
        """A constant; one without a name is shared by all that have its values."""
        array: NDArray[Any] = np.ascontiguousarray(values, dtype).reshape(np.shape(values))
        name = name or f"{array.dtype}:{array.tolist()}"
        if name not in self._constants:
            self._constants[name] = self._onnx.numpy_helper.from_array(array, name)
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Apply an operator of ONNX; returns the name of its first output."""
        name = f"{operator}_{len(self._nodes)}"
        node = self._onnx.helper.make_node(operator, list(inputs), [name], name, **attributes)
        self._nodes.append(node)
        return name

    def model(self) -> "ModelProto":
        """The graph as a model.

        Raises:
            ConfigError: if it is too large for a file.
        """
        size = sum(each.ByteSize() for each in self._constants.values())
        if size > LARGEST:
            msg = f"{self.name}: a graph of ONNX has at most 2 GiB, the tables need {size:,} bytes"
            raise ConfigError(msg)
        helper = self._onnx.helper
        graph = helper.make_graph(
            self._nodes, self.name, self._inputs, self._outputs, list(self._constants.values())
        )
        opset = helper.make_opsetid("", OPSET)
        made = {"ir_version": IR_VERSION, "producer_name": "twotower", "opset_imports": [opset]}
        model: ModelProto = helper.make_model(graph, **made)
        return model

    def _value(self, name: str, dtype: type, axes: tuple[str | int, ...]) -> "ValueInfoProto":
        kind = self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self._onnx.helper.make_tensor_value_info(name, kind, axes)
