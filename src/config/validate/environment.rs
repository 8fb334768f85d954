//! The environment variables that win over the files. Findings name them with a `$`, at line 1.

use std::collections::BTreeMap;

use crate::config::diagnostic::Diagnostic;
use crate::config::document::{Document, Place};
use crate::config::source::{CONFIG_VARIABLE, ENVIRONMENT, Sources};

/// The variables that are set.
pub(in crate::config) struct Environment<'a> {
    variables: BTreeMap<&'static str, (&'a str, Document<'a>)>,
}

impl<'a> Environment<'a> {
    pub(in crate::config) fn new(sources: &'a Sources) -> Self {
        let set = ENVIRONMENT.into_iter().filter(|name| *name != CONFIG_VARIABLE).filter_map(|name| {
            let value = sources.variable(name)?;
            Some((name, (value, Document::new(format!("${name}"), value))))
        });
        Self { variables: set.collect() }
    }

    /// The value of a variable and the place to report it at.
    pub(in crate::config) fn get(&self, name: &str) -> Option<(&'a str, Place<'_>)> {
        debug_assert!(ENVIRONMENT.contains(&name), "{name} is missing in ENVIRONMENT");
        self.variables.get(name).map(|(value, document)| (*value, document.start()))
    }

    pub(in crate::config) fn into_findings(self) -> impl Iterator<Item = Diagnostic> {
        self.variables.into_values().flat_map(|(_, document)| document.into_findings())
    }
}
