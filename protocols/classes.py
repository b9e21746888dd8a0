"""The four classes, in the order of every array of probabilities: E L M N."""

CLASSES = ("EOSINOPHIL", "LYMPHOCYTE", "MONOCYTE", "NEUTROPHIL")
LETTERS = "ELMN"
