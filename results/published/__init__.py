"""Published tables as data (one TOML file each), compared with what a run of ours measured.

``table_file`` reads a table, ``run_values`` finds our values, ``candidates`` chooses among ours
where a paper leaves something open, ``compared`` joins the two and ``verdict`` judges each figure;
``tables``, ``candidate_tables`` and ``sentences`` show the result.
"""
