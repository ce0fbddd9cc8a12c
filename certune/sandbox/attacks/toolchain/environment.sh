# Find the judge's variables.
# Tries: env, its own and others' /proc files, the parent's memory map.
# Escape: a secret variable comes back.
trying "env"
env
set
trying "/proc"
cat /proc/self/environ "/proc/$PPID/environ" "/proc/$judge/environ" "/proc/$victim/environ"
cat "/proc/$judge/cmdline" "/proc/$victim/cmdline" && did "read another process's command line"
