# What a compiler can be made to read.
# Tries: #include, -include, .incbin, response files, macros of the command line, depfiles, specs.
# Escape: a secret comes back in diagnostics, in an object or in a preprocessed file.
# Needs: cc
trying "#include"
printf '#include "%s"\nint x;\n' "$open_secret" > a.c
cc -E a.c -o out
cc -c a.c -o out2
trying "-include, -imacros"
echo 'int x;' > b.c
cc -include "$open_secret" -c b.c -o out3
cc -imacros "$private_secret" -c b.c -o out3
trying ".incbin"
printf '.incbin "%s"\n' "$open_secret" > c.s
cc -c c.s -o out4
trying "a response file"
cc "@$open_secret" -c b.c
trying "specs and plug-ins"
cc "-specs=$open_secret" -c b.c
cc "-fplugin=$open_secret" -c b.c
trying "as a linker script"
cc -nostdlib -Wl,-T,"$open_secret" b.c -o out5
