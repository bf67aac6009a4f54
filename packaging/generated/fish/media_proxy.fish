complete -c media_proxy -s t -l tcp -d 'Port where programs (SDKs) connect, 0 for any free one; also --sdk [default: 8002]' -r
complete -c media_proxy -s g -l grpc -d 'Port of the gRPC services for people and tools, 0 for any free one [default: 8001, or a free one if that is taken]' -r
complete -c media_proxy -l listen -d 'Address on which both ports listen' -r
complete -c media_proxy -l run-dir -d 'Directory of the unix socket [default: $MCM_RUN_DIR, /run/mcm or $XDG_RUNTIME_DIR/mcm]' -r -f -a "(__fish_complete_directories)"
complete -c media_proxy -l group -d 'Group, by name or number, whose members may use the unix socket [default: that of the directory]' -r
complete -c media_proxy -s a -l agent -d 'Mesh agent of the fleet that this host belongs to, or several, separated by commas [default: none: this host is a mesh of its own]' -r
complete -c media_proxy -s r -l rdma_ip -d 'Address for streams between hosts [default: the one that leads to the mesh agent]' -r
complete -c media_proxy -s p -l rdma_ports -d 'Local port ranges for streams from other hosts, separated by commas' -r
complete -c media_proxy -s d -l dev -d 'Network device: a PCI address, native_af_xdp:IFNAME or kernel:IFNAME; also --st2110_dev [default: by the address]' -r
complete -c media_proxy -s i -l ip -d 'Address of that device; also --st2110_ip [default: 192.168.96.1 if an interface has it, else by routes]' -r
complete -c media_proxy -l ptp-clock -d 'PTP hardware clock that streams follow, /dev/ptpN [default: the system\'s clock]' -r -F
complete -c media_proxy -l ts-refclk -d 'Reference clock that session descriptions name: traceable, ptp=IEEE1588-2008:GMID:DOMAIN or localmac=MAC [default: what the system knows]' -r
complete -c media_proxy -l metrics -d 'Port for Prometheus, on the loopback interface if no address is given; 8003 is free for it [default: none]' -r
complete -c media_proxy -l metrics-allow -d 'Networks whose hosts may read it without a certificate, separated by commas [default: none]' -r
complete -c media_proxy -l log-format -d 'Lines of the log: plain, time (with the time before them) or json (an object each) [default: $MCM_LOG_FORMAT, or plain]' -r -f -a "plain\t'`INFO: text`: for terminals, and for service managers that add the time'
time\t'The time in UTC before that'
json\t'An object of JSON with `time`, `level`, `target` and `message`: for collectors of containers\' logs'"
complete -c media_proxy -l tls-cert -d 'Certificate chain of this program, PEM. With the next two: mutual TLS' -r -F
complete -c media_proxy -l tls-key -d 'Private key of this program, PEM' -r -F
complete -c media_proxy -l tls-ca -d 'Certificates of the authorities that sign those of the other side, PEM' -r -F
complete -c media_proxy -s V -l version -d 'Print version; also -v'
complete -c media_proxy -l kernel-pacing -d 'Let the kernel pace video on interfaces whose queueing discipline is fq. When packets leave is not known then: frames count as unjudged and not as compliant'
complete -c media_proxy -s h -l help -d 'Print help'
