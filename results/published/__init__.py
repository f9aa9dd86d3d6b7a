"""Published tables as data (one TOML file each), and our own figures beside them."""
