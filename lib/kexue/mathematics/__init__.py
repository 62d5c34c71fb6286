"""Part I, mathematics and information: one module for each chapter that has code of its own."""
