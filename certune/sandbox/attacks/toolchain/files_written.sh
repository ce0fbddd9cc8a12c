# Change what is not its own.
# Tries: write, append, remove, rename, make; modes and times.
# Escape: a planted file or folder differs afterwards.
trying "write"
echo scribbled > "$open_file"
echo scribbled >> "$open_file"
truncate -s 1 "$open_file"
trying "make, remove, rename"
touch "$folder/made"
mkdir "$folder/made-too"
rm -f "$folder/other"
mv "$folder/kept" "$folder/taken"
ln -s x "$folder/link"
trying "attributes"
chmod 777 "$open_file"
touch -d 2001-01-01 "$open_file"
chown 12345 "$open_file"
