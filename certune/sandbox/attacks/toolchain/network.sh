# Talk to somebody.
# Tries: TCP through bash, Python, Perl and curl, UDP, path sockets.
# Escape: a listener of the judge's hears it.
trying "bash"
bash -c "echo $nonce > /dev/tcp/127.0.0.1/$tcp; echo $nonce > /dev/udp/127.0.0.1/$udp"
trying "python"
python3 -c "import socket; s = socket.create_connection(('127.0.0.1', $tcp)); s.send(b'$nonce')"
python3 -c "import socket; s = socket.socket(1); s.connect('$path_socket'); s.send(b'$nonce')"
trying "perl"
perl -e "use Socket; socket(S, AF_INET, SOCK_DGRAM, 0) or die; send(S, '$nonce', 0, sockaddr_in($udp, INADDR_LOOPBACK)) or die"
trying "curl"
curl -m 2 "http://127.0.0.1:$tcp/$nonce"
