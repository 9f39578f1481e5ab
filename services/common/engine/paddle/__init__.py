"""Paddle Inference with its OpenVINO engine, and everything that works around their faults.

No other module imports Paddle for serving. docs/adr/0011-paddle-inference-by-openvino.md says why
this engine is used in spite of the faults. Each workaround says when it can be deleted.
"""

from services.common.engine.paddle.inference import PaddlePredictor, open_paddle

__all__ = ["PaddlePredictor", "open_paddle"]
