"""What small systems are made of: a model, rented and owned terms."""

TINY = {
    "name": "Tiny", "hidden": 2048, "vocab": 32000, "layers": [["dense", 8]],
    "blocks": {
        "dense": {
            "mixer": {"kind": "gqa", "heads": 16, "kv_heads": 8, "head_dim": 128},
            "feed_forward": {"kind": "dense", "width": 8192},
        }
    },
}  # fmt: skip
RENTED = {"kind": "rented", "price": "2 USD/GPU-h"}
OWNED = {
    "kind": "owned",
    "price_per_gpu": "40000 USD/GPU",
    "lifetime": "4 years",
    "electricity": "0.1 USD/kWh",
    "pue": 1.5,
}
