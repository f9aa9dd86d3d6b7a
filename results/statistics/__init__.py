"""Statistical tests, intervals and corrections; one method a file, free of any report.

``null_distribution`` and ``p_value`` compare a number with exact samples (the floor) and
``metric_result`` holds what one metric says; ``paired_values``, ``paired_t_test`` and
``sign_flip_test`` compare two samplers over shared seeds, ``rank_sum_test`` two sets of seeds,
``welch_test`` our mean with a published one, ``ranks`` many samplers over targets;
``confidence_interval``, ``multiple_testing`` and ``power`` say what their names do.
"""
