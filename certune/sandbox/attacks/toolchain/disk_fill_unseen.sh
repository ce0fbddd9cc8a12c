# Fill the disk with files that have no name any more.
# Tries: seven files, opened, unlinked, then written to just below the limit.
# Escape: half a second later all of them are written and held.
trying "seven unlinked files"
exec 3> f3 4> f4 5> f5 6> f6 7> f7 8> f8 9> f9
rm -f f3 f4 f5 f6 f7 f8 f9
written=0
for fd in 3 4 5 6 7 8 9; do
    eval "head -c $((file_bytes - 1)) /dev/zero >&$fd" && written=$((written + file_bytes - 1))
done
sleep 0.5
[ "$written" -gt $((2 * file_bytes)) ] && did "$written bytes in files without a name"
