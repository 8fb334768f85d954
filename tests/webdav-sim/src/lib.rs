//! A WebDAV server for tests and for the demo, with a profile for each server of the field.
