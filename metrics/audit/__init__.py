"""The audit of metrics: what each can detect, and whether its floors hold."""
