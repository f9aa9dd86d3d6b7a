"""The conformance kit: laws that every sampler, target and metric keeps."""
