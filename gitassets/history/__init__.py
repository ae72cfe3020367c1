"""Read and rewrite commits: what `git assets migrate` is made of (design §7)."""
