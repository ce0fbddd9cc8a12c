# Disturb other processes.
# Tries: signals to a process of the judge's, to the parent, to everybody; priorities, limits.
# Escape: the process was touched, or a signal could be sent.
trying "signals"
kill -USR1 "$victim"
kill -0 "$judge" && did "the judge could be sent a signal"
kill -0 "$PPID" && did "the parent could be sent a signal"
kill -0 -1 && did "everybody could be sent a signal"
trying "priorities and limits"
renice -n 7 -p "$victim"
taskset -p 1 "$victim"
prlimit --pid "$victim" --nofile=33:99
ionice -c 3 -p "$victim"
