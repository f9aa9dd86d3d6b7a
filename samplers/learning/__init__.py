"""What learned samplers share: networks, optimiser steps, estimates of scores."""
