# Read files that are no tool's.
# Tries: by name, through links, by folder, as the input of other tools.
# Escape: a secret comes back in what the tool says or makes.
trying "cat"
cat "$open_secret" "$private_secret" "$link"
trying "redirection"
while read -r line; do echo "$line"; done < "$open_secret"
trying "a link made here"
ln -s "$open_secret" out
cat out
rm -f out
trying "a hard link made here"
ln "$open_secret" out && cat out
rm -f out
trying "other tools"
grep . "$open_secret"
head -c 100 "$open_secret"
od -c "$open_secret" | head -3
sh "$open_secret"
(. "$open_secret")
trying "names"
ls "$names" "$cwd"
trying "through /proc"
cat "/proc/$victim/root$open_secret" "/proc/$PPID/root$open_secret" "/proc/$victim/fd/$victim_fd"
