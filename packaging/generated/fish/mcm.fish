# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_mcm_global_optspecs
    string join \n h/help V/version
end

function __fish_mcm_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_mcm_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_mcm_using_subcommand
    set -l cmd (__fish_mcm_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c mcm -n "__fish_mcm_needs_command" -s h -l help -d 'Print help'
complete -c mcm -n "__fish_mcm_needs_command" -s V -l version -d 'Print version'
complete -c mcm -n "__fish_mcm_needs_command" -f -a "list" -d 'Print the groups of a media proxy, or of a fleet, with their source and receivers'
complete -c mcm -n "__fish_mcm_needs_command" -f -a "top" -d 'Show the groups of a media proxy, or of a fleet, as they change: rates, queues, missed frames'
complete -c mcm -n "__fish_mcm_needs_command" -f -a "graph" -d 'Draw groups: from their source over bridges to all receivers, with rates'
complete -c mcm -n "__fish_mcm_needs_command" -f -a "info" -d 'Print version, ports, counts and clock of a media proxy'
complete -c mcm -n "__fish_mcm_needs_command" -f -a "delete" -d 'End connections of programs'
complete -c mcm -n "__fish_mcm_needs_command" -f -a "bench" -d 'Measure how fast frames are exchanged'
complete -c mcm -n "__fish_mcm_needs_command" -f -a "sdp" -d 'Check a session description, or print that of a stream'
complete -c mcm -n "__fish_mcm_needs_command" -f -a "analyze" -d 'Judge an ST 2110 stream on the wire'
complete -c mcm -n "__fish_mcm_needs_command" -f -a "st2110" -d 'Send and receive ST 2110 streams from and to files, without a media proxy'
complete -c mcm -n "__fish_mcm_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c mcm -n "__fish_mcm_using_subcommand list" -s s -l server -d 'Control service of the media proxy [default: 127.0.0.1:8001]' -r -f -a "(__fish_print_hostnames)"
complete -c mcm -n "__fish_mcm_using_subcommand list" -l tls-cert -d 'Certificate chain of this program, PEM. With the next two: mutual TLS' -r -F
complete -c mcm -n "__fish_mcm_using_subcommand list" -l tls-key -d 'Private key of this program, PEM' -r -F
complete -c mcm -n "__fish_mcm_using_subcommand list" -l tls-ca -d 'Certificates of the authorities that sign those of the other side, PEM' -r -F
complete -c mcm -n "__fish_mcm_using_subcommand list" -s a -l agent -d 'REST API of a mesh agent instead: all hosts of its fleet; port 8100 unless it is given' -r -f -a "(__fish_print_hostnames)"
complete -c mcm -n "__fish_mcm_using_subcommand list" -l json -d 'Print JSON'
complete -c mcm -n "__fish_mcm_using_subcommand list" -s h -l help -d 'Print help'
complete -c mcm -n "__fish_mcm_using_subcommand top" -s s -l server -d 'Control service of the media proxy [default: 127.0.0.1:8001]' -r -f -a "(__fish_print_hostnames)"
complete -c mcm -n "__fish_mcm_using_subcommand top" -l tls-cert -d 'Certificate chain of this program, PEM. With the next two: mutual TLS' -r -F
complete -c mcm -n "__fish_mcm_using_subcommand top" -l tls-key -d 'Private key of this program, PEM' -r -F
complete -c mcm -n "__fish_mcm_using_subcommand top" -l tls-ca -d 'Certificates of the authorities that sign those of the other side, PEM' -r -F
complete -c mcm -n "__fish_mcm_using_subcommand top" -s a -l agent -d 'REST API of a mesh agent instead: all hosts of its fleet; port 8100 unless it is given' -r -f -a "(__fish_print_hostnames)"
complete -c mcm -n "__fish_mcm_using_subcommand top" -s i -l interval -d 'Time between two pictures, 0.1 to 3600' -r
complete -c mcm -n "__fish_mcm_using_subcommand top" -s n -l number -d 'End after so many pictures, not at Ctrl-C' -r
complete -c mcm -n "__fish_mcm_using_subcommand top" -l json -d 'Print one line of JSON for each picture'
complete -c mcm -n "__fish_mcm_using_subcommand top" -s h -l help -d 'Print help'
complete -c mcm -n "__fish_mcm_using_subcommand graph" -s s -l server -d 'Control service of the media proxy [default: 127.0.0.1:8001]' -r -f -a "(__fish_print_hostnames)"
complete -c mcm -n "__fish_mcm_using_subcommand graph" -l tls-cert -d 'Certificate chain of this program, PEM. With the next two: mutual TLS' -r -F
complete -c mcm -n "__fish_mcm_using_subcommand graph" -l tls-key -d 'Private key of this program, PEM' -r -F
complete -c mcm -n "__fish_mcm_using_subcommand graph" -l tls-ca -d 'Certificates of the authorities that sign those of the other side, PEM' -r -F
complete -c mcm -n "__fish_mcm_using_subcommand graph" -s a -l agent -d 'REST API of a mesh agent instead: all hosts of its fleet; port 8100 unless it is given' -r -f -a "(__fish_print_hostnames)"
complete -c mcm -n "__fish_mcm_using_subcommand graph" -l svg -d 'Write a picture, drawn by dot of the package graphviz; - is standard output' -r -F
complete -c mcm -n "__fish_mcm_using_subcommand graph" -l dot -d 'Print the graph in the language DOT of Graphviz'
complete -c mcm -n "__fish_mcm_using_subcommand graph" -s h -l help -d 'Print help'
complete -c mcm -n "__fish_mcm_using_subcommand info" -s s -l server -d 'Control service of the media proxy [default: 127.0.0.1:8001]' -r -f -a "(__fish_print_hostnames)"
complete -c mcm -n "__fish_mcm_using_subcommand info" -l tls-cert -d 'Certificate chain of this program, PEM. With the next two: mutual TLS' -r -F
complete -c mcm -n "__fish_mcm_using_subcommand info" -l tls-key -d 'Private key of this program, PEM' -r -F
complete -c mcm -n "__fish_mcm_using_subcommand info" -l tls-ca -d 'Certificates of the authorities that sign those of the other side, PEM' -r -F
complete -c mcm -n "__fish_mcm_using_subcommand info" -l json -d 'Print JSON'
complete -c mcm -n "__fish_mcm_using_subcommand info" -s h -l help -d 'Print help'
complete -c mcm -n "__fish_mcm_using_subcommand delete" -s s -l server -d 'Control service of the media proxy [default: 127.0.0.1:8001]' -r -f -a "(__fish_print_hostnames)"
complete -c mcm -n "__fish_mcm_using_subcommand delete" -l tls-cert -d 'Certificate chain of this program, PEM. With the next two: mutual TLS' -r -F
complete -c mcm -n "__fish_mcm_using_subcommand delete" -l tls-key -d 'Private key of this program, PEM' -r -F
complete -c mcm -n "__fish_mcm_using_subcommand delete" -l tls-ca -d 'Certificates of the authorities that sign those of the other side, PEM' -r -F
complete -c mcm -n "__fish_mcm_using_subcommand delete" -s a -l agent -d 'REST API of a mesh agent instead: all hosts of its fleet; port 8100 unless it is given' -r -f -a "(__fish_print_hostnames)"
complete -c mcm -n "__fish_mcm_using_subcommand delete" -s h -l help -d 'Print help'
complete -c mcm -n "__fish_mcm_using_subcommand bench" -l quick -d 'Fewer and shorter rounds: a look, not a measurement'
complete -c mcm -n "__fish_mcm_using_subcommand bench" -l json -d 'Print JSON, at the end'
complete -c mcm -n "__fish_mcm_using_subcommand bench" -s h -l help -d 'Print help'
complete -c mcm -n "__fish_mcm_using_subcommand sdp" -s s -l server -d 'Control service of the media proxy [default: 127.0.0.1:8001]' -r -f -a "(__fish_print_hostnames)"
complete -c mcm -n "__fish_mcm_using_subcommand sdp" -l tls-cert -d 'Certificate chain of this program, PEM. With the next two: mutual TLS' -r -F
complete -c mcm -n "__fish_mcm_using_subcommand sdp" -l tls-key -d 'Private key of this program, PEM' -r -F
complete -c mcm -n "__fish_mcm_using_subcommand sdp" -l tls-ca -d 'Certificates of the authorities that sign those of the other side, PEM' -r -F
complete -c mcm -n "__fish_mcm_using_subcommand sdp" -l json -d 'Print the findings as JSON'
complete -c mcm -n "__fish_mcm_using_subcommand sdp" -s h -l help -d 'Print help'
complete -c mcm -n "__fish_mcm_using_subcommand analyze" -s i -l interface -d 'Address of this host, or kernel:NAME. Given twice, the second is for the second path (ST 2022-7)' -r
complete -c mcm -n "__fish_mcm_using_subcommand analyze" -s t -l seconds -d 'How long' -r
complete -c mcm -n "__fish_mcm_using_subcommand analyze" -l fps -d 'Frames a second, where the description does not tell them (otherwise they are learnt)' -r
complete -c mcm -n "__fish_mcm_using_subcommand analyze" -l audio -d 'STREAM is audio of this sampling rate, where it is an address' -r
complete -c mcm -n "__fish_mcm_using_subcommand analyze" -l json -d 'Print JSON'
complete -c mcm -n "__fish_mcm_using_subcommand analyze" -s h -l help -d 'Print help'
complete -c mcm -n "__fish_mcm_using_subcommand st2110" -s i -l interface -d 'Address of this host, or kernel:NAME. Given twice, the second is for the second path (ST 2022-7)' -r
complete -c mcm -n "__fish_mcm_using_subcommand st2110" -s n -l frames -d 'End after so many frames (of audio: packet times)' -r
complete -c mcm -n "__fish_mcm_using_subcommand st2110" -s t -l seconds -d 'recv: end after so long, with status 1 if --frames did not come' -r
complete -c mcm -n "__fish_mcm_using_subcommand st2110" -l incomplete -d 'recv: what becomes of frames with gaps [default: as STREAM says, or deliver]' -r -f -a "deliver\t''
repeat\t''
drop\t''"
complete -c mcm -n "__fish_mcm_using_subcommand st2110" -l ancillary -d 'Ancillary data that ride with video (connection.st2110.ancillary): the block of each frame, with its length before it' -r -F
complete -c mcm -n "__fish_mcm_using_subcommand st2110" -l fps -d 'Frames a second, where the session description does not tell them' -r
complete -c mcm -n "__fish_mcm_using_subcommand st2110" -l pixel-format -d 'Layout of the pixels in FILE, where STREAM is a session description: a pixel format of the mesh, such as yuv422p10le, uyvy422 or v210' -r -f -a "yuv422p10le\t''
v210\t''
yuv422p10rfc4175\t''
uyvy422\t''
yuv420p\t''
nv12\t''
yuv422p\t''
yuv444p10le\t''
yuv420p10le\t''
p010le\t''
rgb24\t''
bgr24\t''
rgba\t''
bgra\t''
gray8\t''
gray10le\t''
gray16le\t''"
complete -c mcm -n "__fish_mcm_using_subcommand st2110" -l loop -d 'send: begin anew at the end of the file'
complete -c mcm -n "__fish_mcm_using_subcommand st2110" -s h -l help -d 'Print help'
complete -c mcm -n "__fish_mcm_using_subcommand help; and not __fish_seen_subcommand_from list top graph info delete bench sdp analyze st2110 help" -f -a "list" -d 'Print the groups of a media proxy, or of a fleet, with their source and receivers'
complete -c mcm -n "__fish_mcm_using_subcommand help; and not __fish_seen_subcommand_from list top graph info delete bench sdp analyze st2110 help" -f -a "top" -d 'Show the groups of a media proxy, or of a fleet, as they change: rates, queues, missed frames'
complete -c mcm -n "__fish_mcm_using_subcommand help; and not __fish_seen_subcommand_from list top graph info delete bench sdp analyze st2110 help" -f -a "graph" -d 'Draw groups: from their source over bridges to all receivers, with rates'
complete -c mcm -n "__fish_mcm_using_subcommand help; and not __fish_seen_subcommand_from list top graph info delete bench sdp analyze st2110 help" -f -a "info" -d 'Print version, ports, counts and clock of a media proxy'
complete -c mcm -n "__fish_mcm_using_subcommand help; and not __fish_seen_subcommand_from list top graph info delete bench sdp analyze st2110 help" -f -a "delete" -d 'End connections of programs'
complete -c mcm -n "__fish_mcm_using_subcommand help; and not __fish_seen_subcommand_from list top graph info delete bench sdp analyze st2110 help" -f -a "bench" -d 'Measure how fast frames are exchanged'
complete -c mcm -n "__fish_mcm_using_subcommand help; and not __fish_seen_subcommand_from list top graph info delete bench sdp analyze st2110 help" -f -a "sdp" -d 'Check a session description, or print that of a stream'
complete -c mcm -n "__fish_mcm_using_subcommand help; and not __fish_seen_subcommand_from list top graph info delete bench sdp analyze st2110 help" -f -a "analyze" -d 'Judge an ST 2110 stream on the wire'
complete -c mcm -n "__fish_mcm_using_subcommand help; and not __fish_seen_subcommand_from list top graph info delete bench sdp analyze st2110 help" -f -a "st2110" -d 'Send and receive ST 2110 streams from and to files, without a media proxy'
complete -c mcm -n "__fish_mcm_using_subcommand help; and not __fish_seen_subcommand_from list top graph info delete bench sdp analyze st2110 help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
