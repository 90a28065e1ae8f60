//! Writes by an ecosystem's own protocol: `PUT /generic/files/tool/1.2/tool.tar.gz`, a form of its own, a
//! label that moves.
//!
//! The format's route says what such a request is; the platform authorises it, takes the body, and hands
//! uploads to the one service that publishes. A native upload and one through the API therefore differ in
//! nothing but their addresses.

use std::collections::BTreeMap;

use crate::artifact::Coordinate;

/// An upload as an address describes it: what the fields of the API's form would say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Intake {
    /// The package, if the address names it.
    pub name: Option<String>,
    /// The version, if the address names it.
    pub version: Option<String>,
    /// The format's own fields, as in [`Claim::fields`](super::Claim::fields).
    pub fields: BTreeMap<String, String>,
    /// Where the bytes are.
    pub body: UploadBody,
}

/// Where the bytes of a native upload are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UploadBody {
    /// The whole body.
    #[default]
    Raw,
    /// A `multipart/form-data` body; its texts become fields, several of one name joined by line ends.
    Form {
        /// The field that holds the file.
        file: &'static str,
    },
}

/// A change without content of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A name points to a version from now on.
    Label {
        /// The version.
        target: Coordinate,
        /// The name.
        name: String,
    },
    /// A version becomes a tombstone.
    Delete {
        /// The version.
        target: Coordinate,
    },
}

impl Change {
    /// The version that changes.
    #[must_use]
    pub fn target(&self) -> &Coordinate {
        match self {
            Self::Label { target, .. } | Self::Delete { target } => target,
        }
    }
}

/// What a native write came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The version concerned.
    pub coordinate: Coordinate,
    /// What happened to it.
    pub outcome: Outcome,
}

/// What happened to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It, or a part of it, is new.
    Published,
    /// What was sent was there already.
    Unchanged,
    /// A name points to it now.
    Labelled,
    /// It is a tombstone now.
    Deleted,
}
