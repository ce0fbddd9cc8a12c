# Fill the disk with many files.
# Tries: forty files, each just below the limit on one.
# Escape: half a second later more than twice the limit lies there.
trying "forty files"
n=0
while [ $n -lt 40 ]; do
    head -c $((file_bytes - 1)) /dev/zero > "f$n"
    n=$((n + 1))
done
sleep 0.5
lies=$(($(du -sk . | cut -f1) * 1024))
[ "$lies" -gt $((2 * file_bytes)) ] && did "$lies bytes at once"
