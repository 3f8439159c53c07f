"""Results as pages, terminal text and JSON, in English and Chinese, from the values of `spec.result` alone."""
