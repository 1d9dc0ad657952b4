"""Read scanned pages with GLM-OCR, see where the model is unsure, and make it better."""
