"""The bundled layout model: a small PP-DocLayoutV3 of the real classes, training and evaluation."""
