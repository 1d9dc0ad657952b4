"""A fine-tuned model, ready to be served: merged, complete, and shown to read as it was trained."""

from glmocr_utils.model_export.merge import ExportResult, export_model
from glmocr_utils.model_export.parity import Parity
from glmocr_utils.model_export.serving import serve_commands

__all__ = ["ExportResult", "Parity", "export_model", "serve_commands"]
