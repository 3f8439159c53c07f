"""What failures and checkpoints leave of a cluster's time, in closed form."""
