#include "policy/value.h"

#include <algorithm>
#include <array>
#include <functional>
#include <type_traits>
#include <utility>

namespace palyra::policy {
namespace {

std::strong_ordering Order(std::string_view a, std::string_view b) { return a.compare(b) <=> 0; }

}  // namespace

EntityUid::EntityUid(std::string type, std::string id) {
  const size_t hash = std::hash<std::string_view>{}(type) * 31 + std::hash<std::string_view>{}(id);
  data_ = std::make_shared<const Data>(hash, std::move(id), std::move(type));
}

bool EntityUid::HasNameOf(const EntityUid& other) const {
  return id() == other.id() && type() == other.type();
}

std::strong_ordering EntityUid::operator<=>(const EntityUid& other) const {
  if (data_ == other.data_) {
    return std::strong_ordering::equal;
  }
  const std::strong_ordering by_type = Order(type(), other.type());
  return by_type != 0 ? by_type : Order(id(), other.id());
}

std::string_view KindName(ValueKind kind) {
  static constexpr std::array<std::string_view, 10> kNames = {
      "bool",   "long",   "string",  "entity",   "set",
      "record", "ipaddr", "decimal", "datetime", "duration"};
  return kNames.at(static_cast<size_t>(kind));
}

Value Value::Bool(bool value) { return Value(Data(value)); }
Value Value::Long(int64_t value) { return Value(Data(value)); }
Value Value::String(std::string value) {
  return Value(Data(std::make_shared<const std::string>(std::move(value))));
}
Value Value::Entity(EntityUid uid) { return Value(Data(std::move(uid))); }
Value Value::Ip(const IpAddress& ip) { return Value(Data(ip)); }
Value Value::Of(Decimal decimal) { return Value(Data(decimal)); }
Value Value::Of(Datetime datetime) { return Value(Data(datetime)); }
Value Value::Of(Duration duration) { return Value(Data(duration)); }
Value Value::Set(std::vector<Value> elements) {
  return Value(Data(std::make_shared<const SetValue>(std::move(elements))));
}
Value Value::Record(std::vector<std::pair<std::string, Value>> fields) {
  return Value(Data(std::make_shared<const RecordValue>(std::move(fields))));
}

const std::string* Value::AsString() const {
  const auto* held = std::get_if<std::shared_ptr<const std::string>>(&data_);
  return held == nullptr ? nullptr : held->get();
}

const SetValue* Value::AsSet() const {
  const auto* held = std::get_if<std::shared_ptr<const SetValue>>(&data_);
  return held == nullptr ? nullptr : held->get();
}

const RecordValue* Value::AsRecord() const {
  const auto* held = std::get_if<std::shared_ptr<const RecordValue>>(&data_);
  return held == nullptr ? nullptr : held->get();
}

int Value::height() const {
  if (const SetValue* set = AsSet()) {
    return set->height();
  }
  if (const RecordValue* record = AsRecord()) {
    return record->height();
  }
  return 1;
}

bool Value::operator==(const Value& other) const {
  if (const EntityUid* uid = AsEntity()) {
    return other.AsEntity() != nullptr && *uid == *other.AsEntity();  // By hash first.
  }
  return (*this <=> other) == 0;
}

std::strong_ordering Value::operator<=>(const Value& other) const {
  if (data_.index() != other.data_.index()) {
    return data_.index() <=> other.data_.index();
  }
  switch (kind()) {
    case ValueKind::kBool:
      return *AsBool() <=> *other.AsBool();
    case ValueKind::kLong:
      return *AsLong() <=> *other.AsLong();
    case ValueKind::kString:
      return Order(*AsString(), *other.AsString());
    case ValueKind::kEntity:
      return *AsEntity() <=> *other.AsEntity();
    case ValueKind::kSet:
      return AsSet() == other.AsSet() ? std::strong_ordering::equal
                                      : AsSet()->elements() <=> other.AsSet()->elements();
    case ValueKind::kRecord:
      return AsRecord() == other.AsRecord() ? std::strong_ordering::equal
                                            : AsRecord()->fields() <=> other.AsRecord()->fields();
    case ValueKind::kIp:
      return *AsIp() <=> *other.AsIp();
    case ValueKind::kDecimal:
      return *AsDecimal() <=> *other.AsDecimal();
    case ValueKind::kDatetime:
      return *AsDatetime() <=> *other.AsDatetime();
    case ValueKind::kDuration:
      return *AsDuration() <=> *other.AsDuration();
  }
  std::unreachable();
}

SetValue::SetValue(std::vector<Value> elements) : elements_(std::move(elements)) {
  std::ranges::sort(elements_, [](const Value& a, const Value& b) { return (a <=> b) < 0; });
  const auto repeated = std::ranges::unique(elements_);
  elements_.erase(repeated.begin(), repeated.end());
  for (const Value& element : elements_) {
    height_ = std::max(height_, element.height() + 1);
  }
}

bool SetValue::Contains(const Value& value) const {
  return std::ranges::binary_search(elements_, value,
                                    [](const Value& a, const Value& b) { return (a <=> b) < 0; });
}

RecordValue::RecordValue(std::vector<Field> fields) : fields_(std::move(fields)) {
  std::ranges::sort(fields_, {}, &Field::first);
  const auto duplicates = std::ranges::unique(fields_, {}, &Field::first);
  fields_.erase(duplicates.begin(), duplicates.end());
  for (const Field& field : fields_) {
    height_ = std::max(height_, field.second.height() + 1);
  }
}

const Value* RecordValue::Find(std::string_view key) const {
  static constexpr size_t kFewFields = 16;
  if (fields_.size() <= kFewFields) {  // Most keys differ in length.
    const auto found = std::ranges::find(fields_, key, &Field::first);
    return found == fields_.end() ? nullptr : &found->second;
  }
  const auto found = std::ranges::lower_bound(fields_, key, {}, &Field::first);
  return found != fields_.end() && found->first == key ? &found->second : nullptr;
}

}  // namespace palyra::policy
