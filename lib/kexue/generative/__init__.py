"""Part III, generative models: one module for each chapter that has code of its own, and the scores they all share."""
