#include "policy/extension.h"

#include <algorithm>
#include <array>
#include <utility>

#include "policy/evaluator.h"
#include "policy/printer.h"

namespace palyra::policy {
namespace {

constexpr Signature Constructor(std::string_view name, ValueKind result) {
  return {.name = name,
          .result = result,
          .first = ValueKind::kString,
          .second = std::nullopt,
          .is_method = false};
}

constexpr Signature Method(ValueKind receiver, std::string_view name, ValueKind result,
                           std::optional<ValueKind> argument = std::nullopt) {
  return {.name = name, .result = result, .first = receiver, .second = argument, .is_method = true};
}

// In the order of Function.
constexpr std::array kSignatures = {
    Constructor("ip", ValueKind::kIp),
    Method(ValueKind::kIp, "isIpv4", ValueKind::kBool),
    Method(ValueKind::kIp, "isIpv6", ValueKind::kBool),
    Method(ValueKind::kIp, "isLoopback", ValueKind::kBool),
    Method(ValueKind::kIp, "isMulticast", ValueKind::kBool),
    Method(ValueKind::kIp, "isInRange", ValueKind::kBool, ValueKind::kIp),
    Constructor("decimal", ValueKind::kDecimal),
    Method(ValueKind::kDecimal, "lessThan", ValueKind::kBool, ValueKind::kDecimal),
    Method(ValueKind::kDecimal, "lessThanOrEqual", ValueKind::kBool, ValueKind::kDecimal),
    Method(ValueKind::kDecimal, "greaterThan", ValueKind::kBool, ValueKind::kDecimal),
    Method(ValueKind::kDecimal, "greaterThanOrEqual", ValueKind::kBool, ValueKind::kDecimal),
    Constructor("datetime", ValueKind::kDatetime),
    Method(ValueKind::kDatetime, "offset", ValueKind::kDatetime, ValueKind::kDuration),
    Method(ValueKind::kDatetime, "durationSince", ValueKind::kDuration, ValueKind::kDatetime),
    Method(ValueKind::kDatetime, "toDate", ValueKind::kDatetime),
    Method(ValueKind::kDatetime, "toTime", ValueKind::kDuration),
    Constructor("duration", ValueKind::kDuration),
    Method(ValueKind::kDuration, "toMilliseconds", ValueKind::kLong),
    Method(ValueKind::kDuration, "toSeconds", ValueKind::kLong),
    Method(ValueKind::kDuration, "toMinutes", ValueKind::kLong),
    Method(ValueKind::kDuration, "toHours", ValueKind::kLong),
    Method(ValueKind::kDuration, "toDays", ValueKind::kLong),
};

template <typename T>
std::optional<Value> Wrap(const std::optional<T>& made) {
  return made ? std::optional(Value::Of(*made)) : std::nullopt;
}

Value OfIp(Function method, const IpAddress& ip, std::span<const Value> args) {
  switch (method) {
    case Function::kIsIpv4:
      return Value::Bool(!ip.is_ipv6());
    case Function::kIsIpv6:
      return Value::Bool(ip.is_ipv6());
    case Function::kIsLoopback:
      return Value::Bool(ip.IsLoopback());
    case Function::kIsMulticast:
      return Value::Bool(ip.IsMulticast());
    default:
      return Value::Bool(ip.IsInRange(*args[1].AsIp()));
  }
}

Value OfDecimal(Function method, Decimal left, Decimal right) {
  switch (method) {
    case Function::kLessThan:
      return Value::Bool(left < right);
    case Function::kLessThanOrEqual:
      return Value::Bool(left <= right);
    case Function::kGreaterThan:
      return Value::Bool(left > right);
    default:
      return Value::Bool(left >= right);
  }
}

// Nothing on overflow.
std::optional<Value> OfDatetime(Function method, Datetime datetime, std::span<const Value> args) {
  switch (method) {
    case Function::kOffset:
      return Wrap(datetime.Offset(*args[1].AsDuration()));
    case Function::kDurationSince:
      return Wrap(datetime.DurationSince(*args[1].AsDatetime()));
    case Function::kToDate:
      return Wrap(datetime.ToDate());
    default:
      return Value::Of(datetime.ToTime());
  }
}

Value OfDuration(Function method, Duration duration) {
  switch (method) {
    case Function::kToMilliseconds:
      return Value::Long(duration.ToMilliseconds());
    case Function::kToSeconds:
      return Value::Long(duration.ToSeconds());
    case Function::kToMinutes:
      return Value::Long(duration.ToMinutes());
    case Function::kToHours:
      return Value::Long(duration.ToHours());
    default:
      return Value::Long(duration.ToDays());
  }
}

// `args` are of the kinds that `function` takes. Nothing where it fails.
std::optional<Value> Invoke(Function function, std::span<const Value> args) {
  switch (SignatureOf(function).first) {
    case ValueKind::kString:
      return Construct(function, *args[0].AsString());
    case ValueKind::kIp:
      return OfIp(function, *args[0].AsIp(), args);
    case ValueKind::kDecimal:
      return OfDecimal(function, *args[0].AsDecimal(), *args[1].AsDecimal());
    case ValueKind::kDatetime:
      return OfDatetime(function, *args[0].AsDatetime(), args);
    case ValueKind::kDuration:
      return OfDuration(function, *args[0].AsDuration());
    default:
      std::unreachable();
  }
}

// What the text of a constructor must be.
std::string_view Wanted(ValueKind result) {
  switch (result) {
    case ValueKind::kIp:
      return "an IP address or range";
    case ValueKind::kDecimal:
      return "a decimal number with one to four digits behind the point";
    case ValueKind::kDatetime:
      return "a date, or a date and time such as 2024-10-15T11:38:02Z";
    default:
      return "a duration such as 1d2h3m4s5ms";
  }
}

std::unexpected<EvalError> CallFail(Span span, std::string message) {
  return std::unexpected(EvalError{.span = span, .message = std::move(message)});
}

}  // namespace

const Signature& SignatureOf(Function function) {
  return kSignatures.at(static_cast<size_t>(function));
}

std::optional<Function> FindFunction(std::string_view name) {
  const auto* found = std::ranges::find(kSignatures, name, &Signature::name);
  return found == kSignatures.end()
             ? std::nullopt
             : std::optional(static_cast<Function>(found - kSignatures.begin()));
}

std::optional<Value> Construct(Function function, std::string_view text) {
  switch (function) {
    case Function::kIp: {
      const std::optional<IpAddress> ip = IpAddress::Parse(text);
      return ip ? std::optional(Value::Ip(*ip)) : std::nullopt;
    }
    case Function::kDecimal:
      return Wrap(Decimal::Parse(text));
    case Function::kDatetime:
      return Wrap(Datetime::Parse(text));
    case Function::kDuration:
      return Wrap(Duration::Parse(text));
    default:
      return std::nullopt;
  }
}

EvalResult ApplyCall(Function function, std::span<const Value> args, Span span) {
  const Signature& signature = SignatureOf(function);
  if (args.size() != signature.arity()) {
    return CallFail(span, "wrong number of arguments for " + QuoteString(signature.name) +
                              ": expected " + std::to_string(signature.arity()) + ", found " +
                              std::to_string(args.size()));
  }
  for (size_t i = 0; i < args.size(); ++i) {
    const ValueKind expected = i == 0 ? signature.first : *signature.second;
    if (args[i].kind() != expected) {
      return CallFail(span, "type error: expected " + std::string(KindName(expected)) + ", found " +
                                std::string(KindName(args[i].kind())));
    }
  }
  std::optional<Value> value = Invoke(function, args);
  if (!value) {
    return CallFail(span, signature.is_method ? "overflow in " + QuoteString(signature.name) +
                                                    " of " + ToCedar(args[0])
                                              : "not " + std::string(Wanted(signature.result)) +
                                                    ": " + QuoteString(*args[0].AsString()));
  }
  return *std::move(value);
}

}  // namespace palyra::policy
