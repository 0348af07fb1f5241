//! The homeserver that stands behind, or stood before.
//!
//! This floor refuses to know HTTP's faces and the command line.

mod yaml;

pub use yaml::{Engine, HomeserverYaml, Listening, Proof, YamlError};
