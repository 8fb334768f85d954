//! Login by code and password, logout.

use std::sync::Arc;

use grammers_tl_types::{enums, functions as f, types};

use super::{Call, Outcome, RpcError, RpcResult, answer};
use crate::crypto::{random, sha256};
use crate::log::Event;
use crate::srp::{GENERATOR, PRIME, padded};
use crate::state::{Login, PasswordState};
use crate::tl::View;

/// What ties a code to the request for it.
fn code_hash(phone: &str) -> String {
    grammers_crypto::hex::to_hex(&sha256(&[b"code", phone.as_bytes()])[..9])
}

fn account_of_phone(call: &Call<'_>, phone: &str) -> Result<(usize, Arc<str>), RpcError> {
    let state = call.state();
    let account = state.phone(phone).ok_or_else(|| RpcError::bad_request("PHONE_NUMBER_INVALID"))?;
    Ok((account, state.accounts[account].name.clone()))
}

pub(super) fn send_code(call: &Call<'_>) -> RpcResult {
    let request: f::auth::SendCode = call.read()?;
    if request.api_id <= 0 || request.api_hash.is_empty() {
        return Err(RpcError::bad_request("API_ID_INVALID"));
    }
    let (account, name) = account_of_phone(call, &request.phone_number)?;
    call.log(Event::CodeRequested { account: name });
    answer::<f::auth::SendCode>(sent_code(call, account))
}

pub(super) fn resend_code(call: &Call<'_>) -> RpcResult {
    let request: f::auth::ResendCode = call.read()?;
    let (account, name) = account_of_phone(call, &request.phone_number)?;
    if request.phone_code_hash != code_hash(&call.state().accounts[account].phone) {
        return Err(RpcError::bad_request("PHONE_CODE_HASH_EMPTY"));
    }
    call.log(Event::CodeRequested { account: name });
    answer::<f::auth::ResendCode>(sent_code(call, account))
}

fn sent_code(call: &Call<'_>, account: usize) -> types::auth::SentCode {
    let state = call.state();
    let account = &state.accounts[account];
    let length = i32::try_from(account.code.chars().count()).unwrap_or(i32::MAX);
    types::auth::SentCode {
        r#type: types::auth::SentCodeTypeApp { length }.into(),
        phone_code_hash: code_hash(&account.phone),
        next_type: None,
        timeout: None,
    }
}

pub(super) fn sign_in(call: &Call<'_>) -> RpcResult {
    let request: f::auth::SignIn = call.read()?;
    let (index, name) = account_of_phone(call, &request.phone_number)?;
    let state = call.state();
    let account = &state.accounts[index];
    if request.phone_code_hash != code_hash(&account.phone) {
        return Err(RpcError::bad_request("PHONE_CODE_EXPIRED"));
    }
    if request.phone_code.as_deref() != Some(&account.code) {
        drop(state);
        call.log(Event::CodeRefused { account: name });
        return Err(RpcError::bad_request("PHONE_CODE_INVALID"));
    }
    let needs_password = account.password.is_some();
    drop(state);
    if needs_password {
        call.key.set_login(Login::PasswordDue(index));
        call.log(Event::PasswordRequired { account: name });
        return Err(RpcError::unauthorised("SESSION_PASSWORD_NEEDED"));
    }
    call.log(Event::SignedIn { account: name });
    authorise(call, index)
}

fn authorise(call: &Call<'_>, account: usize) -> RpcResult {
    call.key.set_login(Login::SignedIn(account));
    let state = call.state();
    answer::<f::auth::SignIn>(authorisation(&View::new(&state, account)))
}

fn authorisation(view: &View<'_>) -> types::auth::Authorization {
    types::auth::Authorization {
        setup_password_required: false,
        otherwise_relogin_days: None,
        tmp_sessions: None,
        future_auth_token: None,
        user: view.user(view.user_id()),
    }
}

/// The account of the key, signed in or about to, and its password.
fn account_with_password(call: &Call<'_>) -> Result<(usize, Option<Arc<PasswordState>>), RpcError> {
    let account = match call.key.login() {
        Login::PasswordDue(account) | Login::SignedIn(account) => account,
        Login::Revoked(name) => return Err(RpcError::unauthorised(name)),
        Login::SignedOut => return Err(RpcError::unauthorised("AUTH_KEY_UNREGISTERED")),
    };
    Ok((account, call.state().accounts[account].password.clone()))
}

pub(super) fn get_password(call: &Call<'_>) -> Outcome {
    match account_with_password(call) {
        Err(error) => Err(error).into(),
        Ok((_, None)) => answer::<f::account::GetPassword>(without_password()).into(),
        Ok((_, Some(password))) => Outcome::later(async move {
            blocking(move || answer::<f::account::GetPassword>(with_password(&password))).await
        }),
    }
}

fn kdf(salt1: &[u8], salt2: &[u8]) -> enums::PasswordKdfAlgo {
    types::PasswordKdfAlgoSha256Sha256Pbkdf2Hmacsha512iter100000Sha256ModPow {
        salt1: salt1.to_vec(),
        salt2: salt2.to_vec(),
        g: i32::from(GENERATOR),
        p: padded(&PRIME).to_vec(),
    }
    .into()
}

fn without_password() -> types::account::Password {
    types::account::Password {
        has_recovery: false,
        has_secure_values: false,
        has_password: false,
        current_algo: None,
        srp_b: None,
        srp_id: None,
        hint: None,
        email_unconfirmed_pattern: None,
        new_algo: kdf(&random::<8>(), &random::<16>()),
        new_secure_algo: enums::SecurePasswordKdfAlgo::Unknown,
        secure_random: random::<256>().to_vec(),
        pending_reset_date: None,
        login_email_pattern: None,
    }
}

fn with_password(password: &PasswordState) -> types::account::Password {
    let (srp_id, public) = password.challenge();
    let verifier = password.verifier();
    types::account::Password {
        has_password: true,
        current_algo: Some(kdf(&verifier.salt1, &verifier.salt2)),
        srp_b: Some(public.to_vec()),
        srp_id: Some(srp_id),
        hint: Some("the one in the world file".to_owned()),
        ..without_password()
    }
}

pub(super) fn check_password(call: &Call<'_>) -> Outcome {
    let (request, account, password) = match begin_check(call) {
        Ok(begun) => begun,
        Err(error) => return Err(error).into(),
    };
    let (centre, key, connection) = (call.centre.clone(), call.key.clone(), call.connection);
    Outcome::later(async move {
        blocking(move || {
            let right = password.check(request.srp_id, &request.a, &request.m1);
            let right = right.ok_or_else(|| RpcError::bad_request("SRP_ID_INVALID"))?;
            let name = centre.state().accounts[account].name.clone();
            let log = |event| {
                centre.log.add(centre.clock.now(), Some(connection), None, event);
            };
            if !right {
                log(Event::PasswordRefused { account: name });
                return Err(RpcError::bad_request("PASSWORD_HASH_INVALID"));
            }
            log(Event::SignedIn { account: name });
            key.set_login(Login::SignedIn(account));
            answer::<f::auth::CheckPassword>(authorisation(&View::new(&centre.state(), account)))
        })
        .await
    })
}

fn begin_check(call: &Call<'_>) -> Result<(types::InputCheckPasswordSrp, usize, Arc<PasswordState>), RpcError> {
    let request: f::auth::CheckPassword = call.read()?;
    let (account, password) = account_with_password(call)?;
    let password = password.ok_or_else(|| RpcError::bad_request("PASSWORD_EMPTY"))?;
    match request.password {
        enums::InputCheckPasswordSrp::Srp(srp) => Ok((srp, account, password)),
        enums::InputCheckPasswordSrp::InputCheckPasswordEmpty => Err(RpcError::bad_request("PASSWORD_HASH_INVALID")),
    }
}

/// Runs costly arithmetic where it does not hold up other connections.
async fn blocking(work: impl FnOnce() -> RpcResult + Send + 'static) -> RpcResult {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(RpcError { code: 500, name: "INTERNAL".to_owned() }),
    }
}

pub(super) fn log_out(call: &Call<'_>, account: usize) -> RpcResult {
    let _: f::auth::LogOut = call.read()?;
    call.key.set_login(Login::SignedOut);
    let connection = call.connection;
    call.state().accounts[account].subscribers.retain(|subscriber| subscriber.connection != connection);
    call.log(Event::SignedOut);
    answer::<f::auth::LogOut>(types::auth::LoggedOut { future_auth_token: None })
}
