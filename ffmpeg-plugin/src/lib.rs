//! Devices of the Media Communications Mesh for an unpatched FFmpeg.
//!
//! The library is preloaded into a program that uses FFmpeg's shared libraries. There it interposes
//! one function, `avpriv_register_devices`, and adds its devices to the lists that libavdevice
//! registers. Programs that load FFmpeg themselves call `mcm_avdevice_register` instead. The
//! library is not linked to FFmpeg's libraries and is built without their headers: it looks
//! functions up by name in the libraries that the program has loaded; `layout` declares what it
//! knows of their structures, and `check` verifies that before registration. If a check fails,
//! FFmpeg runs as if the library were not there.
//!
//! Frames travel through `libmcm_dp.so.1`, which is loaded when the first device is opened.

mod audio;
mod boundary;
mod check;
mod clock;
mod config;
mod context;
mod demuxer;
mod description;
mod devices;
mod error;
mod group;
mod interrupt;
mod layout;
mod libav;
mod libraries;
mod mesh;
mod muxer;
mod option_names;
mod option_table;
mod options;
mod parameters;
mod registration;
mod settings;
mod symbols;
mod values;
mod video;
mod waiting;
