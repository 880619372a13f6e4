#include "broker/resolv_conf.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <ranges>
#include <string>

namespace palyra::broker {
namespace {

// Of <resolv.h>: MAXNS, RES_MAXRETRANS and RES_MAXRETRY.
constexpr size_t kMaxServers = 3;
constexpr int kMaxTimeout = 30;
constexpr int kMaxAttempts = 5;

constexpr std::string_view kBlanks = " \t\r\v\f";

// Cuts the first word off `line`.
std::string_view TakeWord(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  return word;
}

// The number of "name:number".
std::optional<int> OptionValue(std::string_view option, std::string_view name) {
  if (!option.starts_with(name)) return std::nullopt;
  option.remove_prefix(name.size());
  int value = 0;
  const auto read = std::from_chars(option.begin(), option.end(), value);
  if (read.ec != std::errc() || read.ptr != option.end()) return std::nullopt;
  return value;
}

void ReadOption(std::string_view option, ResolvConf& conf) {
  if (const auto timeout = OptionValue(option, "timeout:")) {
    conf.timeout = std::chrono::seconds(std::clamp(*timeout, 1, kMaxTimeout));
  } else if (const auto attempts = OptionValue(option, "attempts:")) {
    conf.attempts = std::clamp(*attempts, 1, kMaxAttempts);
  }
}

void ReadServer(std::string_view text, ResolvConf& conf) {
  const std::optional<Address> address = Address::Parse(std::string(text));
  if (!address || conf.servers.size() == kMaxServers) {
    ++conf.ignored_servers;
  } else {
    conf.servers.push_back({*address, kDnsPort});
  }
}

void ReadLine(std::string_view line, ResolvConf& conf) {
  const std::string_view keyword = TakeWord(line);
  if (keyword == "nameserver") {
    ReadServer(TakeWord(line), conf);
  } else if (keyword == "options") {
    for (std::string_view word = TakeWord(line); !word.empty(); word = TakeWord(line)) {
      ReadOption(word, conf);
    }
  }
}

}  // namespace

Result<ResolvConf> ParseResolvConf(std::string_view text) {
  ResolvConf conf;
  for (const auto line : std::views::split(text, '\n')) ReadLine({line.begin(), line.end()}, conf);
  if (conf.servers.empty()) {
    return Fail(ErrorCode::kNotFound,
                conf.ignored_servers == 0
                    ? "resolv.conf names no server: add a line \"nameserver ADDRESS\""
                    : "resolv.conf names no server that can be asked: add a line \"nameserver "
                      "ADDRESS\" with an address without a scope");
  }
  return conf;
}

}  // namespace palyra::broker
