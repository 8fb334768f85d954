//! Chat completions as OpenAI defined them and many servers speak them
//! (<https://platform.openai.com/docs/api-reference/chat>).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use crate::config::secret::Secret;
use crate::script::Question;

/// Longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 256 * 1024;

/// A model at a server.
#[derive(Clone)]
pub struct Endpoint {
    client: reqwest::Client,
    url: String,
    key: Option<Secret<String>>,
    model: String,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

impl Endpoint {
    /// The model at `base_url`, which ends before `/chat/completions`. Redirects are not followed, and proxies of the
    /// environment are not used.
    pub fn new(base_url: &str, key: Option<Secret<String>>, model: &str) -> Result<Self, String> {
        // Another part of the process may have chosen a provider before; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("tgsignd/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("HTTP cannot be spoken: {}", error.without_url()))?;
        let url = format!("{}/chat/completions", base_url.trim_end_matches('/'));
        Ok(Self { client, url, key, model: model.to_owned() })
    }

    /// The name of the model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// What the model says, as it says it. The caller limits the time.
    pub async fn ask(&self, question: &Question, picture: Option<&[u8]>) -> Result<String, String> {
        let mut content = vec![json!({ "type": "text", "text": format!("The question:\n{}", question.text) })];
        if let Some(picture) = picture {
            let url = format!("data:{};base64,{}", kind(picture), STANDARD.encode(picture));
            content.push(json!({ "type": "image_url", "image_url": { "url": url } }));
        }
        // Neither a temperature nor a limit of tokens: some models refuse the one or the other.
        let body = json!({
            "model": self.model,
            "messages": [
                { "role": "system", "content": question.instructions() },
                { "role": "user", "content": content },
            ],
        });
        let mut request = self
            .client
            .post(&self.url)
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(body.to_string());
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose());
        }
        let mut response = request.send().await.map_err(|error| explain(&error))?;
        if !response.status().is_success() {
            return Err(format!("the server answered {}", response.status().as_u16()));
        }
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| explain(&error))? {
            if answer.len() + chunk.len() > LONGEST_ANSWER {
                return Err(format!("the answer is longer than {} KiB", LONGEST_ANSWER / 1024));
            }
            answer.extend_from_slice(&chunk);
        }
        let completion: Completion =
            serde_json::from_slice(&answer).map_err(|_| "the server's answer is no chat completion".to_owned())?;
        let said = completion.choices.into_iter().next().and_then(|choice| choice.message.content);
        let said = said.ok_or_else(|| "it said nothing".to_owned())?;
        // Models that think aloud close their thoughts with this.
        Ok(said.rsplit("</think>").next().unwrap_or_default().trim().to_owned())
    }
}

/// Without the address, which may hold what the owner wants to keep.
fn explain(error: &reqwest::Error) -> String {
    if error.is_connect() {
        "the server cannot be reached".to_owned()
    } else if error.is_body() || error.is_decode() {
        "the answer broke off".to_owned()
    } else {
        "the request failed".to_owned()
    }
}

fn kind(picture: &[u8]) -> &'static str {
    if picture.starts_with(b"\x89PNG") { "image/png" } else { "image/jpeg" }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("model", &self.model).finish_non_exhaustive()
    }
}
