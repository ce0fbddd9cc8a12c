# Say in the worker's name how the tool ended.
# Tries: the descriptors of the shell's parent and of itself, opened again through /proc.
# Escape: a result that the tool did not have, or its end passes for trouble of the judge's own.
trying "the parent's descriptors"
for fd in 3 4 5 6 7 8 9 10 11 12; do
    printf '19 \n\nnot started: forged' > "/proc/$PPID/fd/$fd"
done
trying "what the parent has open"
ls -l "/proc/$PPID/fd" | grep -q pipe && did "sees the parent's pipes"
cat "/proc/$PPID/environ" > /dev/null && did "reads the parent's environment"
trying "its own, beyond standard error"
for fd in 3 4 5 6 7 8 9; do
    (eval "printf '19 \n\nnot started: forged' >&$fd")
done
