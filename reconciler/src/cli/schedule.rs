//! `bowline schedule`: when a CronJob's schedule fires.

use anyhow::Context as _;
use bowline_runtime::api::Timestamp;
use bowline_runtime::api::value::schedule::Schedule;
use chrono::SecondsFormat;

use super::output::{self, Format};
use super::{Context, exit};

/// Show when a CronJob schedule fires next
///
/// Understands what a CronJob's `spec.schedule` may say, and a leading `TZ=` or `CRON_TZ=`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Schedule, for example `*/15 6-20 * * MON-FRI` or `@daily`
    #[arg(value_name = "EXPR")]
    expression: String,
    /// Time zone by its IANA name; UTC without it
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
    /// Time to start after, RFC 3339; now without it
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// How many times to show
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
}

/// Runs the verb.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<u8> {
    let (schedule, prefix) = Schedule::parse_with_prefix(&args.expression)
        .with_context(|| format!("cannot read the schedule `{}`", args.expression))?;
    let zone = match (&args.tz, prefix) {
        (Some(_), Some(_)) => anyhow::bail!("the schedule names a time zone and so does `--tz`: give one of them"),
        (Some(name), None) => name
            .parse()
            .map_err(|_| anyhow::anyhow!("there is no time zone `{name}`: use an IANA name such as `Europe/Berlin`"))?,
        (None, Some(zone)) => zone,
        (None, None) => chrono_tz::UTC,
    };
    let mut at = match &args.from {
        Some(text) => text.parse::<Timestamp>().context("cannot read `--from`")?,
        None => Timestamp::from_system(std::time::SystemTime::now()),
    };
    let mut times = Vec::new();
    while times.len() < args.count as usize {
        let Some(next) = schedule.next_after(at, zone) else { break };
        times.push(next.utc().with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, true));
        at = next;
    }
    match context.format {
        Format::Human | Format::Wide | Format::Name if times.is_empty() => {
            eprintln!("`{}` does not fire within five years", args.expression);
        }
        Format::Human | Format::Wide | Format::Name => output::print(&(times.join("\n") + "\n"))?,
        format => output::machine(format, &times)?,
    }
    Ok(exit::OK)
}
