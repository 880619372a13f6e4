#include "cli/run_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <functional>
#include <utility>

#include "base/quantity.h"
#include "cli/limit_options.h"
#include "cli/version.h"

namespace palyra::cli {
namespace {

constexpr const char* kUsage = "palyra-run [options] -- COMMAND [ARG…]";

constexpr const char* kFooter =
    "Everything that no policy permits is denied. Exit status: the command's; 124 timed out;\n"
    "125 palyra failed; 126 refused, or not executable; 127 not found; 128+n killed by signal n;\n"
    "137 ended by a limit, or by rules that changed.";

// What CLI11 gives a flag without a value.
constexpr const char* kPlainReport = "true";

// What CLI11 fills before values are looked at.
struct RawOptions {
  RunOptions options;
  std::optional<std::string> timeout;
  std::optional<std::string> tier;
  std::optional<std::string> hold;
  std::optional<std::string> egress;
  std::optional<std::string> audit_allows;
  std::optional<std::string> on_stale;
  std::optional<std::string> report;  // kPlainReport without a value.
  std::vector<std::string> unheld;
  LimitTexts limits;
};

// The order among the options of a kind is kept: the policy text shows them as they were given.
void AddRule(CLI::App& app, const std::string& name, const char* type, const char* purpose,
             const std::function<void(const std::string&)>& add) {
  app.add_option_function<std::string>(name, add, purpose)
      ->type_name(type)
      ->expected(1)
      ->trigger_on_parse();
}

void AddNetRules(CLI::App& app, RawOptions& raw) {
  RunOptions& options = raw.options;
  using enum policy::NetShorthand;
  const auto to = [&options](policy::NetShorthand kind) {
    return [&options, kind](const std::string& argument) {
      options.net_rules.push_back({.kind = kind, .argument = argument});
    };
  };
  AddRule(app, "--allow-net", "HOST[:PORT]",
          "permit ADDRESS, CIDR, NAME, *.NAME, localhost or *, and a port", to(kAllow));
  AddRule(app, "--deny-net", "HOST[:PORT]", "forbid it, whatever else permits it", to(kDeny));
  AddRule(app, "--allow-listen", "[ADDRESS:]PORT",
          "permit to listen at PORT, or at that of one address", to(kAllowListen));
  app.add_option("--allow-unix", options.unix_rules,
                 "permit to connect to the unix socket at PATH, or with the abstract name")
      ->type_name("PATH|@NAME")
      ->allow_extra_args(false);
  app.add_option("--egress", raw.egress,
                 "none: offline; preflight: names are resolved once, before the run; strict: names "
                 "as the run asks, the default")
      ->type_name("MODE");
}

void AddPathRules(CLI::App& app, RunOptions& options) {
  using enum policy::PathShorthand;
  const auto add = [&](policy::PathShorthand kind, const char* purpose) {
    AddRule(app, std::string(OptionName(kind)), "PATH", purpose,
            [&options, kind](const std::string& argument) {
              options.path_rules.push_back({.kind = kind, .argument = argument});
            });
  };
  add(kAllowRead, "permit to read PATH and what is below it");
  add(kAllowWrite, "permit to read and change it: write, create, remove, rename, link");
  add(kAllowExec, "permit to execute and read it");
  add(kDenyRead, "forbid to read it, whatever else permits it");
  add(kDenyWrite, "forbid to change it, whatever else permits it");
  app.add_option("--workspace", options.workspace,
                 "what the tool works on: ${workspace}, context.workspace; else where it starts")
      ->type_name("DIR");
  app.add_option("--chdir", options.chdir, "where the command starts; else the working directory")
      ->type_name("DIR");
  app.add_flag("--defaults", options.defaults,
               "hold files and programs to what is built in: permit what tools of developers need, "
               "forbid secrets, and to change what others would execute; without BPF LSM with "
               "--unheld file-patterns");
}

void AddOptions(CLI::App& app, RawOptions& raw) {
  RunOptions& options = raw.options;
  app.add_option("--policy", options.policies, "Cedar policies: a file, or a directory of *.cedar")
      ->type_name("FILE|DIR")
      ->allow_extra_args(false);
  app.add_option("--entities", options.entities, "Cedar entities as JSON, for those policies")
      ->type_name("FILE");
  app.add_option("--schema", options.schema,
                 "entity types and attributes beside the built-in ones: Cedar schema, or JSON")
      ->type_name("FILE");
  app.add_option("--agent", options.agent, "who asks: Palyra::Agent::\"ID\"")->type_name("ID");
  app.add_option("--tool", options.tool,
                 "which tool of the registry the command is: refuse to run another one")
      ->type_name("NAME");
  app.add_option("--tier", raw.tier,
                 "cell, the default: with processes and a root directory of its own; sealed: "
                 "without any network too; guard: on the host as it is; watch: likewise, and only "
                 "what no policy could permit is denied")
      ->type_name("TIER");
  AddNetRules(app, raw);
  AddPathRules(app, options);
  app.add_option("--env", options.environment, "pass a variable, or set one")
      ->type_name("NAME[=VALUE]")
      ->allow_extra_args(false);
  app.add_option("--user", options.user,
                 "as whom the tool runs; else SUDO_UID, else the owner of the working directory")
      ->type_name("NAME|UID[:GID]");
  app.add_option("--unheld", raw.unheld,
                 "let the run begin although these promises, which a refusal names, are not held")
      ->type_name("PROMISE[,...]")
      ->allow_extra_args(false);
  app.add_option("--on-stale", raw.on_stale,
                 "when the operator denies files that this run began with: end, the default, or "
                 "mark, which goes on and says so")
      ->type_name("end|mark");
  app.add_option("--timeout", raw.timeout, "kill the run after this time (s, m or h)")
      ->type_name("TIME");
  app.add_option("--hold", raw.hold,
                 "what policies ask about waits for an answer (palyra held), and is denied after "
                 "this time; else at once")
      ->type_name("TIME");
  AddLimitOptions(app, raw.limits);
  app.add_option("--audit", options.audit, "append each denial, and the end, as a line of JSON")
      ->type_name("FILE");
  app.add_option("--audit-allows", raw.audit_allows,
                 "what --audit has of allows: none, which is the default, all, or one in N")
      ->type_name("none|all|1/N");
  app.add_flag("--print-policy", options.print_policy, "print the Cedar of this run, run nothing");
  app.add_flag("--report", raw.report,
               "say what is enforced by which mechanism here; --report=FILE: as JSON, into a file");
  app.add_option("--receipt", options.receipt,
                 "write a signed statement of what ran, under what, and how it ended")
      ->type_name("FILE");
  app.add_flag("--dry-run", options.dry_run,
               "say what the run would be held to and by which mechanism, run nothing");
}

Result<void> TakeTier(RawOptions& raw) {
  if (!raw.tier) return {};
  raw.options.has_tier = true;
  return SetTier(*raw.tier, raw.options);
}

Result<void> Check(RawOptions& raw) {
  RunOptions& options = raw.options;
  if (raw.timeout) {
    Result<std::chrono::milliseconds> timeout = base::ParseDuration(*raw.timeout);
    if (!timeout) {
      return Fail(timeout.error().code, fmt::format("--timeout: {}", timeout.error().message));
    }
    options.timeout = *timeout;
  }
  if (raw.hold) {
    Result<std::chrono::milliseconds> hold = base::ParseDuration(*raw.hold);
    if (!hold) return Fail(hold.error().code, fmt::format("--hold: {}", hold.error().message));
    options.hold = *hold;
  }
  const Result<engine::RunLimits> limits = ReadLimits(raw.limits);
  if (!limits) return std::unexpected(limits.error());
  options.limits = *limits;
  if (raw.egress) {
    const std::optional<policy::EgressEnforcementMode> mode = policy::EgressModeOf(*raw.egress);
    if (!mode) {
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("--egress: \"{}\" is no mode; write none, preflight or strict", *raw.egress));
    }
    options.egress = *mode;
    options.has_egress = true;
  }
  if (Result<void> tier = TakeTier(raw); !tier) return tier;
  for (const std::string& list : raw.unheld) {
    Result<void> added = engine::AddUnheld(list, options.unheld);
    if (!added) return added;
  }
  // They are permitted wherever a machine has them, and few machines have all.
  options.unheld.files.missing = options.defaults;
  if (raw.on_stale && *raw.on_stale != "end" && *raw.on_stale != "mark") {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("--on-stale: \"{}\" is neither end nor mark", *raw.on_stale));
  }
  options.marks_stale = raw.on_stale == "mark";
  if (raw.audit_allows) {
    const Result<uint32_t> one_in = ParseSampling(*raw.audit_allows);
    if (!one_in) return std::unexpected(one_in.error());
    options.audit_allows = *one_in;
  }
  const bool watches = options.tier == engine::Tier::kWatch && options.audit;
  if (watches && !raw.audit_allows) options.audit_allows = 1;
  if (options.audit_allows != 0 && !options.audit) {
    return Fail(ErrorCode::kInvalidArgument,
                "--audit-allows: there is no file for them; write --audit FILE too");
  }
  options.report = raw.report.has_value();
  if (raw.report && *raw.report != kPlainReport) options.report_file = *raw.report;
  if (options.receipt && (options.command.empty() || options.dry_run)) {
    return Fail(ErrorCode::kInvalidArgument, "--receipt: nothing runs, so there is none");
  }
  const bool only_prints = options.print_policy || options.report || options.dry_run;
  if (options.command.empty() && !only_prints) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("no command; write {}", kUsage));
  }
  return {};
}

}  // namespace

Result<void> SetTier(std::string_view name, RunOptions& options) {
  const std::optional<engine::Tier> tier = engine::TierOf(name);
  if (!tier) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("--tier: \"{}\" is no tier; write watch, guard, cell or sealed", name));
  }
  options.tier = *tier;
  if (*tier != engine::Tier::kSealed) return {};
  if (options.has_egress && options.egress != policy::EgressEnforcementMode::kNone) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("--tier sealed has no network, and --egress {} asks for one",
                            policy::EgressModeName(options.egress)));
  }
  options.egress = policy::EgressEnforcementMode::kNone;
  options.has_egress = true;
  return {};
}

Result<uint32_t> ParseSampling(std::string_view text) {
  constexpr uint32_t kMost = 1'000'000;
  if (text == "none") return 0;
  if (text == "all") return 1;
  constexpr std::string_view kOneIn = "1/";
  uint32_t one_in = 0;
  if (text.starts_with(kOneIn)) {
    const std::string_view digits = text.substr(kOneIn.size());
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), one_in);
    if (error != std::errc() || end != digits.data() + digits.size()) one_in = 0;
  }
  if (one_in != 0 && one_in <= kMost) return one_in;
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("--audit-allows: \"{}\" is none of none, all and 1/N, as in 1/100, with "
                          "N up to {}",
                          text, kMost));
}

Result<std::variant<RunOptions, HelpText>> ParseRunOptions(std::vector<std::string> arguments) {
  RawOptions raw;
  const auto separator = std::ranges::find(arguments, "--");
  if (separator != arguments.end()) {
    raw.options.command.assign(separator + 1, arguments.end());
    arguments.erase(separator, arguments.end());
  }
  CLI::App app(
      fmt::format("Runs one command in a sandbox whose rules are Cedar policies:\n  {}", kUsage),
      "palyra-run");
  app.footer(kFooter);
  app.set_version_flag("--version", fmt::format("palyra {}", kVersion));
  AddOptions(app, raw);
  // CLI11 takes them in reverse.
  std::ranges::reverse(arguments);
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    return HelpText{app.help()};
  } catch (const CLI::CallForVersion&) {
    return HelpText{fmt::format("palyra {}\n", kVersion)};
  } catch (const CLI::ExtrasError& error) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}; options are listed by --help, and the command comes after \"--\"",
                            error.what()));
  } catch (const CLI::Error& error) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{}; see --help", error.what()));
  }
  if (Result<void> checked = Check(raw); !checked) return std::unexpected(checked.error());
  return std::move(raw.options);
}

}  // namespace palyra::cli
