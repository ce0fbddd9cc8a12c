# Have the judge read something else as output.
# Tries: outputs that are links to secrets, a fifo, a folder, a device, a huge file.
# Escape: a secret comes back as an output, or the judge waits for ever.
trying "a symbolic link"
ln -s "$open_secret" out
trying "a fifo"
mkfifo out2
trying "a hard link"
ln "$private_secret" out3
trying "a folder"
mkdir out4
trying "a file with holes"
truncate -s 1T out5
