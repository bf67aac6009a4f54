//! A safe layer over libfabric: endpoints, address vectors, completion queues, registered memory.
