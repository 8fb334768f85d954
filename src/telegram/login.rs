//! Signing an account in: phone number, code, two-step password; wrong entries are asked for again.

use std::io;

use grammers_client::SignInError;
use grammers_client::client::PasswordToken;
use grammers_session::Session;
use grammers_tl_types as tl;

use super::connection::{CALL_LIMIT, Connection};
use super::error::CallError;

/// Wrong codes or passwords in one go before the login gives up; Telegram itself allows few more.
const MOST_WRONG_ENTRIES: u32 = 5;

/// The person at the terminal. Empty answers are asked for again by the implementation.
pub trait Prompt {
    /// Asks for the phone number in international form.
    fn phone(&mut self) -> io::Result<String>;
    /// Asks for the code that was sent by `way`.
    fn code(&mut self, way: &str) -> io::Result<String>;
    /// Asks for the two-step password, without echo.
    fn password(&mut self, hint: Option<&str>) -> io::Result<String>;
    /// Tells what was wrong with the last answer.
    fn say(&mut self, text: &str);
}

/// Who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// Telegram's id of the user.
    pub user_id: i64,
    /// First name, for the greeting.
    pub first_name: String,
}

/// Why nobody signed in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The terminal went away.
    #[error("no answer on the terminal: {0}")]
    Terminal(#[from] io::Error),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Too many wrong entries.
    #[error("{MOST_WRONG_ENTRIES} wrong entries; try again later, or Telegram will make you wait")]
    TooManyWrongEntries,
    /// The phone number has no account.
    #[error("this phone number has no Telegram account: create it in an app first")]
    NoAccount,
    /// Telegram wants something this version cannot do.
    #[error("{0}")]
    Unsupported(&'static str),
}

/// Ends the session of `connection` at Telegram; one that Telegram no longer knows has ended already.
pub async fn sign_out(connection: &Connection) -> Result<(), CallError> {
    match connection.call(&tl::functions::auth::LogOut {}).await {
        Ok(_) | Err(CallError::Unauthorised(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Signs in on `connection` and writes the session.
pub async fn login(
    connection: &Connection,
    api_id: i32,
    api_hash: &str,
    prompt: &mut (dyn Prompt + Send),
) -> Result<SignedIn, LoginError> {
    let mut wrong_entries = 0;
    let mut wrong = |prompt: &mut (dyn Prompt + Send), text: &str| {
        wrong_entries += 1;
        prompt.say(text);
        if wrong_entries < MOST_WRONG_ENTRIES { Ok(()) } else { Err(LoginError::TooManyWrongEntries) }
    };
    let (phone, mut sent) = loop {
        let phone: String = prompt.phone()?.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')')).collect();
        match send_code(connection, api_id, api_hash, &phone).await {
            Ok(sent) => break (phone, sent),
            Err(LoginError::Call(error)) if error.is("PHONE_NUMBER_INVALID") => {
                wrong(prompt, "Telegram does not know this number. Write it with + and the country code.")?;
            }
            Err(LoginError::Call(error)) if error.is("PHONE_NUMBER_BANNED") => {
                wrong(prompt, "Telegram has banned this number.")?;
            }
            Err(error) => return Err(error),
        }
    };
    let user = loop {
        let code = prompt.code(way(&sent.r#type))?;
        let request = tl::functions::auth::SignIn {
            phone_number: phone.clone(),
            phone_code_hash: sent.phone_code_hash.clone(),
            phone_code: Some(code.trim().to_owned()),
            email_verification: None,
        };
        match connection.call(&request).await {
            Ok(tl::enums::auth::Authorization::Authorization(done)) => break done.user,
            Ok(tl::enums::auth::Authorization::SignUpRequired(_)) => return Err(LoginError::NoAccount),
            Err(error) if error.is("SESSION_PASSWORD_NEEDED") => {
                let signed_in = check_password(connection, prompt, &mut wrong).await?;
                connection.session().sign_in(signed_in.user_id).map_err(CallError::from)?;
                return Ok(signed_in);
            }
            Err(error) if error.is("PHONE_CODE_EXPIRED") => {
                wrong(prompt, "This code has expired; a new one is on its way.")?;
                sent = send_code(connection, api_id, api_hash, &phone).await?;
            }
            Err(error) if error.is("PHONE_CODE_INVALID") || error.is("PHONE_CODE_EMPTY") => {
                wrong(prompt, "Wrong code.")?;
            }
            Err(error) => return Err(error.into()),
        }
    };
    let tl::enums::User::User(user) = user else { return Err(LoginError::NoAccount) };
    connection.session().sign_in(user.id).map_err(CallError::from)?;
    Ok(SignedIn { user_id: user.id, first_name: user.first_name.unwrap_or_default() })
}

async fn send_code(
    connection: &Connection,
    api_id: i32,
    api_hash: &str,
    phone: &str,
) -> Result<tl::types::auth::SentCode, LoginError> {
    let request = tl::functions::auth::SendCode {
        phone_number: phone.to_owned(),
        api_id,
        api_hash: api_hash.to_owned(),
        settings: tl::types::CodeSettings {
            allow_flashcall: false,
            current_number: false,
            allow_app_hash: false,
            allow_missed_call: false,
            allow_firebase: false,
            unknown_number: false,
            logout_tokens: None,
            token: None,
            app_sandbox: None,
        }
        .into(),
    };
    let answer = match connection.call(&request).await {
        Err(CallError::Migrate(data_centre)) => {
            connection.session().set_home_dc_id(data_centre).await.map_err(CallError::from)?;
            connection.call(&request).await?
        }
        other => other?,
    };
    match answer {
        tl::enums::auth::SentCode::Code(sent) => Ok(sent),
        tl::enums::auth::SentCode::Success(_) => {
            Err(LoginError::Unsupported("this key is signed in already; remove the session file and try again"))
        }
        tl::enums::auth::SentCode::PaymentRequired(_) => {
            Err(LoginError::Unsupported("Telegram asks for a payment to send the code; sign in with an app first"))
        }
    }
}

fn way(kind: &tl::enums::auth::SentCodeType) -> &'static str {
    use tl::enums::auth::SentCodeType as Kind;
    match kind {
        Kind::App(_) => "a message in your Telegram apps",
        Kind::Sms(_) | Kind::SmsWord(_) | Kind::SmsPhrase(_) | Kind::FirebaseSms(_) => "SMS",
        Kind::Call(_) | Kind::FlashCall(_) | Kind::MissedCall(_) => "a phone call",
        Kind::EmailCode(_) | Kind::SetUpEmailRequired(_) => "e-mail",
        Kind::FragmentSms(_) => "fragment.com",
    }
}

async fn check_password(
    connection: &Connection,
    prompt: &mut (dyn Prompt + Send),
    wrong: &mut (dyn FnMut(&mut (dyn Prompt + Send), &str) -> Result<(), LoginError> + Send),
) -> Result<SignedIn, LoginError> {
    loop {
        // Asked anew for every try: the parameters of a refused password are spent.
        let tl::enums::account::Password::Password(parameters) =
            connection.call(&tl::functions::account::GetPassword {}).await?;
        let known_algorithm = matches!(
            parameters.current_algo,
            Some(tl::enums::PasswordKdfAlgo::Sha256Sha256Pbkdf2Hmacsha512iter100000Sha256ModPow(_))
        );
        if !known_algorithm || parameters.srp_b.is_none() || parameters.srp_id.is_none() {
            return Err(LoginError::Unsupported("Telegram asks for the password in a way this version does not know"));
        }
        let password = prompt.password(parameters.hint.as_deref())?;
        let check = connection.client().check_password(PasswordToken::new(parameters), password);
        match connection.limited(CALL_LIMIT, check).await? {
            Ok(user) => {
                let user_id = user.id().bare_id().ok_or(LoginError::NoAccount)?;
                return Ok(SignedIn { user_id, first_name: user.first_name().unwrap_or_default().to_owned() });
            }
            Err(SignInError::InvalidPassword(_)) => wrong(prompt, "Wrong password.")?,
            Err(SignInError::Other(error)) => return Err(CallError::from(error).into()),
            Err(other) => return Err(CallError::Network(other.to_string()).into()),
        }
    }
}
