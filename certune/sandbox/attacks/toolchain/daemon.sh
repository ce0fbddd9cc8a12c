# Stay.
# Tries: a process in a session of its own, whose parents are gone, known by its command line.
# Escape: a process with that command line runs after the tool ended.
trying "in the background"
sh -c "sleep 4 # $nonce" &
trying "in a session of its own"
setsid sh -c "trap '' TERM HUP INT; (sh -c 'sleep 4; : $nonce' &) &"
trying "by nohup"
nohup sh -c "sleep 4; : $nonce" > nohup.txt 2>&1 &
