"""The towers as ONNX graphs, for onnxruntime, Triton and services in other languages."""
