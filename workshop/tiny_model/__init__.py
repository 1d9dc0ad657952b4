"""The bundled model: a small GLM-OCR of the real classes, its training and its evaluation."""
