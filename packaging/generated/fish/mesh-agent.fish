complete -c mesh-agent -s p -l proxy -d 'Port for media proxies' -r
complete -c mesh-agent -s c -l control -d 'Port of the REST API' -r
complete -c mesh-agent -l listen -d 'Address on which both ports listen' -r
complete -c mesh-agent -l store -d 'Where the state of the fleet is: memory, or etcd://HOST:PORT[,HOST:PORT...][/PREFIX]; etcds:// with TLS and the certificates below' -r
complete -c mesh-agent -l allow -d 'Networks whose hosts may call without a certificate, such as 10.1.0.0/16,fd00::/8 [default: none]' -r
complete -c mesh-agent -l cors-origin -d 'Origin whose pages may use the REST API in a browser, such as https://ops.example.org; may be given several times [default: none]' -r
complete -c mesh-agent -l log-format -d 'Lines of the log: plain, time (with the time before them) or json (an object each) [default: $MCM_LOG_FORMAT, or plain]' -r -f -a "plain\t'`INFO: text`: for terminals, and for service managers that add the time'
time\t'The time in UTC before that'
json\t'An object of JSON with `time`, `level`, `target` and `message`: for collectors of containers\' logs'"
complete -c mesh-agent -l tls-cert -d 'Certificate chain of this program, PEM. With the next two: mutual TLS' -r -F
complete -c mesh-agent -l tls-key -d 'Private key of this program, PEM' -r -F
complete -c mesh-agent -l tls-ca -d 'Certificates of the authorities that sign those of the other side, PEM' -r -F
complete -c mesh-agent -s v -d 'As in the original\'s agent, which said more: it has no effect here; see MCM_LOG'
complete -c mesh-agent -s h -l help -d 'Print help'
complete -c mesh-agent -s V -l version -d 'Print version'
