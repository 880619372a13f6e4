#include "policy/datetime.h"

#include <chrono>
#include <cstddef>

namespace palyra::policy {
namespace {

constexpr int64_t kMillisecondsPerDay = 86'400'000;

// Takes what it reads from the front of a text. After the first thing that is not there, everything
// fails.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool AtEnd() const { return text_.empty(); }

  // Exactly `count` ASCII digits, as a number below `limit`.
  int Number(size_t count, int limit) {
    good_ = good_ && text_.size() >= count;
    int value = 0;
    for (size_t i = 0; good_ && i < count; ++i) {
      good_ = text_[i] >= '0' && text_[i] <= '9';
      value = value * 10 + (text_[i] - '0');
    }
    good_ = good_ && value < limit;
    text_.remove_prefix(good_ ? count : 0);
    return value;
  }

  bool TakeIf(char c) {
    if (!good_ || !text_.starts_with(c)) {
      return false;
    }
    text_.remove_prefix(1);
    return true;
  }

  void Expect(char c) { good_ = TakeIf(c); }

 private:
  std::string_view text_;
  bool good_ = true;
};

std::chrono::milliseconds ReadTimeOfDay(Reader& reader) {
  const int hour = reader.Number(2, 24);
  reader.Expect(':');
  const int minute = reader.Number(2, 60);
  reader.Expect(':');
  const int second = reader.Number(2, 60);
  const int millisecond = reader.TakeIf('.') ? reader.Number(3, 1000) : 0;
  return std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second) +
         std::chrono::milliseconds(millisecond);
}

// How far local time is ahead of UTC.
std::chrono::minutes ReadOffset(Reader& reader) {
  if (reader.TakeIf('Z')) {
    return std::chrono::minutes(0);
  }
  const bool ahead = reader.TakeIf('+');
  if (!ahead) {
    reader.Expect('-');
  }
  const int hour = reader.Number(2, 24);
  const int minute = reader.Number(2, 60);
  const std::chrono::minutes offset = std::chrono::hours(hour) + std::chrono::minutes(minute);
  return ahead ? offset : -offset;
}

}  // namespace

std::optional<Datetime> Datetime::Parse(std::string_view text) {
  Reader reader(text);
  const std::chrono::year year(reader.Number(4, 10'000));
  reader.Expect('-');
  const std::chrono::month month(static_cast<unsigned>(reader.Number(2, 100)));
  reader.Expect('-');
  const std::chrono::day day(static_cast<unsigned>(reader.Number(2, 100)));
  std::chrono::milliseconds time(0);
  if (!reader.AtEnd()) {
    reader.Expect('T');
    time = ReadTimeOfDay(reader);
    time -= ReadOffset(reader);
  }
  const std::chrono::year_month_day date(year, month, day);
  if (!reader.good() || !reader.AtEnd() || !date.ok()) {
    return std::nullopt;
  }
  const std::chrono::milliseconds midnight = std::chrono::sys_days(date).time_since_epoch();
  return Datetime((midnight + time).count());
}

std::optional<Datetime> Datetime::Offset(Duration duration) const {
  int64_t sum = 0;
  return __builtin_add_overflow(milliseconds_, duration.ToMilliseconds(), &sum)
             ? std::nullopt
             : std::optional(Datetime(sum));
}

std::optional<Duration> Datetime::DurationSince(Datetime earlier) const {
  int64_t difference = 0;
  return __builtin_sub_overflow(milliseconds_, earlier.milliseconds_, &difference)
             ? std::nullopt
             : std::optional(Duration(difference));
}

std::optional<Datetime> Datetime::ToDate() const {
  return Offset(Duration(-ToTime().ToMilliseconds()));
}

Duration Datetime::ToTime() const {
  const int64_t rest = milliseconds_ % kMillisecondsPerDay;
  return Duration(rest < 0 ? rest + kMillisecondsPerDay : rest);
}

std::optional<std::string> Datetime::ToString() const {
  static const int64_t kFirst = Parse("0000-01-01")->milliseconds();
  static const int64_t kLast = Parse("9999-12-31T23:59:59.999Z")->milliseconds();
  if (milliseconds_ < kFirst || milliseconds_ > kLast) {
    return std::nullopt;
  }
  const std::chrono::sys_time<std::chrono::milliseconds> instant{
      std::chrono::milliseconds(milliseconds_)};
  const auto day = std::chrono::floor<std::chrono::days>(instant);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(instant - day);
  const auto padded = [](int64_t value, size_t width) {
    const std::string digits = std::to_string(value);
    return std::string(width - digits.size(), '0') + digits;
  };
  return padded(int{date.year()}, 4) + '-' + padded(unsigned{date.month()}, 2) + '-' +
         padded(unsigned{date.day()}, 2) + 'T' + padded(time.hours().count(), 2) + ':' +
         padded(time.minutes().count(), 2) + ':' + padded(time.seconds().count(), 2) + '.' +
         padded(time.subseconds().count(), 3) + 'Z';
}

}  // namespace palyra::policy
