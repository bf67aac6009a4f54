//! ST 2110 on the kernel's sockets: GSO and GRO, multicast, and the threads that send and receive.
