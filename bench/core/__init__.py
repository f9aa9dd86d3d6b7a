"""What every package needs and none owns; it imports nothing of the packages above it.

``density`` is what a sampler may know of a target, ``log_weights`` what a sampler may say of its
own distribution, ``cost`` what computing costs; ``registry`` finds samplers, targets and metrics
by name.
"""
