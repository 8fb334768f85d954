//! A thousand tasks: `check`, and from the start to READY. Ten tasks: an idle daemon's memory.
//!
//! `cargo bench --bench scale` takes half a minute; `-- --assert` fails when a figure is over its limit, `-- --binary PATH`
//! measures another build.

#![allow(clippy::disallowed_methods, reason = "outside of the pure modules")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a benchmark fails by panicking")]

mod support;

use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use support::{Arguments, Daemon, Figures, KEY_SEED, Place, idle, median, milliseconds, time};
use telegram_sim::{Account, DataCentre, World};

const TASKS: usize = 1_000;
const FILES: usize = 25;
const ACCOUNTS: usize = 20;
const REPEATS: usize = 5;
const IDLE: Duration = Duration::from_secs(20);

const SETTINGS: &str = r#"version = 1
[http]
listen = "127.0.0.1:0"
[log]
format = "json"
"#;

const ZONES: [&str; 8] = [
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "UTC",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Africa/Cairo",
];

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut figures = Figures::default();
    measure_thousand(&arguments, &mut figures);
    measure_idle(&arguments, &mut figures);
    figures.exit(&arguments)
}

fn measure_thousand(arguments: &Arguments, figures: &mut Figures) {
    let place =
        Place::new(&workdir(TASKS, "[telegram]\napi_id = 1\napi_hash = \"0123456789abcdef0123456789abcdef\"\n"));
    let checks = (0..REPEATS).map(|_| time(&mut place.command(&arguments.binary, "check")));
    let (wall, cpu) = checks.unzip();
    figures.show(format!("check of {TASKS} tasks, wall"), milliseconds(median(wall)), "ms", Some(300.0));
    figures.show(format!("check of {TASKS} tasks, CPU"), milliseconds(median(cpu)), "ms", None);

    let mut first = None;
    let mut starts = Vec::new();
    for _ in 0..=REPEATS {
        let daemon = Daemon::start(&place, &arguments.binary);
        let ready = daemon.ready();
        daemon.stop();
        match first {
            None => first = Some(ready),
            Some(_) => starts.push(ready),
        }
    }
    let first = milliseconds(first.unwrap_or_default());
    figures.show(format!("start to READY with {TASKS} tasks, new data directory"), first, "ms", Some(1000.0));
    let later = milliseconds(median(starts));
    figures.show(format!("start to READY with {TASKS} tasks"), later, "ms", Some(1000.0));
}

fn measure_idle(arguments: &Arguments, figures: &mut Figures) {
    // Its own threads, so that nothing of the data centre is counted.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = World::new().key_seed(KEY_SEED).account(Account::new("account0", "+10000000000", 1000).signed_in());
    let centre = runtime.block_on(DataCentre::start(world)).unwrap();
    let telegram = format!("[telegram]\nconnect = \"always\"\n{}", centre.daemon_config());
    let place = Place::new(&workdir(10, &telegram));
    place.sign_in("account0", 1000, centre.address());

    let daemon = Daemon::start(&place, &arguments.binary);
    daemon.ready();
    let before = daemon.process().cpu();
    idle(IDLE);
    assert_eq!(centre.open_connections(), 1, "one account is connected");
    let memory = daemon.process().memory();
    let cpu = milliseconds(daemon.process().cpu().checked_sub(before).unwrap()) / IDLE.as_secs_f64();
    daemon.stop();
    figures.show("idle, 1 account connected, 10 tasks: resident", memory.resident, "MB", Some(15.0));
    figures.show("idle, 1 account connected, 10 tasks: proportional", memory.proportional, "MB", None);
    figures.show("idle, 1 account connected, 10 tasks: peak", memory.peak, "MB", None);
    figures.show("idle, 1 account connected, 10 tasks: CPU a second", cpu, "ms", None);
}

/// Tasks of many kinds, spread over files. With ten of them there is one account.
fn workdir(tasks: usize, telegram: &str) -> Vec<(String, String)> {
    let accounts = if tasks > 10 { ACCOUNTS } else { 1 };
    let mut settings = format!("{SETTINGS}{telegram}");
    for account in 0..accounts {
        writeln!(settings, "[accounts.account{account}]\nphone = \"+1000000{account:04}\"").unwrap();
    }
    let mut files = vec![("tgsignd.toml".to_owned(), settings)];
    let a_file = tasks.div_ceil(FILES);
    for (file, first) in (0..tasks).step_by(a_file).enumerate() {
        let text: String = (first..tasks.min(first + a_file)).map(|number| task(number, accounts)).collect();
        files.push((format!("tasks-{file}.toml"), text));
    }
    files
}

fn task(number: usize, accounts: usize) -> String {
    let (minute, hour) = (number % 60, number / 60 % 24);
    let schedule = match number % 5 {
        0 => format!("\"{minute} {hour} * * *\""),
        1 => format!("\"{hour:02}:{minute:02}\""),
        2 => format!("[\"{minute} {hour} * * 1-5\", \"30 {hour} * * 6,7\"]"),
        3 => format!("\"{number} {minute} {hour} */2 * *\"", number = number % 60),
        _ => "\"@daily\"".to_owned(),
    };
    let click =
        if number.is_multiple_of(2) { "'签到'".to_owned() } else { format!("'/^(签到|check.?in {number})$/i'") };
    let zone = ZONES[number % ZONES.len()];
    format!(
        "[tasks.task{number}]\naccounts = [\"account{account}\"]\nschedule = {schedule}\ntimezone = \"{zone}\"\n\
         jitter = \"5m\"\nmissed = {{ policy = \"run-once\", within = \"6h\" }}\nchat = \"@bench{number}_bot\"\n\
         steps = [{{ send = \"/checkin {number}\" }}, {{ click = {click} }}, {{ expect = '/(积分|points):? \\+?\\d{{1,{digits}}}/' }}]\n\
         [tasks.task{number}.outcome]\nsuccess = ['签到成功', '/第 \\d+ 天/']\nfailure = ['失败 {number}']\n\n",
        account = number % accounts,
        digits = number % 7 + 1,
    )
}
