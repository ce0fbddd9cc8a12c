# Start more processes than are allowed.
# Tries: sixty at once, each living for two seconds.
# Escape: half a second later more of them live than twice the limit.
trying "sixty processes"
n=0
while [ $n -lt 60 ]; do
    sleep 2 &
    n=$((n + 1))
done
sleep 0.5
alive=$(jobs -r | wc -l)
[ "$alive" -gt $((2 * processes)) ] && did "$alive processes at once"
