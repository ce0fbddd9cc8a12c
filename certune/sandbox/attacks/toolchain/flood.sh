# Drown the judge in words.
# Tries: ten megabytes on standard output and standard error each.
# Escape: more than the limit comes back.
trying "standard error"
head -c 10000000 /dev/zero | tr '\0' x >&2
trying "standard output"
head -c 10000000 /dev/zero | tr '\0' x
