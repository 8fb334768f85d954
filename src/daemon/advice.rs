//! The models of `[ai]` as conversations ask them.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use super::secrets;
use crate::ai::{Budget, Endpoint, Models, Solver};
use crate::config::Ai;
use crate::script::{Answer, Question};
use crate::telegram::run::Advisor;

/// Those who are asked by one conversation.
pub(super) struct Advice {
    ai: Option<Ai>,
    budget: Arc<Budget>,
}

impl Advice {
    /// `None`: there are no models.
    pub(super) fn new(ai: Option<Ai>, budget: Arc<Budget>) -> Self {
        Self { ai, budget }
    }

    async fn answer(&self, question: &Question, picture: Option<Vec<u8>>) -> Result<Answer, String> {
        let Some(ai) = self.ai.clone() else {
            return Err("it needs a model, and none is configured under [ai]".to_owned());
        };
        let models = tokio::task::spawn_blocking(move || models(&ai))
            .await
            .map_err(|_| "an internal error ended the question".to_owned())??;
        models.ask(question, picture.as_deref(), &self.budget).await.map_err(|error| error.to_string())
    }
}

impl Advisor for Advice {
    fn ask<'a>(
        &'a self,
        question: &'a Question,
        picture: Option<Vec<u8>>,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, String>> + Send + 'a>> {
        Box::pin(self.answer(question, picture))
    }
}

/// Keys are read for each question: they may have been changed where they are kept.
fn models(ai: &Ai) -> Result<Models, String> {
    let endpoints = ai.endpoints.iter().map(|endpoint| {
        let key = endpoint.key.as_ref().map(secrets::resolve).transpose();
        let key = key.map_err(|error| format!("[ai] api_key: {error}"))?;
        Endpoint::new(&endpoint.base_url, key, &endpoint.model)
    });
    let solver = ai.command.as_ref().and_then(|words| {
        let (program, arguments) = words.split_first()?;
        Some(Solver::new(PathBuf::from(program), arguments.to_vec()))
    });
    Ok(Models { endpoints: endpoints.collect::<Result<_, _>>()?, solver, timeout: ai.timeout })
}
