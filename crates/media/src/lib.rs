//! Formats, frame sizes, rates, TAI time and connection configuration.
