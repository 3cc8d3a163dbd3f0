"""The acoustic model in torch: frontend, level, recurrent layers, CTC, export."""
