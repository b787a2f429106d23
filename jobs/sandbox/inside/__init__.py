"""What runs inside the sandbox's processes: bare interpreters that know this package and nothing else of ours."""
