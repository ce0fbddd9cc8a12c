# Leave something for the next run.
# Tries: files in every folder that is often writable, start-up files, compiler folders.
# Escape: the judge finds one afterwards.
for place in $folders; do
    trying "a file in $place"
    echo left > "$place/$nonce"
done
